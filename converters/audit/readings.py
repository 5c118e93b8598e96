"""What a net's sizes become where an engine reads a layer otherwise: one pixel less, and a merge
fails.

Only readings that are known from engines are tried. onnxruntime's WebGPU computes ConvTranspose
without its output_padding (microsoft/onnxruntime issue 23403); engines without ceil_mode round
poolings down (issue 1645 of open-mmlab/mmdeploy has TensorRT's message of such a merge).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.audit.explained import sized
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class OtherReading:
    """Engines that do `what`: the layers that they read otherwise, and the layer that then fails,
    None where the net still runs and only its output has another size."""

    what: str
    layers: tuple[Layer, ...]
    fails: Layer | None

    def __str__(self) -> str:
        first, count = self.layers[0].name, len(self.layers) - 1
        more = "" if not count else f" and {count} more layer{'' if count == 1 else 's'}"
        then = "the output is smaller" if self.fails is None else f"'{self.fails.name}' fails"
        return f"an engine that {self.what} makes '{first}'{more} smaller, and {then}"


def _without_output_padding(op: ops.Operator) -> ops.Operator:
    if isinstance(op, ops.ConvTranspose) and op.target is None and any(op.output_padding):
        return replace(op, output_padding=(0,) * len(op.output_padding))
    return op


def _rounding_down(op: ops.Operator) -> ops.Operator:
    if isinstance(op, ops.Pool) and op.rounding == "ceil":
        return replace(op, rounding="floor")
    return op


READINGS: Final[Mapping[str, Callable[[ops.Operator], ops.Operator]]] = {
    "drops output_padding (as onnxruntime's WebGPU)": _without_output_padding,
    "rounds poolings down (as those without ceil_mode)": _rounding_down,
}


def other_readings(
    model: Model, numbers: Inference, at: Mapping[str, int]
) -> Iterator[OtherReading]:
    """The readings that change a size of the model at sizes where it runs, where `numbers` are its
    shapes."""
    failing = {error.layer for error in numbers.errors}
    for what, changed in READINGS.items():
        layers = tuple(replace(one, operator=changed(one.operator)) for one in model.layers)
        pairs = zip(model.layers, layers, strict=True)
        if all(new.operator is old.operator for old, new in pairs):
            continue
        theirs = sized(replace(model, layers=layers), at).inference
        read = tuple(
            old
            for old, new in zip(model.layers, layers, strict=True)
            if new.operator is not old.operator
            and theirs.shapes.get(old.outputs[0]) != numbers.shapes.get(old.outputs[0])
        )
        errors = (error.layer for error in theirs.errors if error.layer not in failing)
        first = next(errors, None)
        differs = any(theirs.shapes.get(v) != numbers.shapes.get(v) for v in model.outputs)
        if read and (first or differs):
            yield OtherReading(what, read, model.layer(first) if first else None)
