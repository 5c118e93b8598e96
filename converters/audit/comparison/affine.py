"""Layers that multiply and add per channel, as one; and folded into what comes before.

BatchNormalization with stored statistics, Caffe's Scale and Bias, a Power of 1, a sum or product
with a stored vector: all are a*x + b per channel, and behind a convolution they are other weights
of it. They are worked out in float64 and rounded once, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Float64: TypeAlias = NDArray[np.float64]
else:
    Float64 = Any


@record(frozen=True, slots=True)
class Affine:
    """scale * x + shift along the channels, each a vector (C,) or one number, in float64."""

    scale: Callable[[], Float64]
    shift: Callable[[], Float64]


def affine_of(layer: Layer, constants: Mapping[str, Layer]) -> Affine | None:
    """What a layer does to each channel, if that is all it does; None for other layers, and where
    a weight is missing. `constants`: value -> the layer that stores it."""
    op = layer.operator
    if not all(weight.present for weight in layer.weights.values()):
        return None
    if isinstance(op, ops.BatchNorm):
        return _of_batch_norm(op, layer)
    if isinstance(op, ops.Scale) and op.operand == "none" and op.axis in (1, -3):
        return Affine(_weight(layer, "scale", 1.0), _weight(layer, "bias", 0.0))
    if isinstance(op, ops.Power) and op.power == 1:
        return Affine(_number(op.scale), _number(op.shift))
    if isinstance(op, ops.Eltwise) and op.broadcast and len(layer.inputs) == 2:
        return _of_eltwise(op, layer, constants)
    return None


def _of_batch_norm(op: ops.BatchNorm, layer: Layer) -> Affine:
    def scale() -> Float64:
        import numpy as np

        deviation = np.sqrt(_weight(layer, "variance", 1.0)() + op.epsilon)
        return _weight(layer, "scale", 1.0)() / deviation

    def shift() -> Float64:
        return _weight(layer, "bias", 0.0)() - _weight(layer, "mean", 0.0)() * scale()

    return Affine(scale, shift)


def _of_eltwise(op: ops.Eltwise, layer: Layer, constants: Mapping[str, Layer]) -> Affine | None:
    """A sum or product with what is stored, one number a channel."""
    stored = constants.get(layer.inputs[1])
    vector = _per_channel(stored) if stored is not None else None
    if vector is None or op.coefficients:
        return None
    if op.kind == "sum":
        return Affine(_number(1.0), vector)
    return Affine(vector, _number(0.0)) if op.kind == "product" else None


def _per_channel(stored: Layer) -> Callable[[], Float64] | None:
    """A stored tensor (C, 1, 1), (1, C, 1, 1) or of one number."""
    value = stored.weights.get("value")
    if value is None or not value.present or value.shape is None:
        return None
    shape = value.shape
    wide = [axis for axis, size in enumerate(shape) if size != 1]
    if wide and (len(wide) > 1 or len(shape) - wide[0] not in (2, 3, 4) or len(shape) < 2):
        return None
    return lambda: value.array().astype("float64").reshape(-1)


def _weight(layer: Layer, name: str, default: float) -> Callable[[], Float64]:
    weight = layer.weights.get(name)
    if weight is None:
        return _number(default)
    return lambda: weight.array().astype("float64").reshape(-1)


def _number(value: float) -> Callable[[], Float64]:
    def array() -> Float64:
        import numpy as np

        return np.array([value], np.float64)

    return array


def followed(first: Affine, second: Affine) -> Affine:
    """Both as one: second(first(x))."""
    return Affine(
        lambda: second.scale() * first.scale(),
        lambda: second.scale() * first.shift() + second.shift(),
    )


def as_scale(layer: Layer, affine: Affine, channels: int) -> Layer:
    """A layer that is this affine and nothing else, in one form."""
    weights = {
        "scale": _computed((channels,), affine.scale),
        "bias": _computed((channels,), affine.shift),
    }
    return replace(layer, operator=ops.Scale(1), inputs=layer.inputs[:1], weights=weights)


def folded(layer: Layer, affine: Affine) -> Layer | None:
    """A convolution, transposed or not, or an inner product, with an affine behind it in its
    weights; None where there are none to put it in."""
    axis, op = _output_axis(layer), layer.operator
    weight, bias = layer.weights.get("weight"), layer.weights.get("bias")
    if axis is None or weight is None or not weight.present or weight.shape is None:
        return None
    if bias is not None and not bias.present:
        return None
    if not isinstance(op, ops.Conv | ops.ConvTranspose | ops.Linear):
        return None
    channels = op.out_features if isinstance(op, ops.Linear) else op.out_channels
    return replace(
        layer,
        weights={
            "weight": _computed(weight.shape, lambda: _scaled(layer, weight, affine)),
            "bias": _computed((channels,), lambda: _moved(bias, affine)),
        },
    )


def _output_axis(layer: Layer) -> int | None:
    """Which axis of the weight counts output channels; those of a group, transposed."""
    match layer.operator:
        case ops.Conv():
            return 0
        case ops.ConvTranspose():
            return 1
        case ops.Linear(transposed=transposed, axis=1):
            return 1 if transposed else 0
    return None


def _scaled(layer: Layer, weight: Weight, affine: Affine) -> Float64:
    import numpy as np

    values, scale = weight.array().astype(np.float64), affine.scale()
    op = layer.operator
    if isinstance(op, ops.ConvTranspose) and op.groups > 1 and scale.size > 1:
        # (C_in, C_out/groups, k...): each group of input channels has its own output channels
        rows = np.repeat(scale.reshape(op.groups, -1), values.shape[0] // op.groups, axis=0)
        return values * rows.reshape(*values.shape[:2], *(1 for _ in op.kernel))
    shape = [1] * values.ndim
    shape[_output_axis(layer) or 0] = scale.size
    return values * scale.reshape(shape)


def _moved(bias: Weight | None, affine: Affine) -> Float64:
    before: Any = bias.array().astype("float64") if bias is not None else 0.0
    moved: Float64 = affine.scale() * before + affine.shift()
    return moved


def _computed(shape: tuple[int, ...], values: Callable[[], Float64]) -> Weight:
    def compute() -> FloatArray:
        import numpy as np

        return np.broadcast_to(values(), shape).astype(np.float32)

    return Weight(shape, ArrayData(shape, compute))
