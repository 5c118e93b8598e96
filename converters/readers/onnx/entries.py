"""What flows along a graph's edges while it is read: data of the network, or what is known now."""

from __future__ import annotations

from typing import TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.element_types import Kind
from upconv.converters.readers.assembly.known import Known


@record(frozen=True, slots=True)
class Value:
    """A tensor that the network computes; `kind` is what its numbers are."""

    name: str
    kind: Kind = "float"


@record(frozen=True, slots=True)
class Places:
    """The indices of a max pooling of `pooled`, as places in each plane, where ONNX counts through
    the whole tensor."""

    name: str
    pooled: str


@record(frozen=True, slots=True)
class Lost:
    """An output or a tensor that is not represented; the reason stops only what reads it."""

    reason: str


Entry: TypeAlias = Value | Known | Places | Lost | None
"""None is an optional input that is absent."""
