"""Operators that TensorFlow has under another name, its attributes and inputs among options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.axes import Value, layout
from upconv.converters.readers.assembly.compositions import composed
from upconv.converters.readers.tensorflow.values import Entry, Known
from upconv.converters.readers.tflite.lowering import (
    NUMBERS,
    Step,
    listed,
    scalar,
    translates,
)
from upconv.converters.readers.tflite.schema import QUANTIZED, TYPES

_SAME: Final[Mapping[str, str]] = {
    **{"RELU": "Relu", "RELU6": "Relu6", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "ELU": "Elu"},
    **{"ABS": "Abs", "EXP": "Exp", "LOG": "Log", "SIN": "Sin", "COS": "Cos", "NEG": "Neg"},
    **{"SQRT": "Sqrt", "RSQRT": "Rsqrt", "SQUARE": "Square", "FLOOR": "Floor", "CEIL": "Ceil"},
    **{"ROUND": "Round", "SIGN": "Sign", "ZEROS_LIKE": "ZerosLike", "LOG_SOFTMAX": "LogSoftmax"},
    **{"MAXIMUM": "Maximum", "MINIMUM": "Minimum", "POW": "Pow", "FLOOR_DIV": "FloorDiv"},
    **{"FLOOR_MOD": "FloorMod", "SQUARED_DIFFERENCE": "SquaredDifference", "ADD_N": "AddN"},
    **{"LESS": "Less", "LESS_EQUAL": "LessEqual", "GREATER": "Greater", "EQUAL": "Equal"},
    **{"GREATER_EQUAL": "GreaterEqual", "NOT_EQUAL": "NotEqual", "LOGICAL_OR": "LogicalOr"},
    **{"LOGICAL_AND": "LogicalAnd", "LOGICAL_NOT": "LogicalNot", "SELECT": "Select"},
    **{"SELECT_V2": "SelectV2", "TRANSPOSE": "Transpose", "TILE": "Tile", "SLICE": "Slice"},
    **{"EXPAND_DIMS": "ExpandDims", "FILL": "Fill", "RANGE": "Range", "PAD": "Pad"},
    **{"PADV2": "PadV2", "BROADCAST_TO": "BroadcastTo", "REVERSE_V2": "ReverseV2"},
    **{"SHAPE": "Shape", "RANK": "Rank", "ARG_MAX": "ArgMax", "ARG_MIN": "ArgMin"},
    **{"SPACE_TO_BATCH_ND": "SpaceToBatchND", "BATCH_TO_SPACE_ND": "BatchToSpaceND"},
}
"""Operators with the inputs of TensorFlow's operation, and without options that matter."""


@translates(*_SAME)
def _same(step: Step) -> Entry:
    entries = [step.entry(index) for index in range(len(step.entries))]
    return step.do(_SAME[step.origin.type], entries)


_FUSED: Final[Mapping[str, str]] = {"ADD": "AddV2", "SUB": "Sub", "MUL": "Mul", "DIV": "RealDiv"}


@translates(*_FUSED)
def _arithmetic(step: Step) -> Entry:
    op = _FUSED[step.origin.type]
    if op == "RealDiv" and _is_whole(step):
        op = "TruncateDiv"
    return step.finished(step.do(op, [step.entry(0), step.entry(1)]), step.operator.option(0, "b"))


def _is_whole(step: Step) -> bool:
    return step.graph.tensors[step.operator.outputs[0]].type in (2, 4)


_REDUCTIONS: Final[Mapping[str, str]] = {
    **{"MEAN": "Mean", "SUM": "Sum", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min"},
    **{"REDUCE_PROD": "Prod", "REDUCE_ANY": "Any"},
}


@translates(*_REDUCTIONS)
def _reduce(step: Step) -> Entry:
    keeps = bool(step.operator.option(0, "b"))
    entries = [step.entry(0), step.entry(1)]
    return step.do(_REDUCTIONS[step.origin.type], entries, keep_dims=keeps)


@translates("RELU_N1_TO_1", "RELU_0_TO_1")
def _clip(step: Step) -> Entry:
    low = -1.0 if step.origin.type == "RELU_N1_TO_1" else 0.0
    return step.do("ClipByValue", [step.entry(0), scalar(low), scalar(1.0)])


@translates("LEAKY_RELU")
def _leaky(step: Step) -> Entry:
    return step.do("LeakyRelu", [step.entry(0)], alpha=step.operator.real(0))


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
    below = step.do("Minimum", [step.entry(0), scalar(0.0)], "below")
    less = Known(alpha.dtype, alpha.shape, values=alpha.array() - 1)
    return step.do("AddV2", [step.entry(0), step.do("Mul", [below, less], "scaled")])


@translates("SOFTMAX")
def _softmax(step: Step) -> Entry:
    beta, x = step.operator.real(0), step.entry(0)
    if beta != 1.0:
        x = step.do("Mul", [x, scalar(beta)], "scaled")
    return step.do("Softmax", [x])


@translates("LOCAL_RESPONSE_NORMALIZATION")
def _lrn(step: Step) -> Entry:
    bias, alpha, beta = (step.operator.real(field) for field in (1, 2, 3))
    radius = step.operator.option(0)
    return step.do("LRN", [step.entry(0)], depth_radius=radius, bias=bias, alpha=alpha, beta=beta)


# Shapes


@translates("CONCATENATION")
def _concat(step: Step) -> Entry:
    entries = [step.entry(index) for index in range(len(step.entries))]
    made = step.do("ConcatV2", [*entries, scalar(step.operator.option(0))])
    return step.finished(made, step.operator.option(1, "b"))


@translates("RESHAPE")
def _reshape(step: Step) -> Entry:
    """To its second input, or to the option that came before it."""
    if step.has(1):
        return step.do("Reshape", [step.entry(0), step.entry(1)])
    options = step.operator.options
    return step.do("Reshape", [step.entry(0), listed(options.numbers(0) if options else ())])


@translates("SQUEEZE")
def _squeeze(step: Step) -> Entry:
    options = step.operator.options
    return step.do("Squeeze", [step.entry(0)], squeeze_dims=options.numbers(0) if options else ())


@translates("PACK")
def _pack(step: Step) -> Entry:
    entries = [step.entry(index) for index in range(len(step.entries))]
    return step.do("Pack", entries, axis=step.operator.option(1))


@translates("UNPACK")
def _unpack(step: Step) -> tuple[Entry, ...]:
    return step.do_all("Unpack", [step.entry(0)], axis=step.operator.option(1))


@translates("SPLIT", "SPLIT_V")
def _split(step: Step) -> tuple[Entry, ...]:
    entries = [step.entry(index) for index in range(len(step.entries))]
    if step.origin.type == "SPLIT_V":
        return step.do_all("SplitV", entries)
    return step.do_all("Split", entries, num_split=len(step.operator.outputs))


@translates("GATHER")
def _gather(step: Step) -> Entry:
    axis = scalar(step.operator.option(0))
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


@translates("CUMSUM")
def _cum_sum(step: Step) -> Entry:
    flags = {name: bool(step.operator.option(at, "b")) for at, name in enumerate(_DIRECTIONS)}
    return step.do("Cumsum", [step.entry(0), step.entry(1)], **flags)


_DIRECTIONS: Final = ("exclusive", "reverse")


@translates("BATCH_MATMUL")
def _mat_mul(step: Step) -> Entry:
    flags = {
        name: bool(step.operator.option(at, "b")) for at, name in enumerate(("adj_x", "adj_y"))
    }
    return step.do("BatchMatMulV2", [step.entry(0), step.entry(1)], **flags)


@translates("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def _blocks(step: Step) -> Entry:
    op = "DepthToSpace" if step.origin.type == "DEPTH_TO_SPACE" else "SpaceToDepth"
    return step.do(op, [step.entry(0)], block_size=step.operator.option(0))


@translates("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(step: Step) -> Entry:
    bilinear = step.origin.type == "RESIZE_BILINEAR"
    fields = (2, 3) if bilinear else (0, 1)
    corners, halves = (bool(step.operator.option(field, "b")) for field in fields)
    op = "ResizeBilinear" if bilinear else "ResizeNearestNeighbor"
    entries = [step.entry(0), step.entry(1)]
    return step.do(op, entries, align_corners=corners, half_pixel_centers=halves)


# Types


@translates("CAST")
def _cast(step: Step) -> Entry:
    before, after = (
        _type(step, index) for index in (step.operator.inputs[0], step.operator.outputs[0])
    )
    return step.do("Cast", [step.entry(0)], SrcT=before, DstT=after)


def _type(step: Step, tensor: int) -> int:
    kind = step.graph.tensors[tensor].type
    if kind not in TYPES:
        raise step.unsupported(f"numbers of the element type {kind}")
    return NUMBERS[TYPES[kind][0]]


@translates("DEQUANTIZE", "QUANTIZE")
def _same_numbers(step: Step) -> Entry:
    """Of stored values and of a network's: here both are the numbers that they stand for."""
    entry = step.entry(0)
    kind = step.graph.tensors[step.operator.inputs[0]]
    if kind.type in QUANTIZED and kind.quantization is None:
        raise step.unsupported("dequantises numbers without a scale")
    return entry
