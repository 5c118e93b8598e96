"""`upconv verify`: an ONNX file against the model it was made from."""

from __future__ import annotations

import json
from typing import Any

import click

from upconv.converters.ir.errors import UsageError
from upconv.service.cli.model_options import model_options, read_options


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
    against: str,
    seed: int,
    fill_missing: str,
    format_: str,
    **common: Any,
) -> int:
    """Prove that ONNX computes what MODEL does.

    Exit code 0: every layer and output passes. 1: one fails, or could not be compared. 2: usage
    or unreadable files, or a framework that is not installed.
    """
    from upconv.converters.proof.verify import as_json
    from upconv.service.cli.commands.convert import fill_kinds
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.prove import ProofRequest
    from upconv.service.work.verification import certify, certify_against_source, summary

    end_as_interrupted()
    kinds = fill_kinds(fill_missing)
    if kinds and against == "source":
        raise UsageError(
            "--fill-missing makes weights that the source framework does not have",
            hint="use --against reference",
        )
    judge = certify_against_source if against == "source" else certify
    verification = judge(ProofRequest(model, onnx, read_options(**common), kinds, seed))
    report = as_json(verification)
    click.echo(json.dumps(report, indent=2) if format_ == "json" else summary(verification))
    return 0 if verification.verdict == "pass" else 1
