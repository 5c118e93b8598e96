"""Reading the fields that many layers have: enum values and axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.caffe.schema import fields_within
from upconv.converters.readers.files.prototxt import Message, Scalar

MAX_AXES: Final = 32
"""Caffe's kMaxBlobAxes (include/caffe/blob.hpp)."""


_WIRING: Final = frozenset(
    {"name", "type", "bottom", "top", "param", "include", "exclude", "blobs", "loss_weight"}
    | {"propagate_down", "phase", "blobs_lr", "weight_decay"}
)

Values = tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


def said_of(node: Message) -> tuple[tuple[str, Values], ...]:
    """What a layer's text says of it, beside its place in the net: names and values.

    The names of sub-messages stand before those of their fields, with an underscore between.
    Numbers are integers where all of a field's are, true and false 1 and 0, the rest texts.
    """
    found: dict[str, list[Scalar]] = {}
    _collect(node, "", found)
    return tuple((name, _values(scalars)) for name, scalars in found.items())


def _collect(message: Message, prefix: str, found: dict[str, list[Scalar]]) -> None:
    for field in fields_within(message):
        if not prefix and field.name in _WIRING:
            continue
        for value in field.values:
            if isinstance(value, Message):
                _collect(value, f"{prefix}{field.name}_", found)
            else:
                found.setdefault(f"{prefix}{field.name}", []).append(value)


def _values(scalars: list[Scalar]) -> Values:
    if all(one.kind == "string" for one in scalars):
        return tuple(one.as_str() for one in scalars)
    if all(one.text in _TRUTHS for one in scalars):
        return tuple(_TRUTHS[one.text] for one in scalars)
    for read in (Scalar.as_int, Scalar.as_float):
        try:
            return tuple(read(one) for one in scalars)
        except UnreadableError:
            continue
    return tuple(one.text for one in scalars)


_TRUTHS: Final = {"true": 1, "false": 0}


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
