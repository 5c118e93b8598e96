from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.reference.windows import Windows, region, taps_inside, writes

AXIS = st.tuples(
    st.integers(1, 5),  # kernel
    st.integers(1, 4),  # stride
    st.integers(0, 3),  # dilation
    st.integers(-4, 6),  # begin
    st.integers(1, 7),  # size
    st.integers(1, 7),  # windows
)


def _places(kernel: int, stride: int, dilation: int, begin: int, count: int) -> list[list[int]]:
    return [[stride * i + dilation * j - begin for j in range(kernel)] for i in range(count)]


@given(AXIS)
def test_views_and_counts_are_their_definition(axis: tuple[int, ...]) -> None:
    kernel, stride, dilation, begin, size, count = axis
    windows = Windows((kernel,), (stride,), (dilation,), (begin,))
    x = np.arange(1.0, size + 1)
    places = _places(kernel, stride, dilation, begin, count)
    wanted = [[x[p] if 0 <= p < size else -7.0 for p in row] for row in places]
    np.testing.assert_array_equal(windows.view(x, (count,), -7.0).T, wanted)
    inside = [sum(0 <= p < size for p in row) for row in places]
    np.testing.assert_array_equal(taps_inside(windows, (size,), (count,)), inside)
    flat = [p for row in places for p in row]
    np.testing.assert_array_equal(
        writes(windows, (count,), (size,)), [flat.count(p) for p in range(size)]
    )


@given(AXIS, st.data())
def test_pairs_are_the_windows_whose_tap_is_inside(
    axis: tuple[int, ...], data: st.DataObject
) -> None:
    kernel, stride, dilation, begin, size, count = axis
    tap = data.draw(st.integers(0, kernel - 1))
    windows = Windows((kernel,), (stride,), (dilation,), (begin,))
    wanted = [
        (i, row[tap])
        for i, row in enumerate(_places(kernel, stride, dilation, begin, count))
        if 0 <= row[tap] < size
    ]
    found = windows.pairs((count,), (size,), (tap,))
    if found is None:
        assert not wanted
        return
    (inner,), (outer,) = found
    pairs = zip(range(count)[inner], range(size)[outer], strict=True)
    assert list(pairs) == wanted


@given(st.integers(-9, 9), st.integers(0, 12), st.integers(0, 5))
def test_region_never_fails(start: int, length: int, size: int) -> None:
    x = np.arange(1.0, size + 1)
    wanted = [x[p] if 0 <= p < size else 0.0 for p in range(start, start + length)]
    np.testing.assert_array_equal(region(x, [start], [length]), wanted)


def test_counts_of_two_axes_multiply() -> None:
    windows = Windows((3, 2), (2, 1), (1, 1), (1, 0))
    np.testing.assert_array_equal(taps_inside(windows, (4, 2), (2, 2)), [[4, 2], [6, 3]])
