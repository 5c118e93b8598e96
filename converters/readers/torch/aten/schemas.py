"""The schemas of ATen's operators, which are torch's own, in `aten_schemas.txt`.

A test holds them against its registry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

SCHEMAS: Final = Path(__file__).with_name("aten_schemas.txt")
_SCHEMA: Final = re.compile(r"(\w+)(?:\.(\w+))?\((.*)\) -> (.*)")
_SEPARATOR: Final = re.compile(r", (?=\*|[A-Z?a-z]+(?:\[\d*\])?\??(?:\[\d*\])?\??\s\w+)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a schema: its type in ATen's words, and whether a call may leave it out."""

    name: str
    type: str
    optional: bool
    keyword_only: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """An overload: its target as exported programs spell it, `aten.add.Tensor`.

    `outputs` is how many tensors it gives, None where it gives a list of them.
    """

    target: str
    parameters: tuple[Parameter, ...]
    outputs: int | None


SAME: Final = {
    "aten._convolution.deprecated": "aten._convolution.default",
    "aten.split.default": "aten.split_with_sizes.default",
    "aten.split.sizes": "aten.split_with_sizes.default",
    "aten.to.other": "aten.type_as.default",
    "aten.to.prim_Device": "aten.to.device",
    "aten.to.prim_dtype": "aten.to.dtype",
}
"""Overloads that only TorchScript has -> the one that means the same."""


@cache
def schemas() -> Mapping[str, tuple[Schema, ...]]:
    """Operator name -> its overloads; the one without a name comes first."""
    found: dict[str, list[Schema]] = {}
    for line in SCHEMAS.read_text("utf-8").splitlines():
        match = _SCHEMA.fullmatch(line)
        assert match is not None, line
        name, overload, parameters, result = match.groups()
        target = f"aten.{name}.{overload or 'default'}"
        schema = Schema(SAME.get(target, target), _parameters(parameters), _outputs(result))
        found.setdefault(name, []).append(schema)
    return {name: tuple(entries) for name, entries in found.items()}


def _outputs(result: str) -> int | None:
    return None if result == "Tensor[]" else result.count("Tensor")


def _parameters(text: str) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    keyword_only = False
    for part in _SEPARATOR.split(text):
        if part == "*":
            keyword_only = True
            continue
        kind, _, rest = part.partition(" ")
        name, default, _ = rest.partition("=")
        found.append(Parameter(name, kind, bool(default), keyword_only))
    return tuple(found)
