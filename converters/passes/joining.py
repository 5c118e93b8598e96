"""Layers that say one thing together become one, as a convolution and the sum that is its bias."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Weight, weight_of

Readers: TypeAlias = Mapping[str, list[Layer]]


def joined(layers: Sequence[Layer], outputs: Iterable[str]) -> list[Layer]:
    """Layers joined with the only layer that reads them, where both are one operator."""
    kept = {layer.name: layer for layer in layers}
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for value in dict.fromkeys(layer.inputs):
            readers.setdefault(value, []).append(layer)
    fixed = set(outputs)
    for layer in layers:
        first = kept.get(layer.name)
        while first is not None and (pair := _pair(first, readers, fixed)) is not None:
            second, one = pair
            del kept[second.name]
            first = kept[first.name] = one
    return list(kept.values())


def _pair(first: Layer, readers: Readers, outputs: set[str]) -> tuple[Layer, Layer] | None:
    """(the layer behind, both as one), None where they stay two."""
    following = readers.get(first.outputs[0], [])
    if len(first.outputs) != 1 or len(following) != 1 or first.outputs[0] in outputs:
        return None
    (second,) = following
    if len(second.inputs) != 1 or len(second.outputs) != 1:
        return None
    parts = _joined(first, second)
    if parts is None:
        return None
    operator, weights = parts
    return second, replace(first, operator=operator, weights=weights, outputs=second.outputs)


def _joined(first: Layer, second: Layer) -> tuple[Operator, Mapping[str, Weight]] | None:
    for join in (_bias, _affine, _enlarged):
        found = join(first, second)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Bias:
    """What a layer adds along one axis."""

    axis: int
    weight: Weight


def _bias(first: Layer, second: Layer) -> tuple[Operator, Mapping[str, Weight]] | None:
    """A sum with a vector behind a convolution or inner product is its bias."""
    operator = first.operator
    if "bias" in first.weights:
        return None
    if isinstance(operator, ops.Linear):
        channels, axis = operator.out_features, operator.axis
    elif isinstance(operator, ops.Conv | ops.ConvTranspose):
        channels, axis = operator.out_channels, 1
    else:
        return None
    added = _added(second, channels)
    if added is None or added.axis != axis or added.weight.shape != (channels,):
        return None
    return operator, {**first.weights, "bias": added.weight}


def _added(layer: Layer, channels: int) -> _Bias | None:
    """What a layer adds, if that is all it does; a number is a vector of one channel."""
    if isinstance(layer.operator, ops.Scale) and set(layer.weights) == {"bias"}:
        return _Bias(layer.operator.axis, layer.weights["bias"])
    if channels != 1 or layer.operator != ops.Power(shift=getattr(layer.operator, "shift", 0.0)):
        return None
    import numpy as np

    shift = np.array([layer.operator.shift], np.float32)
    return _Bias(1, weight_of(shift))


def _affine(first: Layer, second: Layer) -> tuple[Operator, Mapping[str, Weight]] | None:
    """A product and then a sum along one axis."""
    if not isinstance(first.operator, ops.Scale) or first.operator != second.operator:
        return None
    if set(first.weights) != {"scale"} or set(second.weights) != {"bias"}:
        return None
    if first.operator.operand != "none":
        return None
    return first.operator, {**first.weights, **second.weights}


def _enlarged(first: Layer, second: Layer) -> tuple[Operator, Mapping[str, Weight]] | None:
    """Pixels repeated along one axis, then along another."""
    a, b = first.operator, second.operator
    if not isinstance(a, ops.Resize) or not isinstance(b, ops.Resize):
        return None
    if a.factor is None or b.factor is None or len(a.factor) != len(b.factor):
        return None
    factors = tuple(x * y for x, y in zip(a.factor, b.factor, strict=True))
    plain = ops.Resize("nearest", "asymmetric", factor=a.factor, nearest_mode="floor")
    if a != plain or b != replace(plain, factor=b.factor):
        return None
    return replace(plain, factor=factors), {}
