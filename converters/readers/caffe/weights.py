"""A layer's blobs as named weights: counted and measured as Caffe's CopyTrainedLayersFrom does.

What a caffemodel holds is checked against the layer's parameters; what it lacks becomes a missing
weight with the filler that the prototxt declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Filler, TensorData, Weight, missing
from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.files.prototxt import Message

PartialShape: TypeAlias = tuple[int | None, ...]
"""A weight's shape as far as the parameters tell; None for an axis that the input decides."""


@record(frozen=True, slots=True)
class BlobSpec:
    """What a layer expects of one blob: the weight's name, its shape and what would fill it."""

    name: str
    shape: PartialShape
    filler: Filler | None = None


def filler_of(param: Message, field: str) -> Filler:
    """The filler that `param` declares in `field`; Caffe's default is constant zeros."""
    declared = param.message(field)
    if declared is None:
        return Filler("constant", 0.0, declared=False)
    return Filler(declared.str("type", "constant").lower(), declared.float("value", 0.0))


def weights_of(layer: CaffeLayer, specs: Sequence[BlobSpec]) -> dict[str, Weight]:
    """The layer's weights by name, in the order of its blobs.

    Raises UnreadableError where the caffemodel has another number of blobs than `specs`, or one
    of another shape: Caffe aborts there.
    """
    if layer.blobs is None:
        return {spec.name: missing(known_shape(spec.shape), spec.filler) for spec in specs}
    if len(layer.blobs) != len(specs):
        names = ", ".join(spec.name for spec in specs) or "none"
        raise layer.invalid(
            f"the weights file has {_count(len(layer.blobs))} for it, but it takes "
            f"{len(specs)} ({names})",
            "the caffemodel belongs to another version of this net",
        )
    return {
        spec.name: _weight(layer, index, blob, spec)
        for index, (blob, spec) in enumerate(zip(layer.blobs, specs, strict=True))
    }


def known_shape(shape: PartialShape) -> tuple[int, ...] | None:
    """The shape where every axis is known, else None.

    >>> known_shape((8, None)) is None
    True
    """
    known = tuple(size for size in shape if size is not None)
    return known if len(known) == len(shape) else None


def _weight(layer: CaffeLayer, index: int, blob: TensorData, spec: BlobSpec) -> Weight:
    shape = _aligned(blob, len(spec.shape))
    if shape is None or not _fits(shape, spec.shape):
        raise layer.invalid(
            f"blob {index} of the weights file has the shape {_text(blob.shape)}, but its "
            f"{spec.name} is {_text(spec.shape)}",
            "the caffemodel belongs to another version of this net",
        )
    if not getattr(blob, "present", True):
        return missing(shape, spec.filler)
    return Weight(shape, blob)


def _aligned(blob: TensorData, rank: int) -> tuple[int, ...] | None:
    """The blob's shape in `rank` axes. Legacy shapes (num, channels, height, width) match their
    trailing axes, the others being 1 (Caffe Blob::ShapeEquals); None where they do not."""
    shape = blob.shape
    if not getattr(blob, "legacy", False) or rank > len(shape):
        return shape
    cut = len(shape) - rank
    return shape[cut:] if prod(shape[:cut]) == 1 else None


def _fits(shape: tuple[int, ...], expected: PartialShape) -> bool:
    return len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape, expected, strict=True)
    )


def _text(shape: PartialShape) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "a single value"


def _count(blobs: int) -> str:
    return f"{blobs} blob" if blobs == 1 else f"{blobs} blobs"
