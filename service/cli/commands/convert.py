"""`upconv convert`: a model in, ONNX out, and the proof that nothing moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from upconv.converters.ir.errors import UsageError
from upconv.converters.readers.options import ReadOptions
from upconv.service.cli.model_options import model_options, read_options


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--out", "out", required=True, type=click.Path(), metavar="OUT.onnx")
@model_options
@click.option("--opset", type=int, default=18, show_default=True, help="ONNX opset, 13 to 22.")
@click.option(
    "--only",
    type=click.Choice(["upsampling"]),
    help="Write one small model per upsampling layer into the folder OUT.",
)
@click.option(
    "--bilinear",
    type=click.Choice(["conv-transpose", "separable", "matmul", "auto"]),
    default="conv-transpose",
    show_default=True,
    help="Form of bilinear transposed convolutions.",
)
@click.option(
    "--fill-missing",
    default="",
    metavar="KINDS",
    help="Make missing weights from these fillers: bilinear,constant.",
)
@click.option(
    "--external-data",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Weights in a file of their own (auto: above 1 GiB).",
)
@click.option("--no-verify", is_flag=True, help="Write without proving.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@click.option("--report", type=click.Path(), metavar="FILE.json", help="Write the proof as JSON.")
def command(
    model: str,
    out: str,
    opset: int,
    only: str | None,
    bilinear: str,
    fill_missing: str,
    external_data: str,
    no_verify: bool,
    seed: int,
    report: str | None,
    **common: Any,
) -> int:
    """Convert MODEL to ONNX and prove the result in onnxruntime.

    Exit code 0: written and proven equal (or written, with --no-verify). 1: the proof failed or
    is incomplete; the model is left as OUT.onnx.failed. 2: usage, or an input that cannot be
    converted.
    """
    from upconv.converters.onnx_writer import WriteOptions, write_upsampling
    from upconv.converters.passes.fill import fill_missing as fill
    from upconv.converters.readers.formats import open_graph
    from upconv.service.cli.output import SUFFIXES, report_place, require_apart
    from upconv.service.cli.signals import end_as_interrupted

    end_as_interrupted()
    options = read_options(**common)
    kinds = fill_kinds(fill_missing)
    if report and (no_verify or only):
        raise UsageError("--report needs the proof, which --no-verify and --only leave out")
    written_files = [f"{out}{suffix}" for suffix in SUFFIXES] + ([report] if report else [])
    require_apart(written_files, (model, options.weights))
    if report:
        report_place(report)  # before the work, not after it
    source = fill(open_graph(model, options), kinds)
    chosen: Any = (external_data, bilinear)
    writing = WriteOptions(opset=opset, external_data=chosen[0], bilinear=chosen[1])
    if only:
        written = write_upsampling(source, out, writing)
        click.echo(f"{out}: {len(written)} upsampling layers written, see index.json")
        return 0
    return _convert(
        source, Path(out), writing, no_verify, _request(model, options, kinds, seed), report
    )


def _request(model: str, options: ReadOptions, kinds: tuple[str, ...], seed: int) -> Any:
    from upconv.service.work.prove import ProofRequest

    return ProofRequest(model, "", options, kinds, seed)


def _convert(
    source: Any, out: Path, writing: Any, no_verify: bool, request: Any, report: str | None
) -> int:
    from upconv.converters.onnx_writer import write_onnx
    from upconv.service.cli.output import Staging, write_text
    from upconv.service.work.verification import certify, summary

    with Staging(out) as staging:
        written = write_onnx(source, staging.path, writing)
        if no_verify:
            staging.publish()
            click.echo(f"{out}: written, opset {written.opset}, not verified")
            return 0
        verification = certify(replace(request, onnx=str(staging.path)))
        named = replace(verification, onnx=str(out))
        passed = verification.verdict == "pass"
        final = staging.publish() if passed else staging.publish_failed()
    if report:
        write_text(report, named)
    click.echo(summary(replace(named, onnx=str(final))), err=not passed)
    return 0 if passed else 1


def fill_kinds(text: str) -> tuple[str, ...]:
    """The filler kinds of --fill-missing; UsageError for one that cannot be made."""
    from upconv.converters.passes.fill import FILLERS

    kinds = tuple(kind.strip() for kind in text.split(",") if kind.strip())
    for kind in kinds:
        if kind not in FILLERS:
            hint = f"it takes {' and '.join(FILLERS)}; other fillers are random"
            raise UsageError(f"--fill-missing {kind}: this filler cannot be made", hint=hint)
    return kinds
