"""`upconv inspect`: what a model is made of."""

from __future__ import annotations

import json
from typing import Any

import click

from upconv.service.cli.model_options import model_options, options_of, part_options


@click.command()
@click.argument("model", type=click.Path())
@model_options
@part_options
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def command(model: str, part_outputs: str, part_inputs: str, format_: str, **common: Any) -> int:
    """Show a model of any format: inputs, outputs, layers with their operators, shapes (formulas
    where sizes are open), parameters and places, what is not understood, and what blocks its
    conversion or its proof.

    Multiplications are those of convolutions, transposed convolutions, inner and matrix products.

    Exit code 0: the model was read. 2: usage, or a file that cannot be read.

    \b
    Examples:
      upconv inspect deploy.prototxt --weights fcn8s.caffemodel
      upconv inspect net.onnx --input x=1x3xHxW
      upconv inspect unet.keras --format json | jq .totals
      upconv inspect net.pt2 --outputs add_7            the part up to a value
    """
    from upconv.service.cli.signals import end_as_interrupted
    from upconv.service.work.inspecting import InspectRequest, inspect
    from upconv.service.work.reading import read_part

    end_as_interrupted()
    part, options = read_part(part_outputs, part_inputs, options_of(**common))
    found = inspect(InspectRequest(model, options, part))
    click.echo(json.dumps(found.as_json(), indent=2) if format_ == "json" else str(found))
    return 0
