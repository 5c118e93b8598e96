"""Softmax, normalisations and inner products (src/operator/nn, src/operator/l2_normalization)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.errors import AmbiguousError
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.weights import repeated
from upconv.converters.readers.mxnet.lowering import Call, Made, lowers


@lowers("softmax log_softmax _npx_softmax _npx_log_softmax")
def _softmax(call: Call) -> Made:
    if call.ask.flag("use_length") or call.ask.text("length") is not None:
        raise call.ask.unsupported("a softmax over lengths that are an input", "use_length")
    heat = call.ask.number("temperature", 1.0)
    soft = ops.Softmax(call.axis("axis", -1), "log_softmax" in call.node.op)
    return soft if heat in {0.0, 1.0} else [ops.Power(scale=1 / heat), soft]


@lowers("SoftmaxActivation")
def _softmax_activation(call: Call) -> Made:
    """Mode instance is the last axis, in 0.11 to 1.9.1 at least."""
    channel = call.ask.word("mode", "instance", "channel") == "channel"
    return ops.Softmax(1 if channel else call.rank() - 1)


@lowers("SoftmaxOutput Softmax")
def _softmax_output(call: Call) -> Made:
    multi, preserves = call.ask.flag("multi_output"), call.ask.flag("preserve_shape")
    if multi or call.work.rank(call.x) == 2:
        return ops.Softmax(1)
    if preserves:
        return ops.Softmax(call.rank() - 1)
    raise AmbiguousError(
        f"SoftmaxOutput of {call.rank()} axes: MXNet's own kernels take all but the batch as one, "
        "its oneDNN kernels the last axis",
        hint="set multi_output (axis 1) or preserve_shape (the last axis)",
        **call.ask.place(),
    )


@lowers("WarpCTC")
def _warp_ctc(call: Call) -> Made:
    """In prediction the softmax of each row (plugin/warpctc/warpctc-inl.h)."""
    call.ask.text("label_length"), call.ask.text("input_length")
    return ops.Softmax(1)


def _named(call: Call, shape: Sequence[Size | None], *names: str) -> dict[str, Weight]:
    """The inputs behind the first as weights of one shape; "" for one that does not count."""
    return {name: call.weight(at, name, shape) for at, name in enumerate(names, 1) if name}


@lowers("BatchNorm BatchNorm_v1 CuDNNBatchNorm _npx_batch_norm _contrib_SyncBatchNorm")
def _batch_norm(call: Call) -> Made:
    """By the moving statistics. With fix_gamma, as by default, gamma counts as 1 whatever is
    stored. Another axis than 1 changes places with it."""
    scale = "" if call.ask.flag("fix_gamma", True) else "scale"
    operator = ops.BatchNorm(call.ask.number("eps", 1e-3))
    axis = call.ask.integer("axis", 1)
    axis = axis if axis == 1 else call.axis("axis")
    weights = _named(call, (call.size(axis),), scale, "bias", "mean", "variance")
    if axis == 1:
        return call.emit(operator, [call.x], weights)
    order = list(range(call.rank()))
    order[1], order[axis] = axis, 1
    turn = ops.Permute(tuple(order))
    made = call.step(operator, [call.step(turn, [call.x], "turned")], "normalized", weights)
    return call.emit(turn, [made])


@lowers("InstanceNorm GroupNorm")
def _group_norm(call: Call) -> Made:
    """GroupNorm's gamma and beta are one number per group."""
    instances = call.node.op == "InstanceNorm"
    epsilon = call.ask.number("eps", 1e-3 if instances else 1e-5)
    channels = call.size(1)
    if not isinstance(channels, int) and instances:
        channels = (call.weight(1, "gamma").shape or (None,))[0]
    if not isinstance(channels, int):
        raise call.ask.unsupported("normalises channels whose number is open", "", "give --input")
    groups = channels if instances else call.ask.positive("num_groups", 1)
    if channels % groups:
        raise call.ask.invalid(f"{channels} channels in {groups} groups", "num_groups")
    order = None if instances else repeated(channels // groups)
    weights = {what: call.weight(at, what, (groups,), order) for at, what in _SCALE_AND_BIAS}
    return call.emit(ops.GroupNorm(groups, epsilon), [call.x], weights)


_SCALE_AND_BIAS = ((1, "scale"), (2, "bias"))


@lowers("LayerNorm _npx_layer_norm")
def _layer_norm(call: Call) -> Made:
    axis = call.axis("axis", -1)
    operator = ops.LayerNorm(axis, call.ask.number("eps", 1e-5), 1)
    return call.emit(operator, [call.x], _named(call, (call.size(axis),), "scale", "bias"))


@lowers("L2Normalization")
def _l2(call: Call) -> Made:
    """Over all axes but the batch, over channels, or over the pixels of each channel."""
    mode = call.ask.word("mode", "instance", "channel", "spatial")
    epsilon, shape = call.ask.number("eps", 1e-10), call.shape()
    if mode != "spatial" and (mode == "channel" or len(shape) > 2):
        return ops.L2Normalize(mode == "instance", epsilon)
    rows: Size = multiply(shape[:2]) if mode == "spatial" else 0
    return [ops.Reshape((rows, -1)), ops.L2Normalize(False, epsilon), ops.Reshape(shape)]


@lowers("FullyConnected _npx_fully_connected")
def _fully_connected(call: Call) -> Made:
    """Weight (num_hidden, in), over all axes but the batch or with flatten False the last."""
    hidden = call.ask.positive("num_hidden")
    axis = 1 if call.ask.flag("flatten", True) else call.rank() - 1
    shape = call.work.shapes.get(call.x)
    inner = multiply(shape[axis:]) if shape is not None else None
    weights = {"weight": call.weight(1, "weight", (hidden, inner)), **bias(call, hidden, False)}
    return call.emit(ops.Linear(hidden, axis), [call.x], weights)


def bias(call: Call, size: int, absent: bool) -> Mapping[str, Weight]:
    """The third input as a bias, which `no_bias` says is not there; `absent` where it is not
    written."""
    return {} if call.ask.flag("no_bias", absent) else {"bias": call.weight(2, "bias", (size,))}


@lowers("dot batch_dot")
def _dot(call: Call) -> Made:
    """Of two matrices, or of the matrices of two batches."""
    factors = []
    for index, name in enumerate(("transpose_a", "transpose_b")):
        x, rank = call.value(index), call.rank(index)
        if rank != (2 if call.node.op == "dot" else 3):
            raise call.ask.unsupported(f"a {call.node.op} of {rank} axes")
        turn = ops.Permute((*range(rank - 2), rank - 1, rank - 2))
        factors.append(call.step(turn, [x], f"turned{index}") if call.ask.flag(name) else x)
    return call.emit(ops.MatMul(), factors)
