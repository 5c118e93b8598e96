"""Sampling at computed places, and the grids for it."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

MODES: Final[tuple[Literal["linear", "nearest", "cubic"], ...]] = ("linear", "nearest", "cubic")
PADDINGS: Final[tuple[Literal["zeros", "border", "reflection"], ...]] = (
    "zeros",
    "border",
    "reflection",
)
"""By the numbers that aten's grid_sampler has for them (ATen/native/GridSamplerUtils.h)."""


@lowers("grid_sampler.default", "grid_sampler_2d.default", "grid_sampler_3d.default")
def _grid_sampler(call: AtenCall) -> None:
    mode, padding = call.fixed("interpolation_mode", 0), call.fixed("padding_mode", 0)
    if not 0 <= mode < len(MODES) or not 0 <= padding < len(PADDINGS):
        raise UnsupportedError(f"its modes are {mode} and {padding}")
    corners = bool(call.get("align_corners", False))
    operator = ops.GridSample(MODES[mode], PADDINGS[padding], corners)
    call.emit(operator, [call.value("input"), call.value("grid")])


@lowers("affine_grid_generator.default")
def _affine_grid(call: AtenCall) -> None:
    """The places (x, y, 1) of all pixels, stored as sizes are fixed, times theta^T."""
    shape = call.output_shape(least=4)
    sizes = tuple(size for size in shape[1:-1] if isinstance(size, int))
    axes = len(sizes)
    if axes != len(shape) - 2 or min(sizes) < 1:
        raise UnsupportedError("the grid it makes has open sizes", hint="export it with fixed ones")
    weight = _centres(sizes, bool(call.get("align_corners", False)))
    base = call.step(ops.Constant(weight.shape or ()), [], "centres", {"value": weight})
    turned = call.step(ops.Permute((0, 2, 1)), [call.value("theta")], "turned")
    placed = call.step(ops.MatMul(), [base, turned], "placed")
    call.emit(ops.Reshape(sizes, 1, 1), [placed])


def _centres(sizes: tuple[int, ...], align_corners: bool) -> Weight:
    """(pixels, axes + 1): every pixel's place, the last axis first, and a 1."""
    pixels = 1
    for size in sizes:
        pixels *= size
    shape = (pixels, len(sizes) + 1)

    def compute() -> FloatArray:
        import numpy as np

        lines = []
        for size in sizes:
            ends = 1.0 if align_corners else (size - 1) / size
            lines.append(np.linspace(-ends, ends, size) if size > 1 else np.zeros(1))
        grid = np.meshgrid(*lines, indexing="ij")[::-1]
        return np.stack([*grid, np.ones(sizes)], -1).reshape(shape).astype(np.float32)

    return Weight(shape, ArrayData(shape, compute))
