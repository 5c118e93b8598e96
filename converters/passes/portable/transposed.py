"""A transposed convolution in fewer words: equal pads, no output padding, no dilation, two axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight
from upconv.converters.passes.portable.chain import Step, chain


def transposed(
    op: ops.ConvTranspose, layer: Layer, x: Shape, y: Shape
) -> Iterator[tuple[Layer, ...]]:
    """With equal pads by a longer kernel; that with its dilation written out as zeros; and both
    with a box cut out instead. Of one axis: with a second one of size 1. Of three: the bias is a
    sum behind it."""
    if op.target is not None or min(op.dilation) < 1 or len(layer.inputs) != 1:
        return
    if "bias" in layer.weights and len(op.kernel) > 2:
        yield chain(layer, _bias_behind(op, layer.weights))
    forms = [(op, dict(layer.weights)), _undilated(op, layer.weights)]
    for boxed in (False, True):
        for one, held in forms:
            if len(op.kernel) == 1:
                yield chain(layer, _widened(one, held, x, y, boxed))
            else:
                yield chain(layer, _even(one, held, y, boxed))


def _bias_behind(op: ops.ConvTranspose, weights: Mapping[str, Weight]) -> list[Step]:
    rest = {name: weight for name, weight in weights.items() if name != "bias"}
    return [("transposed", op, rest), ("bias", ops.Scale(1), {"bias": weights["bias"]})]


def _even(
    op: ops.ConvTranspose, weights: Mapping[str, Weight], y: Shape, boxed: bool
) -> list[Step]:
    """Pads that are equal, and no output padding, which is a smaller pad at the end.

    Zeros make the kernel longer at the end where a pad is negative, and without `boxed` at the end
    where it is the smaller one, so that both are the larger; with it both are the smaller, and the
    box that is the output is cut out.
    """
    ends = tuple(e - o for e, o in zip(op.pads_end, op.output_padding, strict=True))
    least = (0,) * len(ends) if boxed else tuple(map(max, op.pads_begin, ends))
    front = _taps(least, op.pads_begin, op.dilation)
    back = _taps(least, ends, op.dilation)
    kernel = tuple(f + k + b for f, k, b in zip(front, op.kernel, back, strict=True))
    begin = tuple(b + f * d for b, f, d in zip(op.pads_begin, front, op.dilation, strict=True))
    end = tuple(e + f * d for e, f, d in zip(ends, back, op.dilation, strict=True))
    even, none = tuple(map(min, begin, end)), (0,) * len(kernel)
    inner = replace(op, kernel=kernel, pads_begin=even, pads_end=even, output_padding=none)
    if kernel != op.kernel:
        laid = _laid(weights["weight"], kernel, front, (1,) * len(kernel))
        weights = {**weights, "weight": laid}
    steps = (
        _bias_behind(inner, weights)
        if len(kernel) > 2 and "bias" in weights
        else [("transposed", inner, weights)]
    )
    if begin != even or end != even:
        offsets = tuple(b - e for b, e in zip(begin, even, strict=True))
        steps.append(("box", ops.Crop(2, offsets, y[2:]), {}))
    return steps


def _taps(
    least: tuple[int, ...], pads: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    """How many taps of zeros bring a pad to what it is to be at least."""
    return tuple(max(-((p - n) // d), 0) for n, p, d in zip(least, pads, dilation, strict=True))


def _undilated(
    op: ops.ConvTranspose, weights: Mapping[str, Weight]
) -> tuple[ops.ConvTranspose, dict[str, Weight]]:
    """The kernel with the zeros of its dilation written out."""
    if set(op.dilation) == {1}:
        return op, dict(weights)
    extent = tuple((k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True))
    one = replace(op, kernel=extent, dilation=(1,) * len(extent))
    front = (0,) * len(extent)
    return one, {**weights, "weight": _laid(weights["weight"], extent, front, op.dilation)}


def _laid(
    weight: Weight, kernel: tuple[int, ...], front: tuple[int, ...], steps: tuple[int, ...]
) -> Weight:
    """The taps laid into a larger kernel of zeros, from `front` on in steps."""
    assert weight.shape is not None
    shape, taps = (*weight.shape[:2], *kernel), weight.shape[2:]
    places = [slice(f, f + (k - 1) * d + 1, d) for f, k, d in zip(front, taps, steps, strict=True)]

    def compute() -> FloatArray:
        import numpy as np

        made = np.zeros(shape, np.float32)
        made[(slice(None), slice(None), *places)] = weight.array()
        return made

    return Weight(shape, ArrayData(shape, compute))


def _widened(
    op: ops.ConvTranspose, weights: Mapping[str, Weight], x: Shape, y: Shape, boxed: bool
) -> list[Step]:
    """One axis as the second of two: kernel 1 x k over (N, C, 1, L)."""
    wide = replace(
        op,
        kernel=(1, *op.kernel),
        stride=(1, *op.stride),
        dilation=(1, *op.dilation),
        pads_begin=(0, *op.pads_begin),
        pads_end=(0, *op.pads_end),
        output_padding=(0, *op.output_padding),
    )
    held = {**weights, "weight": _wide_weight(weights["weight"])}
    inner = _even(wide, held, (*y[:2], 1, *y[2:]), boxed)
    view, back = ops.Reshape((*x[:2], 1, *x[2:])), ops.Reshape(y)
    return [("wider", view, {}), *inner, ("back", back, {})]


def _wide_weight(weight: Weight) -> Weight:
    """(C_in, C_out, 1, k)."""
    assert weight.shape is not None
    assert weight.data is not None
    return Weight((*weight.shape[:2], 1, *weight.shape[2:]), weight.data)
