"""MediaPipe's own operators, whose options are C structs (mediapipe/util/tflite/operations)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, maximum
from upconv.converters.ir.geometry import full_size
from upconv.converters.readers.assembly.axes import Value, channels_last
from upconv.converters.readers.assembly.compositions import pool
from upconv.converters.readers.assembly.weights import transposed
from upconv.converters.readers.tensorflow.lowering import Call
from upconv.converters.readers.tensorflow.ops_transposed import Target, transposed_convolution
from upconv.converters.readers.tensorflow.values import Entry
from upconv.converters.readers.tensorflow.windows import Window, padded
from upconv.converters.readers.tflite.lowering import Step, translates

_SAME, _VALID = 1, 2  # TfLitePadding


def _struct(step: Step, count: int) -> tuple[int, ...]:
    """The first whole numbers of the options, the padding and what is above 0."""
    begin, end = step.operator.custom_options
    if end - begin < 4 * count:
        raise step.invalid(f"options of {end - begin} bytes")
    found: tuple[int, ...] = struct.unpack_from(f"<{count}i", step.graph.buffer.view, begin)
    if found[0] not in (_SAME, _VALID) or not all(0 < one < 1 << 16 for one in found[1:]):
        raise step.invalid(f"the options {found}")
    return found


@translates("Convolution2DTransposeBias")
def _transposed(step: Step) -> Entry:
    """Data, weight (out, kh, kw, in), bias. What SAME cuts is max(k - (in-1) % s - 1, 0), the
    smaller half of it at the begin (transpose_conv_bias.cc)."""
    same, width, height = _struct(step, 3)
    weight = step.weight(1, 4, transposed((1, 2, 0, 3)))
    call = step.call("", [step.entry(0), weight], "convolution")
    x = call.spatial(0, 4, last=True)
    kernel, strides = weight.shape[:2], (height, width)
    sizes = call.shape(x, 4)[2:]
    sized: list[Size] = []
    begins: list[tuple[int, int]] = []
    for size, k, stride in zip(sizes, kernel, strides, strict=True):
        if size is None:
            raise step.unsupported("the size of its input is unknown")
        rest = size - 1 - (size - 1) // stride * stride
        cut = maximum(k - rest - 1, 0) if same == _SAME else 0
        begins.append((call.number(cut // 2, "padding"), 0))
        sized.append(full_size(size, k, stride, 1) - cut)
    window = Window(kernel, strides, (1, 1), "EXPLICIT", tuple(begins))
    order = (lambda old: (old[3], old[2], *old[:2]), lambda values: values.transpose(3, 2, 0, 1))
    target = Target(weight.shape[2], 1, tuple(sized))
    name = transposed_convolution(call, x, window, target, call.weight(1, "kernel", order))
    return step.biased(Value(name, channels_last(4)), 2)


@dataclass(frozen=True, slots=True)
class Places:
    """Where in its window each maximum of a pooling stands; here their places in the plane, of
    these sizes, that was pooled."""

    sizes: tuple[Size, ...]
    window: tuple[int, ...]


@translates("MaxPoolingWithArgmax2D")
def _pool(step: Step) -> tuple[Entry, ...]:
    same, stride_w, stride_h, width, height = _struct(step, 5)
    call = step.call("", [step.entry(0)])
    x = call.spatial(0, 4, last=True)
    word = "SAME" if same == _SAME else "VALID"
    window = Window((height, width), (stride_h, stride_w), (1, 1), word)
    inside, *pads = padded(call, x, window, float("-inf"))
    if inside != x:
        raise step.unsupported("a SAME pooling with places of an open size", "give --input")
    operator = pool("max", window.kernel, window.stride, pads=(pads[0], pads[1]))
    values, places = call.emit_many(operator, [x], 2)
    step.places[places] = Places(_plane(call, x), (*window.kernel, *window.stride))
    axes = channels_last(4)
    return Value(values, axes), Value(places, axes)


def _plane(call: Call, x: str) -> tuple[Size, ...]:
    sizes = call.known_sizes(Value(x, channels_last(4)))
    return sizes[1], sizes[2]


@translates("MaxUnpooling2D")
def _unpool(step: Step) -> Entry:
    """Each value at its place in a window of its own, of zeros (max_unpooling.cc). The places are
    those of a pooling with this window, of a map as large as the result."""
    _, stride_w, stride_h, width, height = _struct(step, 5)
    call = step.call("", [step.entry(0), step.entry(1)])
    x, index = (call.spatial(at, 4, last=True) for at in (0, 1))
    sizes = tuple(n * k for n, k in zip(_plane(call, x), (height, width), strict=True))
    places = step.places.get(index)
    if places is None or places.window != (height, width, stride_h, stride_w):
        raise step.unsupported("places that are not those of a pooling with this window")
    if places.sizes != sizes:
        raise step.unsupported("unpools to another size than was pooled", "give sizes that divide")
    return Value(call.emit(ops.Unpool(sizes), [x, index]), channels_last(4))
