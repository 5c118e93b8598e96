"""Weights in another order of axes than their file's, without reading them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

from upconv.converters.ir.tensors import ArrayData, Filler, TensorData, Weight

Ints: TypeAlias = tuple[int, ...]
Order: TypeAlias = tuple[Callable[[Ints], Ints], Callable[[Any], Any]]
"""(shape in the file -> shape of the weight, array of the file -> array of the weight)."""


FLAT: Order = (lambda shape: (prod(shape),), lambda values: values.reshape(-1))
"""All values in one axis."""


CONSTANTS = {"zeros": 0.0, "ones": 1.0, "zero": 0.0, "one": 1.0}
"""Initializers of Keras and MXNet that are a constant."""


def filler_of(name: str, value: object) -> Filler:
    """An initializer of Keras's or MXNet's, constants in Caffe's word; `value` is its setting."""
    word = name.lower()
    if word in CONSTANTS:
        return Filler("constant", CONSTANTS[word])
    if word == "constant" and isinstance(value, int | float):
        return Filler("constant", float(value))
    return Filler(name or "unknown", declared=bool(name))


def repeated(times: int) -> Order:
    """Every value so many times in a row: those of groups for each of their channels."""
    return (lambda shape: (prod(shape) * times,), lambda values: values.repeat(times))


def laid_out(data: TensorData, order: Order) -> Weight:
    """The stored tensor in that order, as a view that is made when it is used."""
    shape_of, arrange = order
    shape = shape_of(data.shape)
    return Weight(shape, ArrayData(shape, lambda: arrange(data.array())))


def transposed(axes: Sequence[int]) -> Order:
    """Axis axes[i] at place i."""
    order = tuple(axes)
    return (
        lambda shape: tuple(shape[axis] for axis in order),
        lambda values: values.transpose(order),
    )


def flipped(order: Order, axes: int) -> Order:
    """The order, then every one of the last `axes` axes backwards."""
    shape_of, arrange = order
    turned = (..., *(slice(None, None, -1),) * axes)
    return shape_of, lambda values: arrange(values)[turned]


def kernel_order(axes: int) -> Ints:
    """(k..., a, b) -> (b, a, k...): of a convolution (k..., in, out) to (out, in, k...), of a
    transposed one (k..., out, in) to (in, out, k...).

    >>> kernel_order(2)
    (3, 2, 0, 1)
    """
    return (axes + 1, axes, *range(axes))


def depthwise(axes: int) -> Order:
    """(k..., in, multiplier) -> (in * multiplier, 1, k...): output channel in * multiplier + m."""

    def shape(old: Ints) -> Ints:
        return (old[-2] * old[-1], 1, *old[:axes])

    def values(array: Any) -> Any:
        turned = array.transpose((axes, axes + 1, *range(axes)))
        return turned.reshape(shape(array.shape))

    return shape, values
