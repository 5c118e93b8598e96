"""Interpolation: every pixel a weighted sum of source pixels, one axis after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.coordinates import Indices, SourceCoordinates, source_coordinates


@dataclass(frozen=True, slots=True)
class Taps:
    """Along one axis: the source pixels (out, taps) of each pixel, and their weights."""

    index: Indices
    weight: NDArray[np.float64]

    def apply(self, x: Array, axis: int) -> Array:
        """The weighted sums of x's pixels along `axis`."""
        shape = [1] * x.ndim
        shape[axis] = len(self.index)
        total: Array = np.zeros(())
        for index, weight in zip(self.index.T, self.weight.T, strict=True):
            total = total + x.take(index, axis) * weight.reshape(shape)
        return total


@MEANINGS.register(ops.Resize)
def _resize(op: ops.Resize, call: Operands) -> tuple[Array, ...]:
    result = call.x
    for axis, (size, out) in enumerate(zip(call.x.shape[2:], call.spatial, strict=True)):
        scale = None if op.scale is None else op.scale[axis]
        if scale is None and op.factor is not None:
            scale = op.factor[axis]
        coordinates = source_coordinates(size, out, op.coordinate_mode, scale)
        if op.mode == "nearest":
            index = np.clip(coordinates.nearest(op.nearest_mode), 0, size - 1)
            result = result.take(index, axis + 2)
        else:
            result = _axis_taps(op, coordinates, size).apply(result, axis + 2)
    return (result,)


def _axis_taps(op: ops.Resize, coordinates: SourceCoordinates, size: int) -> Taps:
    """Taps beyond an edge fall on the edge, or are left out."""
    if op.antialias or op.exclude_outside:
        return _inside_only(op, coordinates, size)
    reach = KERNELS[op.mode].support
    offsets = np.arange(1 - reach, reach + 1)
    index = np.clip(coordinates.floors()[:, None] + offsets, 0, size - 1)
    distance = offsets - coordinates.fractions()[:, None]
    return Taps(index, KERNELS[op.mode].value(distance, op.cubic_a))


def _inside_only(op: ops.Resize, coordinates: SourceCoordinates, size: int) -> Taps:
    """The kernel over the pixels inside, weights summing to 1 (ONNX Resize exclude_outside); with
    antialias stretched by the downscaling (Pillow Resample.c)."""
    kernel = KERNELS[op.mode]
    stretch = max(float(coordinates.share), 1.0) if op.antialias else 1.0
    centre = coordinates.values()[:, None]
    first = np.floor(centre - kernel.support * stretch)
    index = first + np.arange(2 * np.ceil(kernel.support * stretch) + 2)
    weight = kernel.value((index - centre) / stretch, op.cubic_a)
    weight[(index < 0) | (index >= size)] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    return Taps(np.clip(index, 0, size - 1).astype(np.int64), weight)


def _linear(distance: Array, a: float) -> Array:
    return np.maximum(1.0 - np.abs(distance), 0.0)


def _cubic(distance: Array, a: float) -> Array:
    """Keys' cubic convolution kernel with parameter a (Keys 1981)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


@dataclass(frozen=True, slots=True)
class Kernel:
    """How far a kernel reaches, in pixels, and its value at a distance (and Keys' a)."""

    support: int
    value: Callable[[Array, float], Array]


KERNELS = {"linear": Kernel(1, _linear), "cubic": Kernel(2, _cubic)}
