"""Layers one after the other, from a layer's input to its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Weight

Step: TypeAlias = tuple[str, Operator, Mapping[str, Weight]]


def chain(layer: Layer, steps: Sequence[Step]) -> tuple[Layer, ...]:
    """The steps in the layer's place; the last bears its name and writes its output. Every step may
    take sizes from what the layer reads besides."""
    made: list[Layer] = []
    x, others = layer.inputs[0], layer.inputs[1:]
    for index, (what, operator, weights) in enumerate(steps):
        last = index == len(steps) - 1
        name = layer.name if last else f"{layer.name}/{index}/{what}"
        output = layer.outputs[0] if last else f"{layer.outputs[0]}/{index}/{what}"
        inputs = (x, *others)
        made.append(replace(layer, name=name, operator=operator, inputs=inputs,
                            outputs=(output,), weights=weights))  # fmt: skip
        x = output
    return tuple(made)
