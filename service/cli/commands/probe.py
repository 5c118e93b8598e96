"""`upconv probe`: ask an engine how it reads a model."""

from __future__ import annotations

from typing import Any

import click

from upconv.service.cli.model_options import fill_option, model_options, options_of


@click.group()
def command() -> None:
    """Ask an engine how it reads a model: make whole-number models for it, and read its outputs.

    \b
    Examples:
      upconv probe make net.onnx -o probe
      upconv probe read probe outputs-0.npz outputs-1.npz
    """


@command.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), metavar="DIR")
@model_options
@click.option(
    "--inner", is_flag=True, help="What goes into and out of upsampling layers leaves too."
)
@click.option("--opset", type=int, default=18, show_default=True, help="Of what is no ONNX file.")
@fill_option("As for convert.")
def make(
    model: str,
    out: str,
    inner: bool,
    opset: int,
    fill_missing: str,
    config: str | None,
    **common: Any,
) -> int:
    """Write MODEL with whole numbers for weights, inputs for two runs, and a manifest into DIR.

    Run DIR/model.onnx in the engine on inputs-0.npz and inputs-1.npz (each array also as .bin, raw
    float32) and keep its outputs. Nothing goes above 2**11, so float16 has every value exactly.

    Exit code 0: written. 2: usage, or an input that cannot be read or converted.

    \\b
    Examples:
      upconv probe make net.onnx -o probe
      upconv probe make net.prototxt --fill-missing bilinear -o probe --inner
    """
    from upconv.service.work.conversion import fill_kinds
    from upconv.service.work.probing import MakeRequest, make_probe

    options = options_of(config, **common)
    request = MakeRequest(model, out, options, inner, fill_kinds(fill_missing), opset)
    made = make_probe(request)
    runs = " and ".join(made.runs)
    click.echo(f"{out}: run model.onnx on {runs}, then upconv probe read {out} OUTPUTS ...")
    return 0


@command.command()
@click.argument("folder", type=click.Path(), metavar="DIR")
@click.argument("outputs", type=click.Path(), nargs=-1, required=True)
@click.option("--shape", default="", metavar="1x3x10x14", help="Of raw floats, which have none.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def read(folder: str, outputs: tuple[str, ...], shape: str, format_: str) -> int:
    """Say layer by layer whether an engine computed what the model in DIR says, to the bit, and
    where it did not, which reading explains its OUTPUTS: a file a run, in the order of the runs.

    Exit code 0: all that was seen is exact. 1: it is not. 2: usage, or files that are no outputs.

    \\b
    Examples:
      upconv probe read probe outputs-0.npz outputs-1.npz
      upconv probe read probe out.bin --shape 1x3x10x14
    """
    from upconv.service.work.probing import as_json, read_probe, sizes_of

    found = read_probe(folder, outputs, sizes_of(shape))
    click.echo(as_json(found) if format_ == "json" else str(found))
    return 0 if found.passed else 1
