"""`upconv verify`: an ONNX file against the model it was made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from upconv.service.cli.limit_options import limit_options
from upconv.service.cli.many import folder_options
from upconv.service.cli.model_options import fill_option, model_options, options_of, part_options

if TYPE_CHECKING:
    from upconv.converters.proof.plan import Extent
    from upconv.service.work.proving import Judge, VerifyRequest


@click.command()
@click.argument("model", type=click.Path())
@click.argument("onnx", type=click.Path(), default="")
@model_options
@part_options
@click.option(
    "--against",
    type=click.Choice(["reference", "source"]),
    default="reference",
    show_default=True,
    help="What judges: our float64 reference, or the framework that MODEL is from. The framework "
    "then reads MODEL itself, so use it for files that you trust.",
)
@click.option(
    "--proof",
    type=click.Choice(["full", "sampled"]),
    default="full",
    show_default=True,
    help="How much is compared: every value, or a seeded share of large layers in about the time "
    "of two runs.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@click.option(
    "--data",
    default="",
    type=click.Path(),
    metavar="FILE.npz|FOLDER",
    help="Compare on these inputs, and not on noise: .npz with the inputs' names, .npy, or a "
    "folder of them, in the model's own layout.",
)
@fill_option("The fillers that the conversion made weights from: bilinear,constant.")
@limit_options
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@folder_options
def command(
    model: str,
    onnx: str,
    against: Judge,
    proof: Extent,
    seed: int,
    data: str,
    fill_missing: str,
    timeout: float,
    memory: float,
    verbose: bool,
    format_: str,
    jobs: int | None,
    scheduler: str,
    part_outputs: str,
    part_inputs: str,
    **common: Any,
) -> int:
    """Prove that ONNX computes what MODEL does, or that onnxruntime computes what MODEL says,
    which is an ONNX file then. Of two folders, each model in the one is held against its file at
    the same place in the other, as `upconv convert` leaves it there.

    Exit code 0: every layer and output passes. 1: one fails, or could not be compared. 2: usage
    or unreadable files, or a framework that is not installed.

    \b
    Examples:
      upconv verify deploy.prototxt net.onnx --weights net.caffemodel
      upconv verify unet.keras unet.onnx --against source
      upconv verify unet.keras unet.onnx --data inputs.npz
      upconv verify net.onnx                        onnxruntime against the file's own meaning
      upconv verify models/ onnx/ --jobs 4
    """
    from upconv.converters.proof.report import as_json
    from upconv.service.cli.progress import progress_line
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.conversion import fill_kinds
    from upconv.service.work.folders import is_folder_of_models
    from upconv.service.work.limits import Limits
    from upconv.service.work.proving import VerifyRequest, verify
    from upconv.service.work.reading import read_part

    end_as_interrupted()
    kinds = fill_kinds(fill_missing)
    part, options = read_part(part_outputs, part_inputs, options_of(**common))
    limits = Limits(timeout, memory)
    request = VerifyRequest(model, onnx, options, kinds, seed, data, against, part, limits, proof)
    if is_folder_of_models(model):
        return _verify_all(request, format_, jobs, scheduler, verbose)
    with progress_line(verbose) as progress:
        found = verify(request, progress)
    click.echo(json.dumps(as_json(found), indent=2) if format_ == "json" else str(found))
    return 0 if found.verdict == "pass" else 1


def _verify_all(
    request: VerifyRequest, format_: str, jobs: int | None, scheduler: str, verbose: bool
) -> int:
    """Verify every model below a folder; returns the worst exit code."""
    from upconv.service.cli.many import Many, do_each, refuse_in_folder, tell_each
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.each_model import VERIFY, proofs
    from upconv.service.work.folders import models_below

    refuse_in_folder(weights=request.options.weights, data=request.data)
    only = "" if request.onnx else "ONNX"
    found = models_below(str(request.model), CheckRequest(), request.onnx, only)
    items = proofs(request, found)
    many = Many("verifying", found, VERIFY, items, jobs, scheduler, format_, verbose)
    return tell_each(many, do_each(many))
