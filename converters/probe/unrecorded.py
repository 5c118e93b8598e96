"""What nodes mean that have no record: interpolation with words that the specification leaves open,
or that the representation has no word for, and an output_shape that has N and C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.nearest import simple_fraction
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import weight_of
from upconv.converters.ir.written import OnnxNode
from upconv.converters.reference.interpolation import KERNELS, Taps

Array = NDArray[np.float64]
Values: TypeAlias = Mapping[str, Array]
Coordinates: TypeAlias = Callable[[int, int, int, Fraction], Fraction]
"""(index, size, size afterwards, scale) -> source coordinate."""


@record(frozen=True, slots=True)
class Meaning:
    """One meaning of a node; `words` tell it from the others that it may have."""

    words: str
    right: Array


@record(frozen=True, slots=True)
class Meant:
    """The meanings of a node, the first as most engines have it, and a layer whose readings may
    explain an engine that has none of them."""

    layer: Layer
    meanings: tuple[Meaning, ...]

    def open(self) -> tuple[str, ...]:
        """What tells the first meaning from others that are as good; () where there are none."""
        return (self.meanings[0].words,) if len(self.meanings) > 1 else ()


def conv_transpose(node: OnnxNode, layer: Layer, x: Array, values: Values) -> Layer | None:
    """With an output_shape that has N and C: as if it had the sizes alone."""
    asked, weight = node.attribute("output_shape"), values.get(node.inputs[1])
    axes = x.ndim - 2
    if not isinstance(asked, tuple) or len(asked) != x.ndim or weight is None:
        return None
    kernel = weight.shape[2:]
    stride, dilation = (_ints(node, name, (1,) * axes) for name in ("strides", "dilations"))
    extra = _ints(node, "output_padding", (0,) * axes)
    upper = node.attribute("auto_pad") == "SAME_UPPER"
    rows = zip(x.shape[2:], asked[2:], kernel, stride, dilation, extra, strict=True)
    pads = [
        geometry.onnx_transposed_pads(geometry.full_size(n, k, s, d) + e, target, upper=upper)
        for n, target, k, s, d, e in rows
    ]
    begin, end = (tuple(int(pair[side]) for pair in pads) for side in (0, 1))
    groups = node.attribute("group")
    groups = groups if isinstance(groups, int) else 1
    operator = ops.ConvTranspose(
        weight.shape[1] * groups, kernel, stride, dilation, begin, end, extra, groups
    )
    held = {"weight": weight_of(weight.astype(np.float32))}
    if len(node.inputs) > 2 and node.inputs[2] in values:
        held["bias"] = weight_of(values[node.inputs[2]].astype(np.float32))
    return replace(layer, operator=operator, weights=held)


def _ints(node: OnnxNode, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    found = node.attribute(name)
    return found if isinstance(found, tuple) and found else default


def resize(node: OnnxNode, layer: Layer, x: Array, values: Values) -> Meant | None:
    """Of all axes, by scales or sizes that are constants."""
    mode, word = (node.attribute(name) for name in ("mode", "coordinate_transformation_mode"))
    word = word or "half_pixel"
    ratios = _ratios(node, x, values)
    if mode not in KERNELS or word not in COORDINATES or ratios is None:
        return None
    antialias = bool(node.attribute("antialias"))
    a = node.attribute("cubic_coeff_a")
    a = round(a, 6) if isinstance(a, float) else -0.75
    meanings = []
    for words, coordinates in COORDINATES[str(word)]:
        right = x
        for axis, (out, scale) in enumerate(ratios):
            taps = _taps(str(mode), coordinates, x.shape[axis + 2], out, scale, antialias, a)
            right = taps.apply(right, axis + 2)
        meanings.append(Meaning(words, right))
    near: Any = word
    operator = ops.Resize(
        str(mode),  # type: ignore[arg-type]
        near,
        size=tuple(out for out, _ in ratios),
        cubic_a=a,
        antialias=antialias,
        scale=None if antialias else tuple(float(scale) for _, scale in ratios),
    )
    return Meant(replace(layer, operator=operator), tuple(meanings))


def _ratios(node: OnnxNode, x: Array, values: Values) -> list[tuple[int, Fraction]] | None:
    """(size, scale) of each spatial axis; None where they are not known, or axes are named."""
    given = [values.get(name) for name in node.inputs[2:4]]
    scales, sizes = (*given, None, None)[:2]
    if node.attribute("axes") is not None or node.attribute("keep_aspect_ratio_policy"):
        return None
    if sizes is not None and sizes.size == x.ndim:
        found = zip(x.shape[2:], sizes[2:], strict=True)
        return [(int(out), Fraction(int(out), n)) for n, out in found]
    if scales is None or scales.size != x.ndim:
        return None
    meant = [simple_fraction(float(np.float32(one))) for one in scales[2:]]
    return [(int(n * scale), scale) for n, scale in zip(x.shape[2:], meant, strict=True)]


def _symmetric(i: int, n: int, out: int, scale: Fraction) -> Fraction:
    return Fraction(n, 2) * (1 - out / (n * scale)) + (i + Fraction(1, 2)) / scale - Fraction(1, 2)


COORDINATES: Final[Mapping[str, Sequence[tuple[str, Coordinates]]]] = {
    "half_pixel": (("", lambda i, n, out, s: (i + Fraction(1, 2)) / s - Fraction(1, 2)),),
    "asymmetric": (("", lambda i, n, out, s: i / s),),
    "half_pixel_symmetric": (("", _symmetric),),
    "align_corners": (
        (
            "the last pixel on the last, as onnxruntime has it",
            lambda i, n, out, s: Fraction(i * (n - 1), max(out - 1, 1)),
        ),
        (
            "coordinates by size times scale before it is rounded, as onnx's evaluator has it",
            lambda i, n, out, s: i * (n - 1) / (n * s - 1),
        ),
    ),
}
"""ONNX Resize's coordinate_transformation_mode -> the meanings that it may have with a scale that
gives no whole size."""


def _taps(
    mode: str,
    coordinates: Coordinates,
    n: int,
    out: int,
    scale: Fraction,
    antialias: bool,
    a: float,
) -> Taps:
    """Pixels outside of the input are those of its edge, with antialias too (exclude_outside 0)."""
    kernel = KERNELS[mode]
    centre = np.array([float(coordinates(i, n, out, scale)) for i in range(out)])[:, None]
    stretch = max(float(1 / scale), 1.0) if antialias else 1.0
    first = np.floor(centre - kernel.support * stretch)
    index = first + np.arange(2 * np.ceil(kernel.support * stretch) + 2)
    weight = kernel.value((index - centre) / stretch, a)
    weight /= weight.sum(axis=1, keepdims=True)
    return Taps(np.clip(index, 0, n - 1).astype(np.int64), weight)
