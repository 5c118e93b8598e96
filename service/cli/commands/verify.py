"""`upconv verify`: an ONNX file against the model it was made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from upconv.service.cli.model_options import model_options, options_of

if TYPE_CHECKING:
    from upconv.service.work.proving import Judge


@click.command()
@click.argument("model", type=click.Path())
@click.argument("onnx", type=click.Path())
@model_options
@click.option(
    "--against",
    type=click.Choice(["reference", "source"]),
    default="reference",
    show_default=True,
    help="What judges: our float64 reference, or the framework that MODEL is from. The framework "
    "then reads MODEL itself, so use it for files that you trust.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@click.option(
    "--fill-missing",
    default="",
    metavar="KINDS",
    help="The fillers that the conversion made weights from: bilinear,constant.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def command(
    model: str,
    onnx: str,
    against: Judge,
    seed: int,
    fill_missing: str,
    format_: str,
    **common: Any,
) -> int:
    """Prove that ONNX computes what MODEL does.

    Exit code 0: every layer and output passes. 1: one fails, or could not be compared. 2: usage
    or unreadable files, or a framework that is not installed.
    """
    from upconv.converters.proof.report import as_json
    from upconv.service.cli.progress import progress_line
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.conversion import fill_kinds
    from upconv.service.work.proving import VerifyRequest, verify

    end_as_interrupted()
    kinds = fill_kinds(fill_missing)
    request = VerifyRequest(model, onnx, options_of(**common), kinds, seed, against)
    with progress_line() as progress:
        proof = verify(request, progress)
    click.echo(json.dumps(as_json(proof), indent=2) if format_ == "json" else str(proof))
    return 0 if proof.verdict == "pass" else 1
