"""Grids of places, and what is sampled at them (grid_generator-inl.h, bilinear_sampler.cc,
spatial_transformer.cc): places from -1 to 1, the centres of the border's pixels."""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Constant
from upconv.converters.ir.tensors import weight_of
from upconv.converters.readers.mxnet.lowering import Call, lowers

_MOST: Final = 1 << 24
"""Places of a grid."""


def _mesh(call: Call, size: tuple[Any, ...], ends: tuple[tuple[float, float], ...]) -> list[Any]:
    """[x, y] of every pixel, (H, W) each, between the ends of each axis."""
    import numpy as np

    if len(size) != 2 or not all(isinstance(n, int) for n in size):
        raise call.unsupported("a grid of an open size", "", "give the input's size with --input")
    if min(size) < 1 or size[0] * size[1] > _MOST:
        raise call.invalid(f"a grid of {size[0]} x {size[1]} places", "target_shape")
    y, x = (np.linspace(*pair, n, dtype=np.float32) for pair, n in zip(ends, size, strict=True))
    return list(np.meshgrid(x, y))


def _stored(call: Call, values: Any, what: str) -> str:
    return call.step(Constant(values.shape), [], what, {"value": weight_of(values)})


def _affine(call: Call, theta: str, what: str) -> str:
    """theta (N, 6), a matrix (2, 3) that (x, y, 1) is multiplied with; the places (N, 2, H, W)."""
    import numpy as np

    size = call.attributes.ints("target_shape")
    x, y = _mesh(call, size, ((-1.0, 1.0), (-1.0, 1.0)))
    pixels = np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    matrix = call.step(ops.Reshape((0, 2, 3)), [theta], "matrix")
    flat = call.step(ops.MatMul(), [matrix, _stored(call, pixels, "pixels")], "places")
    reshape = ops.Reshape((0, 0, *size))
    return call.step(reshape, [flat], what) if what else call.emit(reshape, [flat])


@lowers("GridGenerator")
def _grid(call: Call) -> str:
    """Of a matrix, or of a flow: how many pixels away each pixel's place is."""
    import numpy as np

    kind, x = call.attributes.word("transform_type", ""), call.value()
    if kind == "affine":
        return _affine(call, x, "")
    call.attributes.text("target_shape")
    if kind != "warp":
        raise call.invalid(f"a grid of the type {kind!r}", "transform_type")
    height, width = size = tuple(map(call.work.known, call.shape(x)[2:]))
    if not isinstance(height, int) or not isinstance(width, int) or min(height, width) < 2:
        raise call.unsupported("a flow of an open size", "", "give the input's size with --input")
    mesh = _mesh(call, size, ((0.0, height - 1.0), (0.0, width - 1.0)))
    pixels = _stored(call, np.stack(mesh)[None], "pixels")
    moved = call.step(ops.Eltwise("sum", broadcast=True), [x, pixels], "moved")
    scale = np.array([2 / (width - 1), 2 / (height - 1)], np.float32)
    weights = {"scale": weight_of(scale), "bias": weight_of(-np.ones(2, np.float32))}
    return call.emit(ops.Scale(1), [moved], weights)


def _sampled(call: Call, places: str) -> str:
    turned = call.step(ops.Permute((0, 2, 3, 1)), [places], "grid")
    operator = ops.GridSample("linear", "zeros", align_corners=True)
    return call.emit(operator, [call.value(), turned])


@lowers("BilinearSampler")
def _sampler(call: Call) -> str:
    return _sampled(call, call.value(1))


@lowers("SpatialTransformer")
def _transformer(call: Call) -> str:
    ask = call.attributes
    if (ask.word("transform_type", ""), ask.word("sampler_type", "")) != ("affine", "bilinear"):
        raise call.invalid("a transformer that is not affine and bilinear", "transform_type")
    return _sampled(call, _affine(call, call.value(1), "transform"))
