"""What still converts of a model that does not: the part before layers that are not understood."""

from __future__ import annotations

from collections.abc import Iterable

from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Unknown
from upconv.converters.onnx_writer.refusals import MissingWeightError, problems
from upconv.converters.passes.cut import Cut, cut, frontier


def offer(model: Model) -> str:
    """The command that converts everything before the layers that are not understood; "" where
    there is no such part, or where something else stands in the way of it.

    Weights that are missing are: they can be given.
    """
    unknown = {layer.name for layer in model.layers if isinstance(layer.operator, Unknown)}
    names = frontier(model, unknown) if unknown else ()
    if not names:
        return ""
    part = cut(model, Cut(names))
    found = problems(part, infer(part))
    if not all(isinstance(error, MissingWeightError) for error in found):
        return ""
    return f"everything before {_place(model, unknown)} converts: --outputs {','.join(names)}"


def _place(model: Model, unknown: Iterable[str]) -> str:
    """The first of the layers: its line, or its name where the file has no lines."""
    first = next(layer for layer in model.layers if layer.name in unknown)
    span = first.origin.span
    return f"layer '{first.name}'" if span is None else f"line {span.line}"
