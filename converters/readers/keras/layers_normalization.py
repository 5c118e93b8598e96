"""Normalisations and Rescaling."""

from __future__ import annotations

from typing import Any

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import ArrayData, Weight
from upconv.converters.readers.assembly.weights import transposed
from upconv.converters.readers.files.json_spans import plain
from upconv.converters.readers.keras.fields import (
    channels_at_one,
    flag,
    ir_axis,
    is_int,
    number,
    scalar,
)
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers
from upconv.converters.readers.keras.tensors import Variable, weight


@lowers("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(layer: KerasLayer, step: Step) -> Value:
    """By the stored moments, along one axis."""
    x = channels_at_one(layer, step, _only(layer.config.get("axis", -1)))
    channels = step.size(x, 1)
    weights = {
        "mean": _vector(layer, step, "moving_mean", channels, "moving_mean_initializer"),
        "variance": _vector(
            layer, step, "moving_variance", channels, "moving_variance_initializer"
        ),
    }
    weights |= _scale_and_shift(layer, step, channels)
    return step.add(ops.BatchNorm(number(layer, "epsilon", 1e-3)), [x], weights)


def _scale_and_shift(layer: KerasLayer, step: Step, channels: Any) -> dict[str, Weight]:
    return {
        name: _vector(layer, step, variable, channels, f"{variable}_initializer")
        for name, variable in _affine(layer).items()
    }


def _vector(layer: KerasLayer, step: Step, name: str, size: Any, initializer: str) -> Weight:
    return weight(layer, step, Variable(name, (size,), initializer))


def _only(axis: Any) -> Any:
    return axis[0] if isinstance(axis, list) and len(axis) == 1 else axis


@lowers("LayerNormalization")
def _layer_norm(layer: KerasLayer, step: Step) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over one or several axes, then gamma and beta."""
    if flag(layer, "rms_scaling", False):
        raise layer.unsupported("rms_scaling, which divides without taking the mean", "rms_scaling")
    given = layer.config.get("axis", -1)
    axes = given if isinstance(given, list) else [given]
    if not axes:
        raise layer.invalid("axis is [], so that it normalises over nothing", "axis")
    x = layer.x
    places = [ir_axis(layer, step, axis, x) for axis in axes]
    order = sorted(range(len(places)), key=places.__getitem__)
    first = places[order[0]]
    if [places[at] for at in order] != list(range(first, first + len(places))):
        raise layer.unsupported("a normalisation over axes that are no neighbours", "axis")
    shape = tuple(step.size(x, place) for place in places)
    turn = transposed(order) if len(order) > 1 else None
    weights = {
        name: weight(layer, step, Variable(variable, shape, f"{variable}_initializer"), turn)
        for name, variable in _affine(layer).items()
    }
    operator = ops.LayerNorm(first, number(layer, "epsilon", 1e-3), len(places))
    return step.add(operator, [x], weights)


def _affine(layer: KerasLayer) -> dict[str, str]:
    """Weight -> Keras's variable, for those the layer has."""
    pairs = {"scale": ("gamma", "scale"), "bias": ("beta", "center")}
    return {name: found for name, (found, switch) in pairs.items() if flag(layer, switch, True)}


@lowers("GroupNormalization")
def _group_norm(layer: KerasLayer, step: Step) -> Value:
    """groups=-1 is one group per channel (instance normalisation)."""
    x = channels_at_one(layer, step, _only(layer.config.get("axis", -1)))
    channels = step.size(x, 1)
    groups = layer.config.get("groups", 32)
    if groups == -1 and isinstance(channels, int):
        groups = channels
    if not is_int(groups) or groups < 1:
        raise layer.invalid(f"groups is {groups}", "groups")
    operator = ops.GroupNorm(groups, number(layer, "epsilon", 1e-3))
    return step.add(operator, [x], _scale_and_shift(layer, step, channels))


@lowers("LayerScale")
def _layer_scale(layer: KerasLayer, step: Step) -> Value:
    """x * gamma, per channel (keras/src/applications/convnext.py)."""
    x = channels_at_one(layer, step, -1)
    gamma = Variable("gamma", (step.size(x, 1),), "")
    return step.add(ops.Scale(1), [x], {"scale": weight(layer, step, gamma)})


@lowers("Rescaling")
def _rescaling(layer: KerasLayer, step: Step) -> Value:
    """x * scale + offset; each a number, or one per channel."""
    factor = scalar(layer.config.get("scale", 1.0))
    shift = scalar(layer.config.get("offset", 0.0))
    if not isinstance(factor, list) and not isinstance(shift, list):
        power = ops.Power(scale=number(layer, "scale", 1.0), shift=number(layer, "offset", 0.0))
        return step.add(power, [layer.x])
    x = channels_at_one(layer, step, -1)
    channels = max(len(item) for item in (factor, shift) if isinstance(item, list))
    weights = {
        name: _constants(layer, member, value, channels)
        for name, member, value in (("scale", "scale", factor), ("bias", "offset", shift))
    }
    return step.add(ops.Scale(1), [x], weights)


def _constants(layer: KerasLayer, member: str, value: Any, channels: int) -> Weight:
    """Numbers of the config as a weight of one value per channel."""
    items = plain(value) if isinstance(value, list) else [value] * channels
    if len(items) != channels or not all(isinstance(item, int | float) for item in items):
        raise layer.invalid(f"{member} is not {channels} numbers", member)
    return constant([float(item) for item in items], (channels,))


def constant(values: list[float], shape: tuple[int, ...]) -> Weight:
    """A weight made of numbers in the architecture itself."""

    def compute() -> Any:
        import numpy as np

        return np.array(values, np.float32).reshape(shape)

    return Weight(shape, ArrayData(shape, compute))


@lowers("Normalization")
def _normalization(layer: KerasLayer, step: Step) -> Value:
    """(x - mean) / max(sqrt(variance), 1e-7), the moments stored or in the config
    (keras/src/layers/preprocessing/normalization.py)."""
    if flag(layer, "invert", False):
        raise layer.unsupported("invert=True", "invert")
    x = channels_at_one(layer, step, _only(layer.config.get("axis", -1)))
    moments = _moment(layer, "mean"), [max(v, 1e-14) for v in _moment(layer, "variance")]
    channels = step.size(x, 1)
    count = channels if isinstance(channels, int) else max(map(len, moments))
    if any(count % len(values) for values in moments):
        raise layer.invalid(f"its moments do not fit {count} channels", "mean")
    mean, variance = (constant(v * (count // len(v)), (count,)) for v in moments)
    return step.add(ops.BatchNorm(0.0), [x], {"mean": mean, "variance": variance})


def _moment(layer: KerasLayer, name: str) -> list[float]:
    """A moment's numbers, from the config or the weights file."""
    given = scalar(layer.config.get(name))
    if given is None:
        stored = layer.arrays.get(name)
        if stored is None:
            raise layer.unsupported(f"its {name} is missing", hint="give --weights FILE")
        values: list[float] = stored.array().reshape(-1).tolist()
        return values
    flat = plain(given)
    while isinstance(flat, list) and flat and isinstance(flat[0], list):
        flat = flat[0]
    items = flat if isinstance(flat, list) else [flat]
    if not items or not all(isinstance(item, int | float) for item in items):
        raise layer.invalid(f"its {name} is no list of numbers", name)
    return [float(item) for item in items]
