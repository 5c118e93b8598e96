"""Activations, normalisations, softmax, inner products (src/operator/nn, leaky_relu-inl.h)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.errors import AmbiguousError
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import Composition, chain
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.mxnet.lowering import Call, lowers

_ACTIVATIONS: Final[Mapping[str, Composition]] = {
    "relu": chain(("", ops.Relu())),
    "sigmoid": chain(("", ops.Sigmoid())),
    "tanh": chain(("", ops.Tanh())),
    "softrelu": chain(("", ops.Softplus())),
    "softsign": compositions.SOFTSIGN,
    "log_sigmoid": compositions.LOG_SIGMOID,
    "mish": compositions.MISH,
}


@lowers("Activation _npx_activation")
def _activation(call: Call) -> str:
    kind = call.attributes.word("act_type", "")
    if kind not in _ACTIVATIONS:
        raise call.invalid(f"an activation of the type {kind!r}", "act_type")
    return call.compose(_ACTIVATIONS[kind], call.value())


@lowers("LeakyReLU _npx_leaky_relu")
def _leaky(call: Call) -> str:
    """rrelu's slope is random in training, and the middle of its bounds in prediction."""
    ask = call.attributes
    kind, slope = ask.word("act_type", "leaky"), ask.number("slope", 0.25)
    bounds = [ask.number(*one) for one in (("lower_bound", 0.125), ("upper_bound", 0.334))]
    if kind == "prelu":
        weights = {"slope": call.weight(1, "gamma", (call.work.size(call.value(), 1),))}
        return call.emit(ops.PRelu(), [call.value()], weights)
    known: Mapping[str, Composition] = {
        "leaky": chain(("", ops.Relu(slope))),
        "rrelu": chain(("", ops.Relu(sum(bounds) / 2))),
        "elu": chain(("", ops.Elu(slope))),
        "selu": compositions.selu(),
        "gelu": chain(("", ops.Gelu())),
        "gelu_erf": chain(("", ops.Gelu())),
        "gelu_tanh": chain(("", ops.Gelu(tanh=True))),
    }
    if kind not in known:
        raise call.invalid(f"a LeakyReLU of the type {kind!r}", "act_type")
    return call.compose(known[kind], call.value())


@lowers("hard_sigmoid")
def _hard_sigmoid(call: Call) -> str:
    alpha, beta = call.attributes.number("alpha", 0.2), call.attributes.number("beta", 0.5)
    return call.compose(compositions.hard_sigmoid(alpha, beta), call.value())


# Softmax


@lowers("softmax log_softmax _npx_softmax _npx_log_softmax")
def _softmax(call: Call) -> str:
    ask, x = call.attributes, call.value()
    if ask.flag("use_length") or ask.text("length") is not None:
        raise call.unsupported("a softmax over lengths that are an input", "use_length")
    ask.text("dtype")
    heat = ask.number("temperature", 1.0)
    axis = call.axis(ask.integer("axis", -1), call.rank(x))
    if heat not in {0.0, 1.0}:
        x = call.step(ops.Power(scale=1 / heat), [x], "cooled")
    return call.emit(ops.Softmax(axis, "log_softmax" in call.node.op), [x])


@lowers("SoftmaxActivation")
def _softmax_activation(call: Call) -> str:
    """Mode instance is the last axis, in 0.11 to 1.9.1 at least."""
    x = call.value()
    channel = call.attributes.word("mode", "instance") == "channel"
    return call.emit(ops.Softmax(1 if channel else call.rank(x) - 1), [x])


@lowers("SoftmaxOutput Softmax")
def _softmax_output(call: Call) -> str:
    ask, x = call.attributes, call.value()
    multi, preserves = ask.flag("multi_output"), ask.flag("preserve_shape")
    rank = call.work.rank(x)
    if multi or rank == 2:
        return call.emit(ops.Softmax(1), [x])
    rank = call.rank(x)
    if preserves:
        return call.emit(ops.Softmax(rank - 1), [x])
    raise AmbiguousError(
        f"SoftmaxOutput of {rank} axes: MXNet's own kernels take all but the batch as one, its "
        "oneDNN kernels the last axis",
        hint="set multi_output (axis 1) or preserve_shape (the last axis)",
        **ask.place(),
    )


# Normalisations


@lowers("BatchNorm BatchNorm_v1 CuDNNBatchNorm _npx_batch_norm _contrib_SyncBatchNorm")
def _batch_norm(call: Call) -> str:
    """By the moving statistics. With fix_gamma, as by default, gamma counts as 1 whatever is
    stored."""
    ask, x = call.attributes, call.value()
    fixed, epsilon = ask.flag("fix_gamma", True), ask.number("eps", 1e-3)
    ask.flag("output_mean_var")
    axis = ask.integer("axis", 1)
    names = {1: "scale", 2: "bias", 3: "mean", 4: "variance"}
    shape = (call.work.size(x, axis),) if axis > 0 else (None,)
    weights = {
        what: call.weight(at, what, shape)
        for at, what in names.items()
        if what != "scale" or not fixed
    }
    if axis != 1:
        return _turned(call, x, axis, ops.BatchNorm(epsilon), weights)
    return call.emit(ops.BatchNorm(epsilon), [x], weights)


def _turned(
    call: Call, x: str, axis: int, operator: Operator, weights: Mapping[str, Weight]
) -> str:
    """An operator over axis 1 on another one, which changes places with it."""
    rank = call.rank(x)
    order = list(range(rank))
    place = call.axis(axis, rank)
    if place == 1:
        return call.emit(operator, [x], weights)
    order[1], order[place] = place, 1
    turn = ops.Permute(tuple(order))
    made = call.step(operator, [call.step(turn, [x], "turned")], "normalized", weights)
    return call.emit(turn, [made])


@lowers("InstanceNorm GroupNorm")
def _group_norm(call: Call) -> str:
    """GroupNorm's gamma and beta are one number per group."""
    x, ask = call.value(), call.attributes
    instances = call.node.op == "InstanceNorm"
    ask.flag("output_mean_var")
    epsilon = ask.number("eps", 1e-3 if instances else 1e-5)
    channels = call.work.size(x, 1)
    if not isinstance(channels, int) and instances:
        channels = (call.weight(1, "gamma").shape or (None,))[0]
    if not isinstance(channels, int):
        raise call.unsupported("normalises channels whose number is open", "", "give --input")
    groups = channels if instances else ask.positive("num_groups", 1)
    if channels % groups:
        raise call.invalid(f"{channels} channels in {groups} groups", "num_groups")
    order = None if instances else _repeated(channels // groups)
    weights = {
        what: call.weight(index, what, (groups,), order)
        for index, what in ((1, "scale"), (2, "bias"))
    }
    return call.emit(ops.GroupNorm(groups, epsilon), [x], weights)


def _repeated(times: int) -> Order:
    return (lambda shape: (prod(shape) * times,), lambda values: values.repeat(times))


@lowers("LayerNorm _npx_layer_norm")
def _layer_norm(call: Call) -> str:
    x, ask = call.value(), call.attributes
    ask.flag("output_mean_var")
    epsilon, rank = ask.number("eps", 1e-5), call.rank(x)
    axis = call.axis(ask.integer("axis", -1), rank)
    shape = (call.work.size(x, axis),)
    weights = {what: call.weight(at, what, shape) for at, what in ((1, "scale"), (2, "bias"))}
    return call.emit(ops.LayerNorm(axis, epsilon, 1), [x], weights)


@lowers("LRN")
def _lrn(call: Call) -> str:
    ask = call.attributes
    size = ask.positive("nsize")
    alpha, beta, k = (ask.number(*one) for one in (("alpha", 1e-4), ("beta", 0.75), ("knorm", 2.0)))
    return call.emit(ops.Lrn(size, alpha, beta, k, "across"), [call.value()])


@lowers("L2Normalization")
def _l2(call: Call) -> str:
    """Over all axes but the batch, over channels, or over the pixels of each channel."""
    x, mode = call.value(), call.attributes.word("mode", "instance")
    epsilon = call.attributes.number("eps", 1e-10)
    if mode == "channel":
        return call.emit(ops.L2Normalize(False, epsilon), [x])
    if mode not in ("instance", "spatial"):
        raise call.invalid(f"a normalisation of the mode {mode!r}", "mode")
    shape = call.shape(x)
    if mode == "instance" and len(shape) > 2:
        return call.emit(ops.L2Normalize(True, epsilon), [x])
    rows: Size = multiply(shape[:2]) if mode == "spatial" else 0
    flat = call.step(ops.Reshape((rows, -1)), [x], "flat")
    normal = call.step(ops.L2Normalize(False, epsilon), [flat], "normalized")
    return call.emit(ops.Reshape(shape), [normal])


# Products


@lowers("FullyConnected _npx_fully_connected")
def _fully_connected(call: Call) -> str:
    """Weight (num_hidden, in), over all axes but the batch or with flatten False the last."""
    ask, x = call.attributes, call.value()
    hidden, flattens = ask.positive("num_hidden"), ask.flag("flatten", True)
    axis = 1 if flattens else call.rank(x) - 1
    shape = call.work.shapes.get(x)
    inner = multiply(shape[axis:]) if shape is not None else None
    weights = {"weight": call.weight(1, "weight", (hidden, inner))}
    if not ask.flag("no_bias"):
        weights["bias"] = call.weight(2, "bias", (hidden,))
    return call.emit(ops.Linear(hidden, axis), [x], weights)


@lowers("dot batch_dot")
def _dot(call: Call) -> str:
    """Of two matrices, or of the matrices of two batches."""
    turned = [call.attributes.flag(name) for name in ("transpose_a", "transpose_b")]
    factors = []
    for index, turns in enumerate(turned):
        x = call.value(index)
        rank = call.rank(x)
        if rank != (2 if call.node.op == "dot" else 3):
            raise call.unsupported(f"a {call.node.op} of {rank} axes")
        order = (*range(rank - 2), rank - 1, rank - 2)
        factors.append(call.step(ops.Permute(order), [x], f"turned{index}") if turns else x)
    return call.emit(ops.MatMul(), factors)
