"""What a call's operator needs of its surroundings, and what is made of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Filler, Weight, missing

AXES: Final = {1: ("W",), 2: ("H", "W"), 3: ("D", "H", "W")}
INITIAL: Final = Filler("uniform")
"""PyTorch and Keras start at random where nothing else is said: Kaiming's and Glorot's ranges."""


@dataclass(frozen=True, slots=True)
class Made:
    """An operator made of a call, and what the call says of its first input.

    `shape` is None where it says nothing. `final`: the number of channels is not known and the
    operator's is a placeholder, so that nothing may be connected behind it.
    """

    operator: Operator
    weights: Mapping[str, Weight] = field(default_factory=dict)
    shape: tuple[Size, ...] | None = None
    inputs: int = 1
    final: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator goes: the value it reads, and that value's shape where it is known; `notes`
    say what was assumed of that shape."""

    x: str
    shape: tuple[Size, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def axes(self) -> int | None:
        """The number of spatial axes, None where it is not known."""
        return None if self.shape is None or len(self.shape) < 3 else len(self.shape) - 2


def open_shape(channels: Size | None, axes: int) -> tuple[Size, ...]:
    """(N, C, spatial...) with symbols for what is open."""
    known = symbol("C") if channels is None else channels
    return (symbol("N"), known, *(symbol(name) for name in AXES[axes]))


def unknown_weights(shape: tuple[int, ...] | None, bias: bool, channels: int) -> dict[str, Weight]:
    """A weight, and a bias (channels), that start at random. Channels count where a shape is
    known."""
    weights = {"weight": missing(shape, INITIAL)}
    if bias:
        weights["bias"] = missing(None if shape is None else (channels,), INITIAL)
    return weights
