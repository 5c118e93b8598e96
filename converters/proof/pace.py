"""How far a proof has come, and how long the rest of it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.proof.places import with_shapes

Announce = Callable[[str], None]

OTHERS: Final = 16
"""What a value costs that is no sum of products with weights, in multiplications."""

PATIENCE: Final = 2.0
"""Seconds before a guess at what is left is worth something."""


Known: TypeAlias = Mapping[str, Shape | None]
"""Value -> its shape, None where it is not known."""


def known_shapes(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> Known:
    """The shapes of a model's values on inputs of these."""
    return infer(with_shapes(model, shapes)).shapes


def layer_costs(model: Model, known: Known) -> dict[str, float]:
    """Layer -> multiplications, as far as its shapes are known."""
    return {layer.name: _cost(layer, known.get(layer.outputs[0])) for layer in model.layers}


def run_costs(model: Model, stimuli: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """Stimulus -> multiplications of a run on it; shapes are inferred once for each size."""
    found: dict[tuple[Any, ...], float] = {}
    for feeds in stimuli.values():
        if sizes_of(feeds) not in found:
            known = known_shapes(model, {name: x.shape for name, x in feeds.items()})
            found[sizes_of(feeds)] = sum(layer_costs(model, known).values())
    return {stimulus: found[sizes_of(feeds)] for stimulus, feeds in stimuli.items()}


def sizes_of(feeds: Mapping[str, NDArray[Any]]) -> tuple[Any, ...]:
    """What is equal for inputs of the same shapes."""
    return tuple((name, feeds[name].shape) for name in sorted(feeds))


def _cost(layer: Layer, shape: Shape | None) -> float:
    values = prod(size for size in shape or () if isinstance(size, int))
    weight = layer.weights.get("weight")
    depth = OTHERS if weight is None or not weight.shape else prod(weight.shape[1:])
    return float(values * max(depth, 1))


@dataclass(slots=True)
class Pace:
    """Counts work of known size, and says what is done, how long it took and what is left.

    >>> said = []
    >>> Pace(said.append, 10.0).tell("weights")
    >>> said
    ['weights']
    """

    announce: Announce
    total: float
    done: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def step(self, work: float) -> None:
        self.done += work

    def tell(self, message: str) -> None:
        """Say what begins now."""
        passed = time.monotonic() - self.started
        share = min(self.done / self.total, 1.0) if self.total else 0.0
        if passed < PATIENCE or not share:
            self.announce(message)
            return
        left = passed / share - passed
        self.announce(f"{message}, {passed:.0f} s so far, about {left:.0f} s left")
