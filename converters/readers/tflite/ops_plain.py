"""Operators that TensorFlow has under another name, its attributes and inputs among options."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.axes import Value, layout
from upconv.converters.readers.assembly.compositions import composed
from upconv.converters.readers.assembly.known import known_of
from upconv.converters.readers.tensorflow.made_nodes import Attribute
from upconv.converters.readers.tensorflow.values import Batched, Entry
from upconv.converters.readers.tflite.codes import SAME
from upconv.converters.readers.tflite.lowering import (
    NUMBERS,
    Step,
    listed,
    translates,
)
from upconv.converters.readers.tflite.schema import QUANTIZED, TYPES


@translates(*SAME)
def _same(step: Step) -> Entry | tuple[Entry, ...]:
    """By the table: its inputs, and its options as attributes."""
    same, operator = SAME[step.origin.type], step.operator
    entries = [step.entry(index) for index in range(len(step.entries))]
    attributes: dict[str, Attribute] = {}
    for name, option, kind in same.attributes:
        whole = operator.option(option, "b" if kind == "b" else "i")
        attributes[name] = (
            operator.real(option) if kind == "f" else bool(whole) if kind == "b" else whole
        )
    made = step.do_all(same.op, entries, **attributes)
    if same.activation is None:
        return made
    return step.finished(made[0], operator.option(same.activation, "b"))


@translates("DIV")
def _quotient(step: Step) -> Entry:
    """Of whole numbers towards 0."""
    whole = step.graph.tensors[step.operator.outputs[0]].type in (2, 4)
    made = step.do("TruncateDiv" if whole else "RealDiv", [step.entry(0), step.entry(1)])
    return step.finished(made, step.operator.option(0, "b"))


@translates("RELU_N1_TO_1")
def _clip(step: Step) -> Entry:
    return step.finished(step.entry(0), 2)


@translates("HARD_SWISH", "GELU")
def _composed(step: Step) -> Entry:
    call = step.call("", [step.entry(0)])
    value = call.real(call.value())
    if step.origin.type == "GELU":
        return call.unary(ops.Gelu(tanh=bool(step.operator.option(0, "b"))), value)
    return Value(composed(compositions.hard_swish(), value.name, call.step), value.axes)


@translates("PRELU")
def _prelu(step: Step) -> Entry:
    """alpha per channel; of another shape x + (alpha - 1) * min(x, 0)."""
    alpha = step.constant(1, "alpha")
    call = step.call("", [step.entry(0), alpha])
    value = call.value()
    rank = len(call.ranked(value))
    if alpha.shape and all(size == 1 for size in alpha.shape[:-1]) and 3 <= rank <= 5:
        flat = (lambda shape: shape[-1:], lambda values: values.reshape(-1))
        x, weight = call.spatial(0, rank, last=True), call.weight(1, "alpha", flat)
        return Value(call.emit(ops.PRelu(), [x], {"slope": weight}), layout(rank, last=True))
    below = step.do("Minimum", [step.entry(0), listed(0.0)], "below")
    less = known_of(alpha.numpy() - 1)
    return step.do("AddV2", [step.entry(0), step.do("Mul", [below, less], "scaled")])


@translates("SOFTMAX")
def _softmax(step: Step) -> Entry:
    beta, x = step.operator.real(0), step.entry(0)
    if beta != 1.0:
        x = step.do("Mul", [x, listed(beta)], "scaled")
    return step.do("Softmax", [x])


# Shapes


@translates("CONCATENATION")
def _concat(step: Step) -> Entry:
    entries = [step.entry(index) for index in range(len(step.entries))]
    made = step.do("ConcatV2", [*entries, listed(step.operator.option(0))])
    return step.finished(made, step.operator.option(1, "b"))


@translates("RESHAPE")
def _reshape(step: Step) -> Entry:
    """To its second input, or to the option that came before it."""
    data = step.entry(0)
    if isinstance(data, Batched) and data.row and data.convolution is not None:
        return data  # a sequence again, when its blocks are back
    if step.has(1):
        return step.do("Reshape", [data, step.entry(1)])
    options = step.operator.options
    return step.do("Reshape", [step.entry(0), listed(options.numbers(0) if options else ())])


@translates("SQUEEZE")
def _squeeze(step: Step) -> Entry:
    options = step.operator.options
    return step.do("Squeeze", [step.entry(0)], squeeze_dims=options.numbers(0) if options else ())


@translates("SPLIT")
def _split(step: Step) -> tuple[Entry, ...]:
    count = len(step.operator.outputs)
    return step.do_all("Split", [step.entry(0), step.entry(1)], num_split=count)


@translates("GATHER")
def _gather(step: Step) -> Entry:
    axis = listed(step.operator.option(0))
    entries = [step.entry(0), step.entry(1), axis]
    return step.do("GatherV2", entries, batch_dims=step.operator.option(1))


_MASKS: Final = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@translates("STRIDED_SLICE")
def _strided(step: Step) -> Entry:
    if step.operator.option(5, "b"):
        raise step.unsupported("a slice whose end counts from its begin (offset)")
    masks = {name: step.operator.option(field) for field, name in enumerate(_MASKS)}
    return step.do("StridedSlice", [step.entry(index) for index in range(4)], **masks)


@translates("MIRROR_PAD")
def _mirror(step: Step) -> Entry:
    mode = "SYMMETRIC" if step.operator.option(0, "b") else "REFLECT"
    return step.do("MirrorPad", [step.entry(0), step.entry(1)], mode=mode)


# Types


@translates("CAST")
def _cast(step: Step) -> Entry:
    ends = (step.operator.inputs[0], step.operator.outputs[0])
    kinds = [TYPES.get(step.graph.tensors[index].type, ("",))[0] for index in ends]
    if "" in kinds:
        raise step.unsupported("numbers of an element type that is not known")
    return step.do("Cast", [step.entry(0)], SrcT=NUMBERS[kinds[0]], DstT=NUMBERS[kinds[1]])


@translates("DEQUANTIZE", "QUANTIZE")
def _same_numbers(step: Step) -> Entry:
    """Of stored values and of a network's: here both are the numbers that they stand for."""
    entry = step.entry(0)
    kind = step.graph.tensors[step.operator.inputs[0]]
    if kind.type in QUANTIZED and kind.quantization is None:
        raise step.unsupported("dequantises numbers without a scale")
    return entry
