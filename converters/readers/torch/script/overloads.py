"""Which overload of an ATen operator a call in TorchScript's code means.

The code says `torch.add(x, 1)` and leaves the overload to its reader, who takes the first schema
that the arguments fit (torch/csrc/jit/frontend/schema_matching.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from upconv.converters.ir.dims import Dim
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.aten.schemas import Schema, schemas
from upconv.converters.readers.torch.script.values import Device, Number, Unsure, Value

SAME: Final = {
    "aten._convolution.deprecated": "aten._convolution.default",
    "aten.split.default": "aten.split_with_sizes.default",
    "aten.split.sizes": "aten.split_with_sizes.default",
    "aten.to.other": "aten.type_as.default",
    "aten.to.prim_Device": "aten.to.device",
    "aten.to.prim_dtype": "aten.to.dtype",
}
"""Overloads that only TorchScript has -> the one that means the same."""


def overload(
    name: str, arguments: Sequence[Value], keywords: Mapping[str, Value]
) -> tuple[Schema, dict[str, Value]] | None:
    """The first overload that the arguments fit, and the arguments by their names.

    None where the operator is not known or none of its overloads fits.
    """
    for strict in (True, False):
        for schema in schemas().get(name, ()):
            named = _named(schema, arguments, keywords)
            if named is not None and _fits(schema, named, strict):
                return schema, named
    return None


def _named(
    schema: Schema, arguments: Sequence[Value], keywords: Mapping[str, Value]
) -> dict[str, Value] | None:
    positional = [one.name for one in schema.parameters if not one.keyword_only]
    known = {one.name for one in schema.parameters}
    if len(arguments) > len(positional) or not keywords.keys() <= known:
        return None
    named = dict(zip(positional, arguments, strict=False)) | dict(keywords)
    required = (one.name for one in schema.parameters if not one.optional)
    return named if all(name in named for name in required) else None


def _fits(schema: Schema, named: Mapping[str, Value], strict: bool) -> bool:
    kinds = {one.name: one.type for one in schema.parameters}
    return all(fits(kinds[name], value, strict) for name, value in named.items())


def fits(kind: str, value: Value, strict: bool = True) -> bool:
    """Whether a value is of a type; where not strict, numbers may become others.

    >>> fits("int[2]", 3), fits("int[]", 3), fits("Tensor?", None)
    (True, False, True)
    """
    if kind.endswith("?"):
        return value is None or fits(kind[:-1], value, strict)
    if isinstance(value, Unsure):
        return kind == "Tensor" or value.tensor is None
    if kind.endswith("]"):
        base, _, length = kind[:-1].rpartition("[")
        if isinstance(value, list | tuple):
            return all(fits(base, one, strict) for one in value)
        return bool(length) and fits(base, value, strict)
    return _is_scalar(kind, value, strict)


def _is_scalar(kind: str, value: Value, strict: bool) -> bool:
    if kind == "Tensor":
        return isinstance(value, TensorRef | Number)
    if isinstance(value, Number) and not strict:
        value = value.value
    known = _TYPES.get(kind, ())
    if isinstance(value, bool):
        return bool in known or (not strict and kind in ("Scalar", "int"))
    return isinstance(value, known) or (not strict and kind == "float" and isinstance(value, int))


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "int": (int, Dim),
    "float": (float, Ratio),
    "Scalar": (int, float, Dim, Ratio),
    "bool": (bool,),
    "str": (str,),
    "ScalarType": (int,),
    "Layout": (int,),
    "MemoryFormat": (int,),
    "Device": (Device,),
}
