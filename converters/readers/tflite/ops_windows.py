"""Convolutions, poolings and inner products: TensorFlow's, with weights in another order, a bias
and a fused activation (tensorflow/lite/kernels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from upconv.converters.readers.tensorflow.values import Entry
from upconv.converters.readers.tflite.lowering import NUMBERS, Step, listed, ordered, translates

_PADDINGS: Final = {0: "SAME", 1: "VALID"}


def padding(step: Step, field: int = 0) -> str:
    """TensorFlow's word for the padding of an operator."""
    number = step.operator.option(field, "b")
    if number not in _PADDINGS:
        raise step.invalid(f"the padding {number}")
    return _PADDINGS[number]


def numbers(step: Step, fields: Sequence[int], default: int = 0) -> tuple[int, ...]:
    """Options that are above 0, in this order of their fields, between 1 for batch and channels."""
    found = tuple(step.operator.option(field, "i", default) for field in fields)
    if min(found) < 1 or max(found) > 1 << 16:
        raise step.invalid(f"a window's strides, dilations or sizes of {found}")
    return (1, *found, 1)


def _convolved(
    step: Step, op: str, entries: Sequence[Entry], fields: Sequence[Sequence[int]], end: int
) -> Entry:
    """A convolution, its bias and its activation; `fields` are those of strides and dilations,
    `end` that of the activation."""
    strides, dilations = numbers(step, fields[0]), numbers(step, fields[1], 1)
    made = step.do(
        op, entries, "convolution", strides=strides, dilations=dilations, padding=padding(step)
    )
    return step.finished(step.biased(made, 2), step.operator.option(end, "b"))


@translates("CONV_2D")
def _conv(step: Step) -> Entry:
    """Weight (out, kh, kw, in/groups)."""
    weight = step.weight(1, 4, ordered(1, 2, 3, 0))
    return _convolved(step, "Conv2D", [step.entry(0), weight], ((2, 1), (5, 4)), 3)


@translates("DEPTHWISE_CONV_2D")
def _depthwise(step: Step) -> Entry:
    """Weight (1, kh, kw, in * multiplier)."""
    shape = step.constant(1, "weight").shape
    each = max(step.operator.option(3, "i"), 1)
    if len(shape) != 4 or shape[0] != 1 or shape[3] % each:
        raise step.invalid(f"a depthwise weight of the shape {shape}, {each} a channel")
    wanted = (*shape[1:3], shape[3] // each, each)
    weight = step.weight(1, 4, (lambda _: wanted, lambda values: values.reshape(wanted)))
    entries = [step.entry(0), weight]
    return _convolved(step, "DepthwiseConv2dNative", entries, ((2, 1), (6, 5)), 4)


@translates("CONV_3D")
def _conv_3d(step: Step) -> Entry:
    """Weight (kd, kh, kw, in, out), as TensorFlow's."""
    entries = [step.entry(0), step.constant(1, "weight")]
    return _convolved(step, "Conv3D", entries, ((1, 3, 2), (5, 7, 6)), 4)


@translates("TRANSPOSE_CONV")
def _transposed(step: Step) -> Entry:
    """Output shape, weight (out, kh, kw, in), data, bias."""
    entries = [step.entry(0), step.weight(1, 4, ordered(1, 2, 0, 3)), step.entry(2)]
    strides = numbers(step, (2, 1))
    made = step.do(
        "Conv2DBackpropInput", entries, "convolution", strides=strides, padding=padding(step)
    )
    return step.finished(step.biased(made, 3), step.operator.option(3, "b"))


@translates("CONV_3D_TRANSPOSE")
def _transposed_3d(step: Step) -> Entry:
    """Output shape, weight (kd, kh, kw, out, in), data, bias."""
    entries = [step.entry(0), step.constant(1, "weight"), step.entry(2)]
    strides, dilations = numbers(step, (1, 3, 2)), numbers(step, (5, 7, 6), 1)
    made = step.do(
        "Conv3DBackpropInputV2", entries, "convolution",
        strides=strides, dilations=dilations, padding=padding(step),
    )  # fmt: skip
    return step.finished(step.biased(made, 3), step.operator.option(4, "b"))


@translates("AVERAGE_POOL_2D", "MAX_POOL_2D")
def _pool(step: Step) -> Entry:
    op = "MaxPool" if step.origin.type == "MAX_POOL_2D" else "AvgPool"
    made = step.do(
        op, [step.entry(0)], "pool",
        ksize=numbers(step, (4, 3)), strides=numbers(step, (2, 1)), padding=padding(step),
    )  # fmt: skip
    return step.finished(made, step.operator.option(5, "b"))


@translates("FULLY_CONNECTED")
def _fully_connected(step: Step) -> Entry:
    """Weight (out, in); all axes before the last `in` numbers become one, unless they are kept."""
    shape = step.constant(1, "weight").shape
    if len(shape) != 2 or step.operator.option(1, "b"):
        raise step.unsupported(f"a weight of the shape {shape}, or shuffled")
    x = step.entry(0)
    if not step.operator.option(2, "b"):
        x = step.do("Reshape", [x, listed([-1, shape[1]])], "rows")
    made = step.do("MatMul", [x, step.entry(1)], "product", transpose_b=True)
    if step.has(2):
        made = step.do("Add", [made, step.entry(2)], "bias", T=NUMBERS["float"])
    return step.finished(made, step.operator.option(0, "b"))
