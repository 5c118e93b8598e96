"""Reading the fields that many layers have: enum values and axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.files.prototxt import Message

MAX_AXES: Final = 32
"""Caffe's kMaxBlobAxes (include/caffe/blob.hpp)."""


def choice(
    layer: CaffeLayer, param: Message, field: str, numbers: Mapping[str, int], default: str
) -> str:
    """The name of an enum field's value, which a file may give by name or number.

    Raises UnreadableError for a value that the enum does not have.
    """
    given = param.enum(field, default)
    for name, number in numbers.items():
        if given in (name, str(number)):
            return name
    known = ", ".join(numbers)
    scalar = param.get(field)
    raise layer.invalid(
        f"{field} is {given}, which is none of {known}",
        where=scalar.span if scalar is not None else None,
    )


def axis_of(layer: CaffeLayer, param: Message, old: str, default: int) -> int:
    """`axis`, or the field that older nets have in its place (never negative)."""
    if not param.has(old):
        return param.int("axis", default)
    if param.has("axis"):
        raise layer.invalid(f"gives both axis and {old}", "keep axis")
    return param.int(old, default)
