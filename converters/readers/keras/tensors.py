"""A layer's variables as weights of the representation: lazy, in its own axis order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.tensors import ArrayData, Filler, Weight, missing
from upconv.converters.readers.files.hdf5 import Dataset
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.lowering import KerasLayer, Step

Shape: TypeAlias = tuple[Size | None, ...]
Reshaping: TypeAlias = Callable[[tuple[int, ...]], tuple[int, ...]]
Arrange: TypeAlias = Callable[[Any], Any]

INITIALIZERS = {"zeros": 0.0, "ones": 1.0, "zero": 0.0, "one": 1.0}


@dataclass(frozen=True, slots=True)
class Variable:
    """What a layer expects of a variable: its name, its shape as Keras has it (None for sizes that
    are not known), and the member that names its initializer."""

    name: str
    shape: Shape
    initializer: str


def weight(
    layer: KerasLayer,
    step: Step,
    variable: Variable,
    shape: Reshaping | None = None,
    arrange: Arrange | None = None,
    key: str = "",
) -> Weight:
    """The variable as a weight. `arrange` makes Keras's array into the representation's, and
    `shape` its shape into the new one. Uses of one layer share one weight.

    Raises UnreadableError where the stored shape cannot belong to the layer.
    """
    found = layer.arrays.get(variable.name)
    known = tuple(size for size in variable.shape if isinstance(size, int))
    expected = known if len(known) == len(variable.shape) else None
    reshaped: Reshaping = shape or (lambda old: old)
    if found is None:
        return missing(reshaped(expected) if expected else None, _filler(layer, variable))
    _require_shape(layer, variable, found)
    cache = step.work.weights
    entry = (found.path, key or variable.name)
    if entry not in cache:
        cache[entry] = _present(found, reshaped(found.shape), arrange)
    return cache[entry]


def _present(found: Dataset, shape: tuple[int, ...], arrange: Arrange | None) -> Weight:
    if arrange is None:
        return Weight(shape, found)
    turn = arrange
    return Weight(shape, ArrayData(shape, lambda: turn(found.array())))


def _require_shape(layer: KerasLayer, variable: Variable, found: Dataset) -> None:
    pairs = zip(found.shape, variable.shape, strict=False)
    fits = len(found.shape) == len(variable.shape) and all(
        want == have for have, want in pairs if isinstance(want, int)
    )
    if not fits:
        wanted = "x".join("?" if size is None else str(size) for size in variable.shape)
        has = "x".join(map(str, found.shape)) or "a scalar"
        raise layer.invalid(
            f"its {variable.name} has shape {has} in {found.path}, it needs {wanted}",
            hint="the weights belong to another version of this model",
        )


def _filler(layer: KerasLayer, variable: Variable) -> Filler:
    """How Keras would initialise the variable, constants in Caffe's word."""
    given = layer.config.get(variable.initializer)
    settings = given.object("config") if isinstance(given, JsonObject) else None
    name = given.text("class_name") if isinstance(given, JsonObject) else str(given or "")
    word = name.lower()
    if word in INITIALIZERS:
        return Filler("constant", INITIALIZERS[word])
    value = settings.get("value") if settings else None
    if word == "constant" and isinstance(value, int | float):
        return Filler("constant", float(value))
    return Filler(name or "unknown", declared=bool(name))


def transposed(order: Sequence[int]) -> tuple[Reshaping, Arrange]:
    """(shape function, array function) that put axis order[i] at place i."""
    axes = tuple(order)
    return (
        lambda shape: tuple(shape[axis] for axis in axes),
        lambda values: values.transpose(axes),
    )


def kernel_order(axes: int) -> tuple[int, ...]:
    """(k..., a, b) -> (b, a, k...): of a convolution (k..., in, out) to (out, in, k...), of a
    transposed one (k..., out, in) to (in, out, k...).

    >>> kernel_order(2)
    (3, 2, 0, 1)
    """
    return (axes + 1, axes, *range(axes))


def depthwise(axes: int) -> tuple[Reshaping, Arrange]:
    """(k..., in, multiplier) -> (in * multiplier, 1, k...): output channel in * multiplier + m."""

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        return (old[-2] * old[-1], 1, *old[:axes])

    def values(array: Any) -> Any:
        turned = array.transpose((axes, axes + 1, *range(axes)))
        return turned.reshape(shape(array.shape))

    return shape, values


def flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the same values in one axis."""
    return (prod(shape),)
