"""`upconv convert`: a model in, ONNX out, and the proof that nothing moved."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from upconv.service.cli.limit_options import limit_options
from upconv.service.cli.many import folder_options
from upconv.service.cli.model_options import fill_option, model_options, options_of, part_options
from upconv.service.cli.rule_options import rule_options

if TYPE_CHECKING:
    from upconv.converters.onnx_writer.options import Bilinear, ExternalData, UnknownLayers
    from upconv.service.work.conversion import ConvertRequest


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--out", "out", required=True, type=click.Path(), metavar="OUT.onnx")
@model_options
@part_options
@click.option(
    "--opset",
    type=int,
    help="ONNX opset, 13 to 22.  [default: 18, or MODEL's own where nodes of it are copied]",
)
@click.option(
    "--only",
    type=click.Choice(["upsampling"]),
    help="Write one small model per upsampling layer into the folder OUT.",
)
@click.option(
    "--bilinear",
    type=click.Choice(["conv-transpose", "separable", "matmul", "resize", "auto"]),
    default="conv-transpose",
    show_default=True,
    help="Form of bilinear transposed convolutions.",
)
@fill_option("Make missing weights from these fillers: bilinear,constant.")
@click.option(
    "--external-data",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Weights in a file of their own (auto: above 1 GiB).",
)
@click.option(
    "--unknown",
    type=click.Choice(["refuse", "custom-op"]),
    default="refuse",
    show_default=True,
    help="What layers that are not understood become: custom-op writes them as nodes of the domain "
    "upconv, with their fields as attributes, and the proof is incomplete.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    envvar="UPCONV_TARGET",
    metavar="ENGINES",
    help="Write forms that these engines read alike, as in openvino-2026,ncnn or all-measured.",
)
@rule_options
@click.option("--strict", is_flag=True, help="Errors that the rules find fail the conversion.")
@limit_options
@click.option(
    "--proof",
    type=click.Choice(["full", "sampled", "none"]),
    default="full",
    show_default=True,
    help="How much is proven: every value, a seeded share of large layers in about the time of two "
    "runs, or nothing.",
)
@click.option("--no-verify", is_flag=True, help="Write without proving: --proof none.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@click.option("--report", type=click.Path(), metavar="FILE.json", help="Write the proof as JSON.")
@folder_options
def command(
    model: str,
    out: str,
    opset: int | None,
    only: Literal["upsampling"] | None,
    bilinear: Bilinear,
    fill_missing: str,
    unknown: UnknownLayers,
    external_data: ExternalData,
    targets: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    baseline: str | None,
    strict: bool,
    timeout: float,
    memory: float,
    verbose: bool,
    proof: Literal["full", "sampled", "none"],
    no_verify: bool,
    seed: int,
    report: str | None,
    jobs: int | None,
    scheduler: str,
    part_outputs: str,
    part_inputs: str,
    config: str | None,
    **common: Any,
) -> int:
    """Convert MODEL to ONNX and prove the result in onnxruntime. Of a folder, all models in it are
    converted, into the folder OUT.

    --outputs and --inputs take a part of it, as in `--outputs conv9`, and verify takes the same.

    A proof says that the file computes what MODEL does, and not that MODEL is right: what check
    calls an error in MODEL is shown above the verdict.

    Exit code 0: written and proven equal (or written, with --no-verify). 1: the proof failed or
    is incomplete, or with --strict the rules find an error in MODEL; the model is left as
    OUT.onnx.failed. 2: usage, or an input that cannot be converted.

    \b
    Examples:
      upconv convert deploy.prototxt --weights net.caffemodel -o net.onnx
      upconv convert unet.keras -o unet.onnx --strict
      upconv convert scripted.pt --input x=1x3xHxW -o scripted.onnx
      upconv convert net.prototxt --weights net.caffemodel --outputs conv9 -o part.onnx
      upconv convert net.onnx -o portable.onnx --target openvino-2026,ncnn
      upconv convert models/ -o onnx/ --jobs 4 --report proofs.json
    """
    from upconv.linter.reports.colour import wants_colour
    from upconv.service.cli.check_output import tell_traces
    from upconv.service.cli.progress import progress_line
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.conversion import ConvertRequest, convert, fill_kinds
    from upconv.service.work.folders import is_folder_of_models
    from upconv.service.work.limits import Limits
    from upconv.service.work.reading import read_part

    end_as_interrupted()
    part, options = read_part(part_outputs, part_inputs, options_of(config, **common))
    rules = CheckRequest(
        select=select, ignore=ignore, baseline=baseline or None, config=config or None
    )
    request = ConvertRequest(
        model,
        out,
        options,
        fill_kinds(fill_missing),
        opset,
        bilinear,
        external_data,
        only or "",
        not no_verify and proof != "none",
        seed,
        report or "",
        part,
        unknown,
        Limits(timeout, memory),
        rules,
        strict,
        "sampled" if proof == "sampled" else "full",
        targets,
    )
    if is_folder_of_models(model):
        return _convert_all(request, jobs, scheduler, verbose)
    with progress_line(verbose) as progress:
        done = convert(request, progress)
    if done.found is not None:
        tell_traces(done.found)
    stream = sys.stdout if done.passed else sys.stderr
    colour = wants_colour(stream, os.environ)
    click.echo(done.told(colour=colour), color=True, err=not done.passed)
    return 0 if done.passed else 1


def _convert_all(request: ConvertRequest, jobs: int | None, scheduler: str, verbose: bool) -> int:
    """Convert every model below a folder; returns the worst exit code."""
    from upconv.service.cli.many import Many, as_json, do_each, refuse_in_folder, tell_each
    from upconv.service.work.each_model import CONVERT, conversions
    from upconv.service.work.folders import models_below
    from upconv.service.work.staging import report_place, write_text

    refuse_in_folder(weights=request.options.weights, only=request.only)
    if request.report:
        report_place(request.report)
    found = models_below(str(request.model), request.rules, without=request.out)
    items = conversions(request, found)
    many = Many("converting", found, CONVERT, items, jobs, scheduler, verbose=verbose)
    outcomes = do_each(many)
    if request.report:
        write_text(request.report, as_json(outcomes))
    return tell_each(many, outcomes)
