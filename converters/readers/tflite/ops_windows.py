"""Convolutions, poolings and inner products: TensorFlow's, with weights in another order, a bias
and a fused activation (tensorflow/lite/kernels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from upconv.converters.ir.operators import Ints
from upconv.converters.readers.assembly.weights import transposed
from upconv.converters.readers.tensorflow.values import Batched, Entry
from upconv.converters.readers.tflite.lowering import NUMBERS, Step, listed, translates

_PADDINGS: Final = {0: "SAME", 1: "VALID"}


def padding(step: Step, field: int = 0) -> str:
    """TensorFlow's word for the padding of an operator."""
    number = step.operator.option(field, "b")
    if number not in _PADDINGS:
        raise step.invalid(f"the padding {number}")
    return _PADDINGS[number]


def numbers(step: Step, fields: Sequence[int], default: int = 0) -> Ints:
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
    activation = step.operator.option(end, "b")
    if isinstance(made, Batched):
        step.places[id(made)] = (step.entry(2) if step.has(2) else None, activation)
        return made
    return step.finished(step.biased(made, 2), activation)


@translates("BATCH_TO_SPACE_ND")
def _batch_to_space(step: Step) -> Entry:
    """What a convolution of blocks adds, and its activation, are done when the blocks are back."""
    made = step.do("BatchToSpaceND", [step.entry(index) for index in range(3)])
    bias, activation = step.places.get(id(step.entry(0)), (None, 0))
    if bias is not None:
        made = step.do("BiasAdd", [made, bias], "bias", T=NUMBERS["float"])
    return step.finished(made, activation)


@translates("CONV_2D")
def _conv(step: Step) -> Entry:
    """Weight (out, kh, kw, in/groups)."""
    weight = step.weight(1, 4, transposed((1, 2, 3, 0)))
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
    weight, strides = step.weight(1, 4, transposed((1, 2, 0, 3))), numbers(step, (2, 1))
    return _back(step, "Conv2DBackpropInput", weight, strides, (1, 1, 1, 1), 3)


@translates("CONV_3D_TRANSPOSE")
def _transposed_3d(step: Step) -> Entry:
    """Output shape, weight (kd, kh, kw, out, in), data, bias."""
    strides, dilations = numbers(step, (1, 3, 2)), numbers(step, (5, 7, 6), 1)
    weight = step.constant(1, "weight")
    return _back(step, "Conv3DBackpropInputV2", weight, strides, dilations, 4)


def _back(step: Step, op: str, weight: Entry, strides: Ints, dilations: Ints, end: int) -> Entry:
    entries = [step.entry(0), weight, step.entry(2)]
    windows = {"strides": strides, "dilations": dilations}
    made = step.do(op, entries, "convolution", padding=padding(step), **windows)
    return step.finished(step.biased(made, 3), step.operator.option(end, "b"))


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
