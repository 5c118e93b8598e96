"""Inputs of whole numbers: how many different ones each may hold, so that every one is a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.ir.records import record

DEFAULT: Final = 128
"""Of an input that nothing takes for indices: a time step, a label."""

KEEPS: Final = (ops.Identity, ops.Reshape, ops.Flatten, ops.Permute, ops.Crop, ops.Slice, ops.Tile)
"""Operators whose output holds their first input's numbers."""


def with_shapes(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> Model:
    """The model with inputs of these shapes."""
    inputs = tuple(replace(entry, shape=shapes[entry.name]) for entry in model.inputs)
    return replace(model, inputs=inputs)


def whole_numbers(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Integer input -> n: with inputs of these shapes it may say any place from 0 to n - 1."""
    known = infer(with_shapes(model, shapes)).shapes
    consumers = model.consumers()

    def limits(value: str) -> Iterator[int]:
        for layer in consumers.get(value, []):
            place = ops.index_place(layer.operator)
            if place is not None and layer.inputs[place] == value:
                yield _places(layer, known)
            elif isinstance(layer.operator, KEEPS) and layer.inputs[0] == value:
                for output in layer.outputs:
                    yield from limits(output)

    return {e.name: max(min(limits(e.name), default=DEFAULT), 1) for e in model.inputs if e.integer}


@record(frozen=True, slots=True)
class Regions:
    """What rows (image, left, top, right, bottom) of an input may say, in pixels of the image."""

    images: int
    height: float
    width: float


def regions(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Regions]:
    """Graph input -> what its rows may say, of those whose rows name regions of a pooling."""
    known = infer(with_shapes(model, shapes)).shapes
    makers = model.producers()
    found: dict[str, Regions] = {}
    for layer in model.layers:
        if not isinstance(layer.operator, ops.RoiMaxPool):
            continue
        value, x = layer.inputs[1], known[layer.inputs[0]]
        while value in makers and isinstance(makers[value].operator, KEEPS):
            value = makers[value].inputs[0]
        if value in shapes and x is not None:
            images, _, *sizes = map(_number, x)
            height, width = (size / layer.operator.scale for size in sizes)
            found.setdefault(value, Regions(images, height, width))
    return found


def _places(layer: Layer, shapes: Mapping[str, Shape | None]) -> int:
    x, y = shapes[layer.inputs[0]], shapes[layer.outputs[0]]
    match layer.operator:
        case ops.Embedding(entries=entries):
            return entries
        case ops.Gather(axis=axis) if x is not None:
            return _number(x[axis])
        case ops.Unpool() if y is not None:
            return prod(map(_number, y[2:]))
    return DEFAULT


def _number(size: Size) -> int:
    return size if isinstance(size, int) else DEFAULT
