"""Arrays of few values without NumPy, whose import takes longer than a small file is read.

Functions and methods mean what NumPy's of that name mean, to the bit. Where that takes more than
Python's own arithmetic (transcendental functions, other types mixed, numbers that wrap or divide by
zero, many values) they raise TooHardError, and NumPy does it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import chain
from math import ceil, copysign, floor, isfinite, isnan, prod, sqrt
from struct import calcsize, pack, unpack
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST: Final = 1 << 10
"""Values of one array: beyond, NumPy is faster, its import included."""

LETTERS: Final[Mapping[str, str]] = {
    **{"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f2": "e", "f4": "f", "f8": "d"},
}
"""Element types by NumPy's names, and `struct`'s letters."""

_NUMBERS: Final = "fiu"
_WHOLE: Final = "iu"

_EXACT: Final = 1 << 53
"""Whole numbers below this are exact as Python's floats."""


class TooHardError(Exception):
    """NumPy is to do it."""


@record(frozen=True, slots=True)
class Type:
    """An element type by NumPy's name without the order of bytes; "O" for Python's objects."""

    code: str

    @property
    def kind(self) -> str:
        return self.code[0]


@record(frozen=True, slots=True, eq=False)
class Few:
    """An array of few values, in the order of its rows."""

    items: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: Type

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return len(self.items)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        import numpy as np

        made = np.empty(len(self.items), self.dtype.code)
        made[:] = self.items
        return made.reshape(self.shape).astype(dtype or made.dtype, copy=False)

    def tolist(self) -> Any:
        """The values in lists of lists, of an array without axes the value itself."""
        found: list[Any] = list(self.items)
        for axis in range(self.ndim - 1, 0, -1):
            size, rows = self.shape[axis], prod(self.shape[:axis])
            found = [found[row * size : (row + 1) * size] for row in range(rows)]
        return found if self.shape else found[0]

    def any(self) -> bool:
        return any(self.items)

    def all(self) -> bool:
        return all(self.items)

    def reshape(self, *shape: Any) -> Few:
        (wanted,) = shape if len(shape) == 1 and isinstance(shape[0], list | tuple) else (shape,)
        sizes = [operator.index(size) for size in wanted]
        if sizes.count(-1) == 1:
            known = prod(size for size in sizes if size != -1)
            sizes[sizes.index(-1)] = len(self.items) // known if known > 0 else -1
        if min(sizes, default=0) < 0 or prod(sizes) != len(self.items):
            raise ValueError(f"{len(self.items)} values in the shape {tuple(wanted)}")
        return Few(self.items, tuple(sizes), self.dtype)

    def transpose(self, *order: Any) -> Few:
        listed = order[0] if len(order) == 1 and not isinstance(order[0], int) else order
        axes = _axes(listed or range(self.ndim)[::-1], self.ndim)
        if len(axes) != self.ndim:
            raise ValueError(f"{len(axes)} axes of {self.ndim}")
        offsets = _offsets(self.shape)
        return self._picked([offsets[axis] for axis in axes], [self.shape[axis] for axis in axes])

    def squeeze(self, axis: Any = None) -> Few:
        ones = [at for at, size in enumerate(self.shape) if size == 1]
        gone = ones if axis is None else _axes([axis] if isinstance(axis, int) else axis, self.ndim)
        if not set(gone) <= set(ones):
            raise ValueError(f"axes {gone} of the shape {self.shape} are not of size 1")
        return self.reshape([size for at, size in enumerate(self.shape) if at not in gone])

    def take(self, indices: Any, axis: int) -> Few:
        """Entries of an axis by their numbers; the axes of `indices` take its place."""
        (axis,) = _axes([axis], self.ndim)
        picked = indices if isinstance(indices, Few) else Few((indices,), (), Type("i8"))
        places = [_index(item, self.shape[axis]) for item in picked.items]
        offsets = _offsets(self.shape)
        offsets[axis] = [offsets[axis][place] for place in places]
        return self._picked(offsets, self.shape[:axis] + picked.shape + self.shape[axis + 1 :])

    def __getitem__(self, index: tuple[Any, ...]) -> Few:
        offsets, shape, axis = _offsets(self.shape), [], 0  # type: list[list[int]], list[int], int
        for item in index:
            if item is None:
                shape.append(1)
                continue
            if isinstance(item, slice):
                offsets[axis] = offsets[axis][item]
                shape.append(len(offsets[axis]))
            else:
                offsets[axis] = [offsets[axis][_index(item, self.shape[axis])]]
            axis += 1
        return self._picked(offsets, [*shape, *self.shape[axis:]])

    def _picked(self, offsets: Iterable[Sequence[int]], shape: Sequence[int]) -> Few:
        """The values at every sum of one offset of each axis."""
        places = [0]
        for axis in offsets:
            if len(places) * len(axis) > MOST:
                raise TooHardError
            places = [place + offset for place in places for offset in axis]
        return Few(tuple(self.items[place] for place in places), tuple(shape), self.dtype)

    def astype(self, dtype: str) -> Few:
        code = code_of(dtype)
        if code == self.dtype.code:
            return self
        if code == "O":
            return Few(self.items, self.shape, Type(code))
        if code not in LETTERS:
            raise TooHardError
        return made(map(_CASTS[code[0]], self.items), self.shape, code)


def made(items: Iterable[Any], shape: Sequence[int], code: str) -> Few:
    """An array of computed numbers, rounded to a type of floats; none of whole numbers wraps."""
    found = tuple(items)
    if len(found) > MOST:
        raise TooHardError
    if code[0] in _NUMBERS:
        layout = f"<{len(found)}{LETTERS[code]}"
        try:
            found = unpack(layout, pack(layout, *found))
        except (struct_error, OverflowError):
            raise TooHardError from None
    elif code == "b1":
        found = tuple(map(bool, found))
    return Few(found, tuple(shape), Type(code))


def code_of(dtype: str) -> str:
    """A type by NumPy's name, without the order of its bytes.

    >>> code_of("<f4"), code_of("|b1")
    ('f4', 'b1')
    """
    return dtype.lstrip("<|")


def of_bytes(data: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> Few:
    """An array from its little-endian bytes."""
    code = code_of(dtype)
    letter = LETTERS[code]
    return Few(unpack(f"<{len(data) // calcsize(letter)}{letter}", data), shape, Type(code))


def _offsets(shape: Sequence[int]) -> list[list[int]]:
    """Of each axis how far its entries are from its first."""
    steps = [prod(shape[at + 1 :]) for at in range(len(shape))]
    return [[at * step for at in range(size)] for size, step in zip(shape, steps, strict=True)]


def _axes(axes: Iterable[int], rank: int) -> list[int]:
    found = [_index(axis, rank) for axis in axes]
    if len(set(found)) < len(found):
        raise ValueError("an axis is named twice")
    return found


def _index(number: Any, size: int) -> int:
    place = operator.index(number)
    if not -size <= place < size:
        raise IndexError(f"entry {place} of {size}")
    return place % size


def _whole(item: Any) -> int:
    if isinstance(item, float) and not isfinite(item):
        raise TooHardError
    return int(item)


def _real(item: Any) -> float:
    if isinstance(item, int) and abs(item) >= _EXACT:
        raise TooHardError
    return float(item)


_CASTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **{"f": _real, "i": _whole, "u": _whole, "b": bool},
}


# Several arrays


def joint_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """What NumPy's rule makes of shapes: from the last axis on, a size of 1 is repeated.

    >>> joint_shape((2, 1), (3,))
    (2, 3)
    """
    rank = max(map(len, shapes), default=0)
    columns = zip(*((1,) * (rank - len(one)) + tuple(one) for one in shapes), strict=True)
    return tuple(map(_joint, columns))


def _joint(sizes: tuple[int, ...]) -> int:
    found = set(sizes) - {1}
    if len(found) > 1:
        raise ValueError(f"axes of the sizes {sizes} are combined")
    return found.pop() if found else 1


def broadcast_to(x: Few, shape: Sequence[int]) -> Few:
    """The array repeated along its axes of size 1."""
    if joint_shape(x.shape, shape) != tuple(shape):
        raise ValueError(f"{x.shape} repeated to {tuple(shape)}")
    own = (1,) * (len(shape) - x.ndim) + x.shape
    rows = zip(_offsets(own), own, shape, strict=True)
    return x._picked([row if old == new else row * new for row, old, new in rows], shape)


def concatenate(arrays: Sequence[Few], axis: int) -> Few:
    """Arrays of one type behind each other along an axis."""
    if not arrays:
        raise ValueError("there is nothing to join")
    (code,) = _codes(arrays)
    (axis,) = _axes([axis], arrays[0].ndim)
    rests = {(*one.shape[:axis], *one.shape[axis + 1 :]) for one in arrays}
    if len(rests) > 1:
        raise ValueError("joined arrays differ in another axis")
    front = arrays[0].shape[:axis]
    shape = (*front, sum(one.shape[axis] for one in arrays), *arrays[0].shape[axis + 1 :])
    rows = max(prod(front), 1)
    sizes = [one.size // rows for one in arrays]
    parts = (
        one.items[row * size : (row + 1) * size]
        for row in range(rows)
        for one, size in zip(arrays, sizes, strict=True)
    )
    return made(chain.from_iterable(parts), shape, code)


def _codes(arrays: Sequence[Few]) -> set[str]:
    """The one type of arrays."""
    found = {one.dtype.code for one in arrays}
    if len(found) != 1:
        raise TooHardError
    return found


def mapped(compute: Callable[..., Any], arrays: Sequence[Few], code: str) -> Few:
    """A function of the values at each place, arrays repeated along axes of size 1."""
    shape = joint_shape(*(one.shape for one in arrays))
    rows = [broadcast_to(one, shape).items for one in arrays]
    return made(map(compute, *rows), shape, code)


def where(condition: Few, yes: Few, no: Few) -> Few:
    """Values of `yes` where the condition holds, else of `no`."""
    (code,) = _codes([yes, no])
    return mapped(lambda test, a, b: a if test else b, [condition, yes, no], code)


# Arithmetic


def _without_nan(compute: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*items: Any) -> Any:
        if any(isinstance(item, float) and isnan(item) for item in items):
            raise TooHardError
        return compute(*items)

    return checked


def _by_a_number(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Where the divisor is 0, or a float has no end, NumPy knows what is meant."""

    def checked(a: Any, b: Any) -> Any:
        if b == 0 or not (isfinite(a) and isfinite(b)):
            raise TooHardError
        return compute(a, b)

    return checked


def _to_zero(a: int, b: int) -> int:
    """A quotient of whole numbers, rounded to zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **{"equal": operator.eq, "not_equal": operator.ne, "greater": operator.gt},
    **{"greater_equal": operator.ge, "less": operator.lt, "less_equal": operator.le},
}
_BINARY: Final[Mapping[str, tuple[str, Callable[[Any, Any], Any]]]] = {
    "add": (_NUMBERS, operator.add),
    "subtract": (_NUMBERS, operator.sub),
    "multiply": (_NUMBERS, operator.mul),
    "true_divide": ("f", _by_a_number(operator.truediv)),
    "floor_divide": (_WHOLE, _by_a_number(operator.floordiv)),
    "mod": (_WHOLE, _by_a_number(operator.mod)),
    "maximum": (_NUMBERS, _without_nan(max)),
    "minimum": (_NUMBERS, _without_nan(min)),
    "logical_and": ("b", lambda a, b: a and b),
    "logical_or": ("b", lambda a, b: a or b),
}
"""Operation -> kinds of numbers on which it is exact in Python, and how."""


def binary(name: str, a: Few, b: Few) -> Few:
    """One of NumPy's functions of two arrays, or "divide", which rounds whole numbers to zero."""
    (code,) = _codes([a, b])
    if name in _COMPARISONS and code != "O":
        return mapped(_COMPARISONS[name], [a, b], "b1")
    kinds, compute = _BINARY.get(name, ("", operator.add))
    if name == "divide":
        quotient = code[0] in _WHOLE
        kinds, compute = _NUMBERS, _by_a_number(_to_zero if quotient else operator.truediv)
    if code[0] not in kinds:
        raise TooHardError
    return mapped(compute, [a, b], code)


def _root(item: float) -> float:
    if not item >= 0:
        raise TooHardError
    return sqrt(item)


def _rounded(compute: Callable[[float], int]) -> Callable[[Any], Any]:
    """Of a float another one, which keeps the sign of a zero."""

    def rounded(item: Any) -> Any:
        return copysign(float(compute(item)), item) if isfinite(item) else item

    return rounded


_UNARY: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "negative": ("fi", operator.neg),
    "absolute": (_NUMBERS, abs),
    "square": (_NUMBERS, lambda item: item * item),
    "sqrt": ("f", _root),
    "reciprocal": ("f", lambda item: _by_a_number(operator.truediv)(1.0, item)),
    "floor": ("f", _rounded(floor)),
    "ceil": ("f", _rounded(ceil)),
    "round": ("f", _rounded(round)),
    "relu": (_NUMBERS, _without_nan(lambda item: max(item, 0))),
    "logical_not": ("b", operator.not_),
    "zeros_like": ("fiub", lambda item: type(item)(0)),
    "ones_like": ("fiub", lambda item: type(item)(1)),
}


def unary(name: str, x: Few) -> Few:
    """One of NumPy's functions of each value."""
    kinds, compute = _UNARY.get(name, ("", operator.neg))
    if x.dtype.kind not in kinds:
        raise TooHardError
    return mapped(compute, [x], x.dtype.code)


_REDUCTIONS: Final[Mapping[str, tuple[str, Callable[[Any, Any], Any], Any]]] = {
    "sum": ("iO", operator.add, 0),
    "prod": ("iO", operator.mul, 1),
    "max": (_NUMBERS, _without_nan(max), None),
    "min": (_NUMBERS, _without_nan(min), None),
    "all": ("b", lambda a, b: a and b, True),
    "any": ("b", lambda a, b: a or b, False),
}
"""Reduction -> kinds on which it is exact, how, and what is made of no values."""


def reduced(name: str, x: Few, axes: Sequence[int], *, keepdims: bool) -> Few:
    """Sums, products ... along axes."""
    kinds, compute, empty = _REDUCTIONS.get(name, ("", operator.add, None))
    gone = _axes(axes, x.ndim)
    kept = [axis for axis in range(x.ndim) if axis not in gone]
    many = prod(x.shape[axis] for axis in gone)
    if x.dtype.kind not in kinds or (empty is None and not many):
        raise TooHardError
    ordered = x.transpose([*kept, *gone]).items if x.ndim else x.items
    rows = [ordered[at : at + many] for at in range(0, len(ordered), many or 1)]
    if not many:
        rows = [()] * prod(x.shape[axis] for axis in kept)
    items = [reduce(compute, row) if row else empty for row in rows]
    wide = "i8" if name in ("sum", "prod") and x.dtype.kind == "i" else x.dtype.code
    sizes = [(1,) * keepdims if axis in gone else (n,) for axis, n in enumerate(x.shape)]
    return made(items, tuple(chain.from_iterable(sizes)), wide)
