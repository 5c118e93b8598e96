"""Grids of places, and what is sampled at them (grid_generator-inl.h, bilinear_sampler.cc,
spatial_transformer.cc): places from -1 to 1, the centres of the border's pixels."""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import weight_of
from upconv.converters.readers.mxnet.lowering import Call, Made, lowers

_MOST: Final = 1 << 24
"""Places of a grid."""


def _mesh(call: Call, size: ops.Ints, ends: tuple[tuple[float, float], ...]) -> list[Any]:
    """[x, y] of every pixel, (H, W) each, between the ends of each axis."""
    import numpy as np

    if len(size) != 2 or min(size) < 1 or size[0] * size[1] > _MOST:
        raise call.ask.invalid(f"a grid of {'x'.join(map(str, size))} places", "target_shape")
    y, x = (np.linspace(*pair, n, dtype=np.float32) for pair, n in zip(ends, size, strict=True))
    return list(np.meshgrid(x, y))


def _affine(call: Call, theta: str) -> tuple[str, ops.Operator]:
    """theta (N, 6), a matrix (2, 3) that (x, y, 1) is multiplied with; the places (N, 2, H, W), but
    for the last step."""
    import numpy as np

    size = call.ask.ints("target_shape")
    x, y = _mesh(call, size, ((-1.0, 1.0), (-1.0, 1.0)))
    pixels = call.constant(weight_of(np.stack([x, y, np.ones_like(x)]).reshape(3, -1)))
    matrix = call.step(ops.Reshape((0, 2, 3)), [theta], "matrix")
    flat = call.step(ops.MatMul(), [matrix, pixels], "places")
    return flat, ops.Reshape((0, 0, *size))


@lowers("GridGenerator")
def _grid(call: Call) -> Made:
    """Of a matrix, or of a flow: how many pixels away each pixel's place is."""
    import numpy as np

    if call.ask.word("transform_type", "affine", "warp") == "affine":
        flat, last = _affine(call, call.x)
        return call.emit(last, [flat])
    call.ask.text("target_shape")
    height, width = size = call.known()[2:]
    if min(size) < 2:
        raise call.ask.unsupported("a flow of one row or column")
    mesh = _mesh(call, size, ((0.0, height - 1.0), (0.0, width - 1.0)))
    pixels = call.constant(weight_of(np.stack(mesh)[None]))
    moved = call.step(ops.Eltwise("sum", broadcast=True), [call.x, pixels], "moved")
    scale = np.array([2 / (width - 1), 2 / (height - 1)], np.float32)
    weights = {"scale": weight_of(scale), "bias": weight_of(-np.ones(2, np.float32))}
    return call.emit(ops.Scale(1), [moved], weights)


def _sampled(call: Call, places: str) -> Made:
    turned = call.step(ops.Permute((0, 2, 3, 1)), [places], "grid")
    operator = ops.GridSample("linear", "zeros", align_corners=True)
    return call.emit(operator, [call.x, turned])


@lowers("BilinearSampler")
def _sampler(call: Call) -> Made:
    return _sampled(call, call.value(1))


@lowers("SpatialTransformer")
def _transformer(call: Call) -> Made:
    kinds = call.ask.word("transform_type", ""), call.ask.word("sampler_type", "")
    if kinds != ("affine", "bilinear"):
        raise call.ask.invalid("a transformer that is not affine and bilinear", "transform_type")
    flat, last = _affine(call, call.value(1))
    return _sampled(call, call.step(last, [flat], "transform"))
