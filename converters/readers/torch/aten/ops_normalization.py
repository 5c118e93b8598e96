"""Normalisations, by stored statistics and by the values' own."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

NORM_WEIGHTS = {"scale": "weight", "bias": "bias"}
FLOAT32_EPSILON = 2.0**-23


@lowers(
    "batch_norm.default",
    "cudnn_batch_norm.default",
    "_native_batch_norm_legit_no_training.default",
    "native_batch_norm.default",
)
def _batch_norm(call: AtenCall) -> None:
    source = "input" if call.get("input") is not None else "self"
    if call.get("training", False) or call.get("train", False):
        raise UnsupportedError(
            "it normalises by the batch: the module was exported in training mode",
            hint="call .eval() before exporting",
        )
    if call.rank(source) < 2:
        raise UnsupportedError("its input has no axis of channels")
    weights = _with_statistics(call)
    epsilon = call.number("eps", call.number("epsilon", 1e-5))
    call.emit(ops.BatchNorm(epsilon), [call.value(source)], weights, outputs=call.node.outputs[:1])


def _with_statistics(call: AtenCall) -> dict[str, Weight]:
    weights = call.weights(mean="running_mean", variance="running_var", **NORM_WEIGHTS)
    if not {"mean", "variance"} <= weights.keys():
        raise UnsupportedError("it has no running mean and variance to normalise by")
    return weights


@lowers("group_norm.default")
def _group_norm(call: AtenCall) -> None:
    operator = ops.GroupNorm(call.fixed("num_groups", 1), call.number("eps", 1e-5))
    call.emit(operator, [call.value("input")], call.weights(**NORM_WEIGHTS))


@lowers("native_group_norm.default")
def _native_group_norm(call: AtenCall) -> None:
    operator = ops.GroupNorm(call.fixed("group", 1), call.number("eps", 1e-5))
    weights = call.weights(**NORM_WEIGHTS)
    call.emit(operator, [call.value("input")], weights, outputs=call.node.outputs[:1])


@lowers("instance_norm.default")
def _instance_norm(call: AtenCall) -> None:
    """Statistics of each sample, or stored ones where use_input_stats is off."""
    if not call.get("use_input_stats", True):
        weights = _with_statistics(call)
        operator: ops.Operator = ops.BatchNorm(call.number("eps", 1e-5))
        call.emit(operator, [call.value("input")], weights)
        return
    channels = call.shape("input", 2)[1]
    if not isinstance(channels, int):
        raise UnsupportedError("its number of channels is not fixed")
    operator = ops.GroupNorm(channels, call.number("eps", 1e-5))
    call.emit(operator, [call.value("input")], call.weights(**NORM_WEIGHTS))


@lowers("rms_norm.default")
def _rms_norm(call: AtenCall) -> None:
    """x / sqrt(mean of squares + epsilon) over the last axes, then * weight where present."""
    axes, x = len(call.get("normalized_shape")), call.value("input")
    rank = call.rank("input", axes)
    epsilon = call.get("eps")
    epsilon = FLOAT32_EPSILON if epsilon is None else call.number("eps", 0.0)
    squares = call.step(ops.Power(2.0), [x], "squares")
    mean = call.step(ops.Reduce("mean", rank - axes), [squares], "mean")
    kept = call.step(ops.Reshape((1,) * axes, rank - axes, 0), [mean], "axes")
    inverse = call.step(ops.Power(-0.5, shift=epsilon), [kept], "inverse")
    weights = call.weights(scale="weight")
    operator = ops.Eltwise("product", broadcast=True)
    if not weights:
        call.emit(operator, [x, inverse])
        return
    y = call.step(operator, [x, inverse], "normal")
    call.emit(ops.Scale(rank - axes), [y], weights)


@lowers("layer_norm.default", "native_layer_norm.default")
def _layer_norm(call: AtenCall) -> None:
    axes = len(call.get("normalized_shape"))
    operator = ops.LayerNorm(-axes, call.number("eps", 1e-5))
    weights = call.weights(**NORM_WEIGHTS)
    call.emit(operator, [call.value("input")], weights, outputs=call.node.outputs[:1])


DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


@lowers(*(f"{name}{mark}.default" for name in DROPOUTS for mark in ("", "_")))
def _dropout(call: AtenCall) -> None:
    if call.get("train", False) and call.number("p", 0.5) > 0:
        raise UnsupportedError(
            "it drops values at random: the module was exported in training mode",
            hint="call .eval() before exporting",
        )
    call.same("input" if call.get("input") is not None else "self")
