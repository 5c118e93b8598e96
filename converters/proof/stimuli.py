"""Inputs a verification runs on: seeded noise and impulses, of sizes that expose pixel errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.dims import Size, Symbol, evaluate, leaves
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.proof.places import Regions, regions, whole_numbers

Array = NDArray[np.float32]
Values = Array | NDArray[np.int64]

SPATIAL_SIZES = (
    (45, 61),
    (38, 50),
    (53, 37),
    (97, 71),
    (72, 104),
    (96, 160),
    (224, 288),
    (512, 384),
)
"""Sizes tried for dynamic spatial axes: odd and non-square first, then even, then multiples of 8 to
128."""

BATCH = 2
OTHER_BATCH = 1

IMPULSES = (1.0, -4.0, 16.0, -64.0, 64.0)
"""Sizes of the impulses at seeded places: of either sign and near those of image values, so that
a layer that saturates is driven to both of its ends; exp overflows float32 from 88.8 on."""


def fixed_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """Input name -> a shape of plain ints that the model accepts.

    Symbols of the first axis become a batch of two, the others the first of SPATIAL_SIZES for
    which no layer's shapes contradict each other.

    Raises UsageError where an input's shape is unknown, or no size fits.
    """
    for entry in model.inputs:
        if entry.shape is None:
            raise UsageError(
                f"the shape of the input '{entry.name}' is unknown",
                path=model.path,
                hint=f"give it, as in --input {entry.name}=1x3x224x224",
            )
    for shapes in _fitting(model, BATCH):
        return shapes
    raise UsageError(
        "no input size that was tried fits every layer",
        path=model.path,
        hint="give one with --input, as in --input data=1x3x224x224",
    )


def other_shapes(model: Model) -> dict[str, tuple[int, ...]] | None:
    """Of a dynamic model, shapes that differ from `fixed_shapes`, in the spatial axes where a
    second size fits: what is right at one size only is wrong. None where there are no others.
    """
    fitting = list(islice(_fitting(model, OTHER_BATCH), 2))
    return fitting[-1] if fitting and fitting[-1] != fixed_shapes(model) else None


def _fitting(model: Model, batch: int) -> Iterator[dict[str, tuple[int, ...]]]:
    """The shapes of inputs for each size at which no layer's shapes contradict each other."""
    for symbols in _assignments(model, batch):
        candidate = with_symbols(model, symbols)
        if not infer(candidate).errors:
            yield {
                entry.name: tuple(evaluate(size, {}) for size in entry.shape or ())
                for entry in candidate.inputs
            }


def with_symbols(model: Model, symbols: Mapping[str, int]) -> Model:
    """The model with its inputs' symbols replaced by numbers."""
    inputs = tuple(
        replace(entry, shape=tuple(evaluate(size, symbols) for size in entry.shape or ()))
        for entry in model.inputs
    )
    return replace(model, inputs=inputs)


def _assignments(model: Model, count: int) -> list[dict[str, int]]:
    batch: dict[str, None] = {}
    others: dict[str, None] = {}
    for entry in model.inputs:
        for axis, size in enumerate(entry.shape or ()):
            (batch if axis == 0 else others).update(dict.fromkeys(_names(size)))
    spatial = [name for name in others if name not in batch]
    if not spatial:
        return [dict.fromkeys(batch, count)]
    return [
        dict.fromkeys(batch, count) | {n: sizes[i % 2] for i, n in enumerate(spatial)}
        for sizes in SPATIAL_SIZES
    ]


def _names(size: Size) -> list[str]:
    return sorted(leaf.name for leaf in leaves(size) if isinstance(leaf, Symbol))


def stimuli(
    model: Model,
    shapes: Mapping[str, tuple[int, ...]],
    seed: int,
    others: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, dict[str, Values]]:
    """Everything a proof runs on: stimulus -> input -> values, channels first; noise also at
    `others`, where the model has more than one size. Integer inputs hold places that fit, and
    regions are some."""
    made: dict[str, dict[str, Values]] = {
        "noise": {**noise(shapes, seed), **_places(model, shapes, seed)},
        "impulses": {**impulses(shapes, seed), **_places(model, shapes, seed + 1)},
    }
    if others is None:
        return made
    return made | {
        "noise at another size": {**noise(others, seed), **_places(model, others, seed)},
    }


def _places(model: Model, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Values]:
    limits = whole_numbers(model, shapes)
    found: dict[str, Values] = {
        name: np.random.default_rng([seed, index]).integers(0, limit, shapes[name])
        for index, (name, limit) in enumerate(limits.items())
    }
    for index, (name, one) in enumerate(regions(model, shapes).items()):
        found[name] = _rows(one, shapes[name], np.random.default_rng([seed, index]))
    return found


def _rows(one: Regions, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Regions of any size, some of them beyond the border."""
    count = shape[0]
    images = rng.integers(0, one.images, count)
    sides = np.array([one.width, one.height])
    ends = rng.uniform(-0.1, 1.1, (2, count, 2)) * sides
    rows = np.column_stack([images, ends.min(axis=0), ends.max(axis=0)])
    return rows.astype(np.float32).reshape(shape)


def noise(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """Standard normal values, one stream per input."""
    return {
        name: np.random.default_rng([seed, index]).standard_normal(shape, dtype=np.float32)
        for index, (name, shape) in enumerate(shapes.items())
    }


def impulses(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """Ones at the corners of the first plane and IMPULSES at seeded places, zero elsewhere.

    A shift by one pixel moves an impulse whole, where a tolerance on noise may hide it.
    """
    result = {}
    for index, (name, shape) in enumerate(shapes.items()):
        values = np.zeros(shape, np.float32)
        if values.size:
            places = np.random.default_rng([seed, index]).integers(0, prod(shape), len(IMPULSES))
            values.reshape(-1)[places] = IMPULSES
            for corner in product(*((0, size - 1) for size in shape[2:])):
                values[(0,) * min(len(shape), 2) + corner] = 1
        result[name] = values
    return result
