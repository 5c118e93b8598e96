"""Normalisations, and softmax."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.weights import repeated
from upconv.converters.readers.onnx.entries import Entry
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.refusals import TrainingModeError


@lowers("BatchNormalization")
def _batch_norm(call: Call) -> Entry:
    """By the stored statistics. Before opset 14 training is told by more than one output."""
    trains = call.flag("training_mode") if call.opset >= 14 else _uses_more(call)
    if trains:
        raise call.unsupported("a BatchNormalization in training mode", kind=TrainingModeError)
    if call.integer("spatial", 1) == 0:
        raise call.unsupported("statistics of every pixel (spatial 0)")
    names = {1: "scale", 2: "bias", 3: "mean", 4: "variance"}
    weights = {name: call.weight(index, name) for index, name in names.items()}
    return call.emit(ops.BatchNorm(call.number("epsilon", 1e-5)), [call.value()], weights)


def _uses_more(call: Call) -> bool:
    return len([name for name in call.node.outputs if name]) > 1


@lowers("InstanceNormalization")
def _instance_norm(call: Call) -> Entry:
    return _grouped(call, None)


@lowers("GroupNormalization", since=18)
def _group_norm_per_group(call: Call) -> Entry:
    """Its scale and bias are one number per group."""
    return _grouped(call, call.integer("num_groups", 0), per_group=True)


@lowers("GroupNormalization", since=21)
def _group_norm(call: Call) -> Entry:
    return _grouped(call, call.integer("num_groups", 0))


def _grouped(call: Call, groups: int | None, per_group: bool = False) -> Entry:
    x = call.value()
    channels = call.shape(x)[1] if call.rank(x) > 1 else 0
    if not isinstance(channels, int):
        raise call.unsupported("normalises channels whose number is open", "give --input")
    groups = channels if groups is None else groups
    if groups < 1 or channels % groups:
        raise call.invalid(f"{channels} channels in {groups} groups")
    order = repeated(channels // groups) if per_group else None
    weights = {
        "scale": call.weight(1, "scale", order, ("repeated", channels)),
        "bias": call.weight(2, "bias", order, ("repeated", channels)),
    }
    return call.emit(ops.GroupNorm(groups, call.number("epsilon", 1e-5)), [x], weights)


@lowers("LayerNormalization", since=17)
def _layer_norm(call: Call) -> Entry:
    if _uses_more(call):
        raise call.unsupported("the mean or deviation of a LayerNormalization is used")
    x = call.value()
    shape = call.shape(x)
    axis = call.axis(call.integer("axis", -1), len(shape))
    inner = shape[axis:]
    weights: dict[str, Weight] = {}
    for index, name in ((1, "scale"), (2, "bias")):
        if call.has(index):
            own = call.known(index, name).shape
            if own != inner:
                raise call.unsupported(f"its {name} has the shape {own}, not that of its axes")
            weights[name] = call.weight(index, name)
    return call.emit(ops.LayerNorm(axis, call.number("epsilon", 1e-5)), [x], weights)


@lowers("LRN")
def _lrn(call: Call) -> Entry:
    size = call.integer("size", 0)
    if size % 2 == 0:
        raise call.unsupported(f"a window of {size} channels, which has no middle")
    alpha, beta = call.number("alpha", 1e-4), call.number("beta", 0.75)
    operator = ops.Lrn(size, alpha, beta, call.number("bias", 1.0), "across")
    return call.emit(operator, [call.value()])


@lowers("Softmax", "LogSoftmax")
def _flat_softmax(call: Call) -> Entry:
    """Before opset 13: over all axes from `axis` on, as one."""
    x = call.value()
    shape, log = call.shape(x), call.node.op == "LogSoftmax"
    axis = call.axis(call.integer("axis", 1), len(shape))
    if all(size == 1 for size in shape[axis + 1 :]):
        return call.emit(ops.Softmax(axis, log), [x])
    flat = call.step(ops.Flatten(axis), [x], "flat")
    soft = call.step(ops.Softmax(axis, log), [flat], "softmax")
    return call.emit(ops.Reshape(shape[axis:], axis, 1), [soft])


@lowers("Softmax", "LogSoftmax", since=13)
def _softmax(call: Call) -> Entry:
    x = call.value()
    axis = call.axis(call.integer("axis", -1), call.rank(x))
    return call.emit(ops.Softmax(axis, call.node.op == "LogSoftmax"), [x])
