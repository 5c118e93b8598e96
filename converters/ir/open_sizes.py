"""Models with symbols for sizes: those the file does not say, or all spatial ones of the inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from upconv.converters.ir.dims import Dim, Size, symbol
from upconv.converters.ir.model import Model, ModelInput, Shape

AXES: Final = ("N", "C", "H", "W")
"""What an input of unknown shape is taken to have: Caffe's layout for images."""

SPATIAL: Final = {3: ("W",), 4: ("H", "W"), 5: ("D", "H", "W")}
"""Number of axes -> the names of the spatial ones."""


NO_SIZES: Final = ("N", "C")
"""The letters of open batches and channels, which are no sizes of an image."""


def with_unknown_sizes(model: Model) -> Model:
    """The model with symbols for the shapes its file does not say (a database's, a Python
    layer's), each input with symbols of its own.

    >>> model = Model("net", "", "caffe", (ModelInput("data", None),), (), ())
    >>> [str(size) for size in with_unknown_sizes(model).inputs[0].shape]
    ['data_N', 'data_C', 'data_H', 'data_W']
    """
    if model.framework == "python":
        return model  # its calls may work on anything
    if all(entry.shape is not None for entry in model.inputs):
        return model
    inputs = tuple(
        entry if entry.shape is not None else replace(entry, shape=_unknown(entry.name))
        for entry in model.inputs
    )
    return replace(model, inputs=inputs)


def _unknown(name: str) -> Shape:
    return tuple(symbol(f"{name}_{axis}") for axis in AXES)


def image_letters(inputs: Iterable[ModelInput]) -> dict[str, Shape]:
    """Input -> the letters of its spatial axes, D, H and W, for every input that holds images.
    Inputs of one size share them; the others' have the input's number behind them.

    >>> pair = ModelInput("a", (1, 3, 8, 8)), ModelInput("b", (1, 3, 4, 4)), ModelInput("c", (1, 9))
    >>> {name: [str(one) for one in letters] for name, letters in image_letters(pair).items()}
    {'a': ['H', 'W'], 'b': ['H1', 'W1']}
    """
    letters: dict[str, Shape] = {}
    known: dict[Shape, Shape] = {}
    for index, entry in enumerate(inputs):
        spatial = _spatial(entry)
        if spatial:
            names = SPATIAL[len(spatial) + 2]
            fresh = tuple(symbol(f"{name}{index or ''}") for name in names)
            letters[entry.name] = known.setdefault(spatial, fresh)
    return letters


def with_image_letters(entry: ModelInput, letters: Shape, *, numbers: bool = True) -> Shape | None:
    """The shape of an input with these letters for its spatial sizes, all of them, or but for
    `numbers` those that are open in the file; an open batch is N, open channels are C."""
    if entry.shape is None:
        return None
    batch, channels, *spatial = entry.shape
    sizes: list[Size] = [
        letter if numbers or isinstance(size, Dim) else size
        for size, letter in zip(spatial, letters, strict=True)
    ]
    return (
        symbol("N") if isinstance(batch, Dim) else batch,
        symbol("C") if isinstance(channels, Dim) else channels,
        *sizes,
    )


def with_free_sizes(model: Model) -> Model | None:
    """The model with the symbols H and W (D, W) for its inputs' spatial sizes.

    None where these are not all of one size, so that no two symbols stand for them, or where no
    input has spatial axes.
    """
    sizes = {_spatial(entry) for entry in model.inputs}
    if None in sizes or len(sizes - {()}) != 1:
        return None
    return replace(model, inputs=tuple(_freed(entry) for entry in model.inputs))


def _spatial(entry: ModelInput) -> Shape | None:
    """The spatial sizes; () where there are none, or a 1x1 blob stands for a vector."""
    if entry.shape is None:
        return None
    spatial = entry.shape[2:]
    return () if len(entry.shape) not in SPATIAL or set(spatial) == {1} else spatial


def _freed(entry: ModelInput) -> ModelInput:
    if not entry.shape or not _spatial(entry):
        return entry
    names = SPATIAL[len(entry.shape)]
    return replace(entry, shape=(*entry.shape[:2], *(symbol(name) for name in names)))
