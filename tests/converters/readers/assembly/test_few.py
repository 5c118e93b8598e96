"""Few values without NumPy: every operation makes of them what it makes of NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.assembly.folding import arrangement, elementwise
from upconv.converters.readers.assembly.folding.arrays import Array, folded, listed
from upconv.converters.readers.assembly.folding.few import Few, Type, code_of

TYPES = ("<f4", "<f8", "<f2", "<i8", "<i4", "|u1", "|b1")
_ELEMENTS: dict[str, Any] = {
    "f": st.floats(-1e4, 1e4, width=16) | st.sampled_from([0.0, -0.5, 2.5, 3.5, np.inf, -np.inf]),
    "i": st.integers(-100, 100) | st.sampled_from([-(1 << 31), (1 << 31) - 1]),
    "u": st.integers(0, 255),
    "b": st.booleans(),
}


def few_of(array: np.ndarray[Any, Any]) -> Few:
    """The values of an array without NumPy."""
    return Few(tuple(array.reshape(-1).tolist()), array.shape, Type(code_of(array.dtype.str)))


@st.composite
def pairs(draw: st.DrawFn, same: bool = False) -> list[np.ndarray[Any, Any]]:
    """Two arrays of a type, of shapes that are repeated to one, or of one shape."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    shape = draw(array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))
    elements = _ELEMENTS[dtype.kind]
    second = shape if same else tuple(n if draw(st.booleans()) else 1 for n in shape)
    return [draw(arrays(dtype, each, elements=elements)) for each in (shape, second)]


def same(compute: Callable[[list[Array]], Any], given: Sequence[np.ndarray[Any, Any]]) -> None:
    """Both ways make the same, or refuse the same."""

    def made(inputs: list[Array]) -> list[Array] | str:
        try:
            return folded("it", inputs, compute, UnreadableError)
        except UnreadableError:
            return "refused"

    ours, theirs = made([few_of(one) for one in given]), made(list(given))
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs
        return
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        left, right = np.asarray(one), np.asarray(other)
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes() or np.array_equal(left, right, equal_nan=True)


BINARY = (
    *("add", "subtract", "multiply", "true_divide", "divide", "floor_divide", "mod", "maximum"),
    *("minimum", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
)
UNARY = (
    *("absolute", "square", "sqrt", "floor", "ceil", "round", "reciprocal", "sign", "exp", "relu"),
    *("zeros_like", "ones_like"),
)


@given(st.sampled_from(BINARY), pairs())
def test_of_two(name: str, given: list[np.ndarray[Any, Any]]) -> None:
    if given[0].dtype.kind == "b" and name not in ("equal", "not_equal"):
        name = "logical_and" if len(name) % 2 else "logical_or"
    same(lambda both: elementwise.binary(name, *both), given)


@given(st.sampled_from(UNARY), pairs())
def test_of_one(name: str, given: list[np.ndarray[Any, Any]]) -> None:
    if given[0].dtype.kind == "b":
        name = "logical_not"
    same(lambda both: elementwise.unary(name, both[0]), given[:1])


@given(pairs(), st.sampled_from(("sum", "prod", "max", "min", "mean")), st.data())
def test_along_axes(given: list[np.ndarray[Any, Any]], name: str, data: st.DataObject) -> None:
    x = given[0]
    axes = data.draw(st.sets(st.sampled_from(range(x.ndim))) if x.ndim else st.just(set()))
    name = "all" if x.dtype.kind == "b" else name
    keeps = data.draw(st.booleans())
    same(lambda one: elementwise.reduced(name, one[0], tuple(axes), keepdims=keeps), given[:1])


@given(pairs(), st.sampled_from(TYPES))
def test_other_types(given: list[np.ndarray[Any, Any]], dtype: str) -> None:
    if np.dtype(dtype).kind in "iub" and given[0].dtype.kind == "f":
        given[0] = np.nan_to_num(given[0], posinf=7, neginf=7)
    if np.dtype(dtype).kind == "u":
        given[0] = np.abs(given[0]) % 128 if given[0].dtype.kind != "b" else given[0]
    same(lambda one: elementwise.cast(one[0], dtype), given[:1])


MOVED: dict[str, Callable[[Array], Any]] = {
    "flat": lambda x: x.reshape(-1),
    "turned": lambda x: x.transpose(),
    "squeezed": lambda x: x.squeeze(),
    "widened": lambda x: arrangement.widened(x, (0, -1)),
    "stacked": lambda x: arrangement.stacked([x, x], -1),
    "joined": lambda x: arrangement.joined([x, x, x], x.ndim - 1),
    "tiled": lambda x: arrangement.tiled(x, listed([2] * x.ndim, "i8")),
    "expanded": lambda x: arrangement.expanded(x, listed([2, *x.shape], "i8")),
    "flipped": lambda x: arrangement.flipped(x, range(x.ndim)),
    "sliced": lambda x: arrangement.sliced(x, [-1] * x.ndim, [None] * x.ndim, None, [-2] * x.ndim),
    "unstacked": lambda x: arrangement.unstacked(x, -1),
    "split": lambda x: arrangement.split(x, [1, x.shape[-1] - 1], -1),
    "picked": lambda x: arrangement.picked(x, listed([0, -1, 0], "i8"), -1),
    "one": lambda x: arrangement.picked(x, listed([-1], "i8").reshape(()), 0),
    "beyond": lambda x: arrangement.picked(x, listed([x.shape[0]], "i8"), 0),
    "chosen": lambda x: elementwise.where(listed([True, False], "b1").reshape(2, 1), x, x),
    "misfit": lambda x: x.reshape(x.size + 1),
}


@pytest.mark.parametrize("how", MOVED)
@given(pairs(same=True))
def test_moved(how: str, given: list[np.ndarray[Any, Any]]) -> None:
    x = given[0] if given[0].ndim else given[0].reshape(1)
    same(lambda one: MOVED[how](one[0]), [x])


@pytest.mark.parametrize("bounds", [(0, 7, 2), (5, -3, -3), (3, 3, 1)])
def test_a_range(bounds: tuple[int, ...]) -> None:
    given = [np.array(bound, np.int32) for bound in bounds]
    same(lambda three: arrangement.ranged(*three), given)
    ours = arrangement.ranged(*map(few_of, given))
    assert isinstance(ours, Few)


def test_a_range_beside_sizes_is_of_numbers() -> None:
    """Where another input of the node may be a size all are objects, and what is made is none."""
    given = [few_of(np.array(bound)).astype("O") for bound in (1, 7, 2)]
    (made,) = folded("it", given, lambda three: arrangement.ranged(*three), UnreadableError)
    assert (made.tolist(), made.dtype.kind) == ([1, 3, 5], "i")


def test_whole_numbers_that_wrap_are_numpys() -> None:
    same(lambda both: elementwise.binary("multiply", *both), [np.array([1 << 30, 3], np.int32)] * 2)
