"""What flows along a graph's edges while it is read: data of the network, or what is known now."""

from __future__ import annotations

from typing import TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.element_types import Kind
from upconv.converters.readers.assembly.known import Known


@record(frozen=True, slots=True)
class InPlane:
    """Places in planes of so many."""

    plane: Size


@record(frozen=True, slots=True)
class Planes:
    """0, `step`, twice `step` ...: what stands before each plane, one after the other."""

    step: Size


@record(frozen=True, slots=True)
class Whole:
    """The `places` in planes of `pooled` many, counted through all planes of `plane` many."""

    places: str
    pooled: Size
    plane: Size


@record(frozen=True, slots=True)
class Rows:
    """What comes of an unpooling of `x` by its `places`, before its planes have their sizes."""

    x: str
    places: str
    plane: Size


Counted: TypeAlias = InPlane | Planes | Whole | Rows
"""What is known of a tensor's numbers, beside the layers that compute them."""


@record(frozen=True, slots=True)
class Value:
    """A tensor that the network computes; `kind` is what its numbers are, `counted` what they
    count."""

    name: str
    kind: Kind = "float"
    counted: Counted | None = None


@record(frozen=True, slots=True)
class Places:
    """The indices of a max pooling of `pooled`, the layer of that title, where ONNX counts through
    the whole tensor and its second output through each plane."""

    title: str
    pooled: str


@record(frozen=True, slots=True)
class Begins:
    """The first place of each plane of `pooled`, counted through the whole tensor."""

    pooled: str


@record(frozen=True, slots=True)
class Lost:
    """An output or a tensor that is not represented; the reason stops only what reads it."""

    reason: str


Entry: TypeAlias = Value | Known | Places | Begins | Lost | None
"""None is an optional input that is absent."""
