"""The readings of a transposed convolution that engines are known to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of
from upconv.converters.ir.written import OnnxNode
from upconv.converters.reference.run import run_layer

Array = NDArray[np.float64]
_LACKING: Final = (
    "the bias is missing in planes of the first axis that its first tap does not reach"
)
MOST_BOXES: Final = 20_000


def readings(layer: Layer, node: OnnxNode, x: Array, got: Array, right: Array) -> Iterator[str]:
    """Each reading that gives exactly what the engine computed, the likeliest first."""
    if got.ndim == x.ndim + 1 and got.shape[-1] == 1 and got.shape[:-1] == right.shape:
        where = "" if np.array_equal(got[..., 0], right) else ", and the values are others too"
        yield f"the output has a further axis of size 1{where}"
        return
    asked = node.attribute("output_shape")
    if isinstance(asked, tuple) and got.shape[2:] == asked[: got.ndim - 2] != right.shape[2:]:
        yield "N and C of output_shape are taken for sizes"
        return
    for name, changed in _kernels(layer):
        op = changed.operator
        assert isinstance(op, ops.ConvTranspose)
        whole = run_layer(_full(changed), (x,))[0]
        bias = _bias(changed, whole)
        if got.ndim != whole.ndim or got.shape[:2] != whole.shape[:2]:
            continue
        for begin in _begins(op, got, whole):
            if np.array_equal(_box(whole, begin, got.shape[2:], bias), got):
                shift = _words(op, node, begin, whole.shape[2:], got.shape[2:])
                yield "; ".join(one for one in (name, shift) if one)
    if _lacks_bias(layer, x, got, right):
        yield _LACKING


def _kernels(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """The layer, and with its kernel read otherwise."""
    yield "", layer
    op = layer.operator
    assert isinstance(op, ops.ConvTranspose)
    weight = layer.weights["weight"].array()
    axes = tuple(range(2, weight.ndim))
    flipped = {**layer.weights, "weight": weight_of(np.ascontiguousarray(np.flip(weight, axes)))}
    yield "the kernel is flipped", replace(layer, weights=flipped)
    if set(op.dilation) != {1}:
        plain = replace(op, dilation=(1,) * len(op.dilation))
        yield "dilation is ignored", replace(layer, operator=plain)
    if op.groups > 1:
        yield from _ungrouped(layer, op, weight)


def _ungrouped(
    layer: Layer, op: ops.ConvTranspose, weight: NDArray[Any]
) -> Iterator[tuple[str, Layer]]:
    """Every input channel goes to the first group's outputs: the reading of who drops `group`."""
    if weight.shape[1] == op.out_channels:
        yield "group is ignored", replace(layer, operator=replace(op, groups=1))


def _full(layer: Layer) -> Layer:
    """All that the kernel reaches: no pads, no output padding, no target."""
    op = layer.operator
    assert isinstance(op, ops.ConvTranspose)
    none = (0,) * len(op.kernel)
    whole = replace(op, pads_begin=none, pads_end=none, output_padding=none, target=None)
    return replace(layer, operator=whole)


def _bias(layer: Layer, whole: Array) -> Array:
    """What lies where no kernel reaches, (C_out)."""
    bias = layer.weights.get("bias")
    return np.zeros(whole.shape[1]) if bias is None else np.asarray(bias.array(), np.float64)


def _begins(op: ops.ConvTranspose, got: Array, whole: Array) -> Iterator[tuple[int, ...]]:
    """Offsets of a box, those nearest to what the layer means first."""
    reach = [(k - 1) * d + s for k, d, s in zip(op.kernel, op.dilation, op.stride, strict=True)]
    tries = list(product(*(range(-n, n + 1) for n in reach)))
    near = sorted(
        tries, key=lambda b: sum(abs(p - q) for p, q in zip(b, op.pads_begin, strict=True))
    )
    yield from near[:MOST_BOXES]


def _box(whole: Array, begin: Sequence[int], sizes: Sequence[int], bias: Array) -> Array:
    """The box of `sizes` at `begin`; the bias where it lies outside."""
    lead = (1, -1, *(1 for _ in sizes))
    found = np.broadcast_to(bias.reshape(lead), (*whole.shape[:2], *sizes)).copy()
    inner, outer = [], []
    for b, size, n in zip(begin, sizes, whole.shape[2:], strict=True):
        low, high = max(b, 0), min(b + size, n)
        if low >= high:
            return found
        inner.append(slice(low, high))
        outer.append(slice(low - b, high - b))
    found[(slice(None), slice(None), *outer)] = whole[(slice(None), slice(None), *inner)]
    return found


def _words(
    op: ops.ConvTranspose,
    node: OnnxNode,
    begin: tuple[int, ...],
    whole: Sequence[int],
    sizes: Sequence[int],
) -> str:
    """What a box at another place says of the node's words; "" where it is the right one."""
    end = tuple(n - b - m for n, b, m in zip(whole, begin, sizes, strict=True))
    meant = tuple(e - a for e, a in zip(op.pads_end, op.output_padding, strict=True))
    if (begin, end) == (op.pads_begin, meant):
        return ""
    auto = str(node.attribute("auto_pad") or "NOTSET")
    rows = (
        *(_of_output_shape(begin, end) if node.attribute("output_shape") else ()),
        *(_of_auto_pad(op, auto, begin, end) if auto.startswith("SAME") else ()),
        (begin == op.pads_begin and end == op.pads_end, "output_padding is ignored"),
        (begin == op.pads_end and end == op.pads_begin, "pads of begin and end are exchanged"),
    )
    other = (
        f"pads {list(begin)} at the begin and {list(end)} at the end, "
        f"not {list(op.pads_begin)} and {list(meant)}"
    )
    return next((words for holds, words in rows if holds), other)


Rows: TypeAlias = tuple[tuple[bool, str], ...]


def _of_output_shape(begin: tuple[int, ...], end: tuple[int, ...]) -> Rows:
    total = tuple(b + e for b, e in zip(begin, end, strict=True))
    half = tuple(t // 2 for t in total)
    added = f"output_shape is read as {-min(end)} pixel of output padding"
    return (
        (not any(begin) and not any(end), "output_shape is ignored: all that the kernel reaches"),
        (not any(begin) and max(end) < 0, added),
        (not any(begin) and max(total) > 1, "output_shape: all of the padding at the end"),
        (begin == half, "output_shape: the odd pixel at the end instead of the beginning"),
        (end == half, "output_shape: the odd pixel at the beginning instead of the end"),
    )


def _of_auto_pad(
    op: ops.ConvTranspose, auto: str, begin: tuple[int, ...], end: tuple[int, ...]
) -> Rows:
    total = tuple(b + e for b, e in zip(begin, end, strict=True))
    half = tuple(t // 2 for t in total)
    reach = tuple((k - 1) * d for k, d in zip(op.kernel, op.dilation, strict=True))
    plain = f"auto_pad {auto} pads as a convolution of stride 1: (k - 1) / 2, whatever the stride"
    return (
        (not any(begin) and not any(end), f"auto_pad {auto} is ignored"),
        (total == reach and begin == tuple(r // 2 for r in reach), plain),
        (begin == half, f"auto_pad {auto} is read as SAME_UPPER, the odd pixel at the end"),
        (end == half, f"auto_pad {auto} is read as SAME_LOWER, the odd pixel at the beginning"),
    )


def _lacks_bias(layer: Layer, x: Array, got: Array, right: Array) -> bool:
    """Whether bias is added only in the planes of the first axis that tap 0 reaches."""
    op, bias = layer.operator, layer.weights.get("bias")
    assert isinstance(op, ops.ConvTranspose)
    if bias is None or got.shape != right.shape:
        return False
    more = -(-op.output_padding[0] // op.stride[0])
    places = np.arange(x.shape[2] + more) * op.stride[0] - op.pads_begin[0]
    lacking = ~np.isin(np.arange(got.shape[2]), places)
    lead = (1, -1, *(1 for _ in op.kernel))
    last = np.asarray(bias.array(), np.float64).reshape(lead)
    by_last = (1, 1, -1, *(1 for _ in op.kernel[1:]))
    return np.array_equal(got, right - np.where(lacking.reshape(by_last), last, 0))
