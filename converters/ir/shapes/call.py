"""What shape functions are asked with, their table, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.records import record
from upconv.converters.ir.registry import OperatorTable

Shape: TypeAlias = tuple[Size, ...]


@record(frozen=True, slots=True)
class InputShapes:
    """What a shape function is asked with: the shapes of the inputs, how many outputs the layer
    has, and how to turn `like(tensor, axis)` into that tensor's size."""

    inputs: tuple[Shape, ...]
    outputs: int
    resolve: Callable[[Size], Size]

    @property
    def x(self) -> Shape:
        return self.inputs[0]


ShapeFunction: TypeAlias = Callable[[Any, InputShapes], tuple[Shape, ...]]
SHAPES: OperatorTable[ShapeFunction] = OperatorTable("shape")


def provably_differ(left: Size, right: Size) -> bool:
    """Whether two sizes differ whatever their symbols are: by a number, all else being equal.

    >>> from upconv.converters.ir.dims import symbol
    >>> provably_differ(3, 4), provably_differ(symbol("H"), symbol("W"))
    (True, False)
    """
    if isinstance(left, int) or isinstance(right, int):
        return isinstance(left, int) and isinstance(right, int) and left != right
    if left.constant == right.constant or len(left.terms) != len(right.terms):
        return False
    return left.terms == right.terms or dict(left.terms) == dict(right.terms)


def normalized_axis(axis: int, rank: int) -> int:
    """The axis counted from the front; ShapeError where the input has no such axis."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} of an input with {rank} axes", "axis")
    return axis % rank


def require_spatial(shape: Shape, axes: int) -> None:
    """Raise ShapeError where an input has not batch, channels and this many spatial axes."""
    if len(shape) != axes + 2:
        raise ShapeError(
            f"works on {axes} spatial axes, so its input needs {axes + 2} axes (N, C, ...), "
            f"but has {len(shape)}: {text_of(shape)}",
            "rank",
        )


def require_axes(shape: Shape, least: int) -> None:
    """Raise ShapeError where an input has fewer axes."""
    if len(shape) < least:
        raise ShapeError(f"needs an input of {least} axes or more, but has {len(shape)}", "rank")


def text_of(shape: Sequence[Size]) -> str:
    """A shape as people write it.

    >>> text_of((1, 3, 500, 500))
    '1x3x500x500'
    """
    return "x".join(str(size) if isinstance(size, int) else f"({size})" for size in shape)


def channels_last(shape: Shape) -> Shape:
    """(N, C, spatial...) as (N, spatial..., C).

    >>> channels_last((1, 3, 5, 7))
    (1, 5, 7, 3)
    """
    return (shape[0], *shape[2:], shape[1]) if len(shape) > 2 else shape


def with_spatial(batch: Size, channels: Size, spatial: Sequence[Size], what: str) -> Shape:
    """(N, C, spatial...); ShapeError where a size is provably 0 or less."""
    shape = (batch, channels, *spatial)
    for axis, size in enumerate(spatial):
        if isinstance(size, int) and size <= 0:
            name = _axis_name(axis, len(spatial))
            raise ShapeError(f"{what} gives {name} {size}", "non_positive", (shape,))
    return shape


def _axis_name(axis: int, axes: int) -> str:
    names = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}
    return names[axes][axis] if axes in names else f"spatial axis {axis}"


def require_groups(channels: Size, groups: int, out_channels: int) -> None:
    """Raise ShapeError where channels cannot be divided into the groups."""
    if groups < 1:
        raise ShapeError(f"{groups} groups", "channels")
    if isinstance(channels, int) and channels % groups:
        raise ShapeError(
            f"{channels} input channels do not divide into {groups} groups", "channels"
        )
    if out_channels % groups:
        message = f"{out_channels} output channels do not divide into {groups} groups"
        raise ShapeError(message, "channels")


def require_same(shapes: Sequence[Shape], names: Sequence[str], guess: Shape) -> None:
    """Raise ShapeError where a shape provably differs from the first one."""
    first = shapes[0]
    for name, shape in zip(names[1:], shapes[1:], strict=True):
        if len(first) != len(shape) or any(map(provably_differ, first, shape)):
            message = f"{names[0]} has {text_of(first)}, {name} has {text_of(shape)}"
            raise ShapeError(message, "merge", (guess,))


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """The one shape of shapes aligned at their last axis, where sizes of 1 are repeated.

    Raises ShapeError where two sizes differ and neither is 1.

    >>> broadcast_shape(((2, 8, 1, 1), (8, 5, 7)))
    (2, 8, 5, 7)
    """
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*aligned, strict=True))
    for index, shape in enumerate(aligned):
        if any(n != 1 and provably_differ(n, m) for n, m in zip(shape, result, strict=True)):
            message = f"input {index} has {text_of(shapes[index])}, the others {text_of(result)}"
            raise ShapeError(message, "merge", (result,))
    return result
