from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from upconv.converters.ir import geometry
from upconv.converters.ir.dims import evaluate, symbol

SIZE = st.integers(1, 12)
KERNEL = st.integers(1, 5)
STRIDE = st.integers(1, 4)
DILATION = st.integers(1, 3)
PAD = st.integers(0, 4)
AXIS = st.tuples(SIZE, KERNEL, STRIDE, DILATION, PAD, PAD)


def _fits(size: int, kernel: int, dilation: int, begin: int, end: int) -> int:
    """The last place at which a window still lies inside of the padded input; -1 for none."""
    places = range(size + begin + end)
    return max((p for p in places if p + dilation * (kernel - 1) in places), default=-1)


@given(AXIS)
def test_conv_size_counts_the_windows(axis: tuple[int, ...]) -> None:
    size, kernel, stride, dilation, begin, end = axis
    last = _fits(size, kernel, dilation, begin, end)
    assume(last >= 0)
    wanted = len(range(0, last + 1, stride))
    assert geometry.conv_size(size, kernel, stride, dilation, begin, end) == wanted


@given(AXIS, st.integers(0, 3))
def test_conv_transpose_size_is_torchs(axis: tuple[int, ...], extra: int) -> None:
    import torch

    size, kernel, stride, dilation, pad, _ = axis
    assume(extra < max(stride, dilation))
    out = geometry.conv_transpose_size(size, kernel, stride, dilation, pad, pad, extra)
    assume(out > 0)
    y = torch.nn.functional.conv_transpose1d(
        torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), None, stride, pad, extra, 1, dilation
    )
    assert y.shape[2] == out


@given(AXIS)
def test_transposed_convolution_inverts_convolution(axis: tuple[int, ...]) -> None:
    """Convolving what came out gives the input's size back, whatever the geometry."""
    size, *settings = axis
    out = geometry.conv_transpose_size(size, *settings)
    assert geometry.conv_size(out, *settings) == size


@given(AXIS, st.integers(0, 3))
def test_conv_transpose_size_inverse(axis: tuple[int, ...], extra: int) -> None:
    size, kernel, stride, dilation, begin, end = axis
    settings = (kernel, stride, dilation, begin, end, extra)
    out = geometry.conv_transpose_size(size, *settings)
    assert geometry.conv_transpose_size_inverse(out, *settings) == size
    back = geometry.conv_transpose_size_inverse(out + 1, *settings)
    assert back == (size + 1 if stride == 1 else None)


@given(AXIS)
@pytest.mark.parametrize("ceil", [False, True])
def test_pool_size_is_torchs(ceil: bool, axis: tuple[int, ...]) -> None:
    import torch

    size, kernel, stride, dilation, pad, _ = axis
    assume(pad <= kernel // 2)
    assume(_fits(size, kernel, dilation, pad, pad) >= 0)
    y = torch.nn.functional.max_pool1d(torch.zeros(1, 1, size), kernel, stride, pad, dilation, ceil)
    rounding: Any = "ceil" if ceil else "floor"
    found = geometry.pool_size(
        size, kernel, stride, dilation, pad, pad, rounding=rounding, clip=True
    )
    assert found == y.shape[2]


@given(AXIS, st.booleans())
def test_pool_size_is_caffes(axis: tuple[int, ...], padded: bool) -> None:
    """ceil((in + 2p - k)/s) + 1, one less where the last window starts at in + p or beyond."""
    size, kernel, stride, _, pad, _ = axis
    pad = pad if padded else 0
    assume(pad < kernel <= size + 2 * pad)
    out = int(np.ceil((size + 2 * pad - kernel) / stride)) + 1
    if padded and (out - 1) * stride >= size + pad:
        out -= 1
    assert (
        geometry.pool_size(size, kernel, stride, 1, pad, pad, rounding="ceil", clip=padded) == out
    )


def test_pool_size_without_a_clip_may_leave_the_input() -> None:
    assert geometry.pool_size(4, 1, 4, 1, 0, 0, rounding="ceil", clip=False) == 2
    assert geometry.pool_size(4, 1, 4, 1, 0, 0, rounding="ceil", clip=True) == 1


INTERP = [
    (33, None, 8, 0, 0, 257),
    (33, 2, None, 0, 0, 17),
    (34, 2, None, 0, 0, 17),
    (33, 2, 4, 0, 0, 65),
    (35, None, 2, -1, -1, 65),
    (7, None, None, -1, 0, 6),
]


@pytest.mark.parametrize(("size", "shrink", "zoom", "begin", "end", "out"), INTERP)
def test_interp_size(
    size: int, shrink: int | None, zoom: int | None, begin: int, end: int, out: int
) -> None:
    assert geometry.interp_size(size, shrink, zoom, begin, end) == out


@given(AXIS, st.integers(1, 40), st.sampled_from(["same", "valid", "begin"]))
def test_target_pads_reach_the_target(axis: tuple[int, ...], target: int, place: Any) -> None:
    size, kernel, stride, dilation, begin, _ = axis
    full = geometry.full_size(size, kernel, stride, dilation)
    pads = geometry.target_pads(full, target, place, begin)
    assert min(pads) >= 0
    assert pads[1] == 0 or pads[2] == 0
    assert geometry.conv_transpose_size(size, kernel, stride, dilation, *pads) == target
    cut = max(full - target, 0)
    assert pads[0] == {"same": cut // 2, "valid": 0, "begin": begin}[place]


@given(st.integers(1, 64), SIZE)
def test_the_interpolation_convention_multiplies_the_size(factor: int, size: int) -> None:
    kernel, pad = geometry.bilinear_kernel_size(factor), geometry.bilinear_pad(factor)
    assert pad == -(-(factor - 1) // 2)
    assert geometry.conv_transpose_size(size, kernel, factor, 1, pad, pad) == factor * size


@given(AXIS)
def test_formulas_work_on_dims_and_arrays(axis: tuple[int, ...]) -> None:
    size, *settings = axis
    H = symbol("H")
    formulas: list[Callable[[Any], Any]] = [
        lambda n: geometry.conv_size(n, *settings),
        lambda n: geometry.conv_transpose_size(n, *settings),
        lambda n: geometry.pool_size(n, *settings, rounding="ceil", clip=True),
        lambda n: geometry.interp_size(n, 2, 3),
        lambda n: geometry.target_pads(n, 9, "begin", 2)[1],
    ]
    for formula in formulas:
        array = np.arange(size, size + 3)
        wanted = [formula(int(n)) for n in array]
        assert [evaluate(formula(H), {"H": int(n)}) for n in array] == wanted
        np.testing.assert_array_equal(formula(array), wanted)


def test_dilation_zero_is_one_pixel() -> None:
    assert geometry.effective_kernel(7, 0) == 1


def test_segments_and_inferred_axes() -> None:
    assert geometry.segments(9, (), 3) == (3, 3, 3)
    assert geometry.segments(9, (1, 4), 3) == (1, 3, 5)
    assert geometry.inferred_axis(24, 6) == 4


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 9))
def test_taps_by_phase_are_those_that_are_counted(kernel: int, stride: int, dilation: int) -> None:
    counted = Counter(dilation * tap % stride for tap in range(kernel)).values()
    assert geometry.taps(kernel, stride, dilation) == geometry.Taps(
        len(counted), min(counted), max(counted)
    )


def test_taps_of_any_number_cost_nothing() -> None:
    assert geometry.taps(2**64, 2**32 - 1, 3).most == 2**64 // ((2**32 - 1) // 3) + 1
