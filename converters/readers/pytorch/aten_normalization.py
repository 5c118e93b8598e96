"""Normalisations, by stored statistics and by the values' own."""

from __future__ import annotations

from converters import operators as ops
from converters.errors import UnsupportedError
from converters.readers.pytorch.lowering import Call, lowers

NORM_WEIGHTS = {"scale": "weight", "bias": "bias"}


@lowers(
    "batch_norm.default",
    "cudnn_batch_norm.default",
    "_native_batch_norm_legit_no_training.default",
    "native_batch_norm.default",
)
def _batch_norm(call: Call) -> None:
    source = "input" if call.get("input") is not None else "self"
    if call.get("training", False) or call.get("train", False):
        raise UnsupportedError(
            "it normalises by the batch: the module was exported in training mode",
            hint="call .eval() before exporting",
        )
    weights = call.weights(mean="running_mean", variance="running_var", **NORM_WEIGHTS)
    epsilon = call.number("eps", call.number("epsilon", 1e-5))
    call.emit(ops.BatchNorm(epsilon), [call.value(source)], weights, outputs=call.node.outputs[:1])


@lowers("group_norm.default")
def _group_norm(call: Call) -> None:
    operator = ops.GroupNorm(call.fixed("num_groups", 1), call.number("eps", 1e-5))
    call.emit(operator, [call.value("input")], call.weights(**NORM_WEIGHTS))


@lowers("native_group_norm.default")
def _native_group_norm(call: Call) -> None:
    operator = ops.GroupNorm(call.fixed("group", 1), call.number("eps", 1e-5))
    weights = call.weights(**NORM_WEIGHTS)
    call.emit(operator, [call.value("input")], weights, outputs=call.node.outputs[:1])


@lowers("instance_norm.default")
def _instance_norm(call: Call) -> None:
    """Statistics of each sample, or stored ones where use_input_stats is off."""
    if not call.get("use_input_stats", True):
        weights = call.weights(mean="running_mean", variance="running_var", **NORM_WEIGHTS)
        operator: ops.Operator = ops.BatchNorm(call.number("eps", 1e-5))
        call.emit(operator, [call.value("input")], weights)
        return
    channels = call.shape("input")[1]
    if not isinstance(channels, int):
        raise UnsupportedError("its number of channels is not fixed")
    operator = ops.GroupNorm(channels, call.number("eps", 1e-5))
    call.emit(operator, [call.value("input")], call.weights(**NORM_WEIGHTS))


@lowers("layer_norm.default", "native_layer_norm.default")
def _layer_norm(call: Call) -> None:
    axes = len(call.get("normalized_shape", ()))
    operator = ops.LayerNorm(-axes, call.number("eps", 1e-5))
    weights = call.weights(**NORM_WEIGHTS)
    call.emit(operator, [call.value("input")], weights, outputs=call.node.outputs[:1])


@lowers("dropout.default", "feature_dropout.default", "alpha_dropout.default", "dropout_.default")
def _dropout(call: Call) -> None:
    if call.get("train", False) and call.number("p", 0.5) > 0:
        raise UnsupportedError(
            "it drops values at random: the module was exported in training mode",
            hint="call .eval() before exporting",
        )
    call.same("input" if call.get("input") is not None else "self")
