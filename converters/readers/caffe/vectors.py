"""Blobs that hold one value per channel, in whatever shape a fork stored them.

BVLC stores such a blob as (C); SegNet's and PSPNet's BN as (1, C, 1, 1); a value shared by all
channels may have no axes at all. Blobs whose shape matters are read by `weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from upconv.converters.ir.tensors import Filler, Weight, missing
from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.caffe.weights import BlobSpec, filler_of, weights_of
from upconv.converters.readers.files.prototxt import Message


def vectors_of(
    layer: CaffeLayer, fillers: Mapping[str, Filler | None], length: int | None
) -> dict[str, Weight]:
    """The layer's blobs in order, named by the keys of `fillers`, each as a vector (length).

    `length` is None where it is not known. Raises UnreadableError where the caffemodel has
    another number of blobs, or one of another length.
    """
    if layer.blobs is None:
        shape = None if length is None else (length,)
        return {name: missing(shape, filler) for name, filler in fillers.items()}
    shapes = [blob.shape for blob in layer.blobs] + [()] * len(fillers)
    specs = [
        BlobSpec(name, shape, filler)
        for (name, filler), shape in zip(fillers.items(), shapes, strict=False)
    ]
    weights = weights_of(layer, specs)
    for name, weight in weights.items():
        require_length(layer, name, weight, length)
    return {name: replace(weight, shape=(weight.size,)) for name, weight in weights.items()}


def require_length(layer: CaffeLayer, name: str, weight: Weight, length: int | None) -> None:
    """Raise UnreadableError where a stored weight has another number of values than `length`."""
    count = prod(weight.shape or ())
    if length is not None and count != length:
        values = "1 value" if count == 1 else f"{count} values"
        raise layer.invalid(
            f"its {name} has {values} in the weights file, but it takes {length}",
            "the caffemodel belongs to another version of this net",
        )


def channels_of(layer: CaffeLayer, index: int = 0) -> int | None:
    """How many channels a bottom has, where that is a known number."""
    shape = layer.shapes[index] if index < len(layer.shapes) else None
    known = shape[1] if shape is not None and len(shape) > 1 else None
    return known if isinstance(known, int) else None


def channel_filler(param: Message, field: str, default: float) -> Filler:
    """The filler of a field for which the layer itself, not FillerParameter, has a default."""
    return filler_of(param, field) if param.has(field) else Filler("constant", default, False)
