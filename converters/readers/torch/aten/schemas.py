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

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import Argument, TensorRef

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


@cache
def schemas() -> Mapping[str, tuple[Schema, ...]]:
    """Operator name -> its overloads; the one without a name comes first."""
    found: dict[str, list[Schema]] = {}
    for line in SCHEMAS.read_text("utf-8").splitlines():
        match = _SCHEMA.fullmatch(line)
        assert match is not None, line
        name, overload, parameters, result = match.groups()
        target = f"aten.{name}.{overload or 'default'}"
        schema = Schema(target, _parameters(parameters), _outputs(result))
        found.setdefault(name, []).append(schema)
    return {name: tuple(entries) for name, entries in found.items()}


@cache
def schema_of(target: str) -> Schema | None:
    """The schema of `aten.add.Tensor`; None for an operator that no lowering knows."""
    _, _, name = target.partition(".")
    overloads = schemas().get(name.partition(".")[0], ())
    return next((schema for schema in overloads if schema.target == target), None)


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


def fitted(schema: Schema, arguments: Mapping[str, Argument]) -> Mapping[str, Argument]:
    """The arguments of a call, which are those that its operator takes.

    One number that is given for all of a list is a list. Raises UnsupportedError where they are
    of other kinds, missing or unknown; how many there are in a list, and whether they suit the
    tensors, is for the lowerings to ask.
    """
    parameters = {one.name: one for one in schema.parameters}
    for name, value in arguments.items():
        if name not in parameters:
            raise UnsupportedError(f"it has an argument '{name:.40}', which it does not take")
        if not _accepts(parameters[name].type, value):
            raise UnsupportedError(f"its {name} is no {parameters[name].type}")
    for one in schema.parameters:
        if one.name not in arguments and not one.optional and not one.type.endswith("?"):
            raise UnsupportedError(f"it has no {one.name}")
    return {name: _listed(parameters[name].type, value) for name, value in arguments.items()}


def _listed(kind: str, value: Argument) -> Argument:
    many = kind.removesuffix("?").endswith("]")
    return [value] if many and value is not None and not isinstance(value, list) else value


def _accepts(kind: str, value: Argument) -> bool:
    """Whether an argument, its sizes known or open, is of a type."""
    if kind.endswith("?"):
        return value is None or _accepts(kind[:-1], value)
    if kind.endswith("]"):
        base, _, length = kind[:-1].rpartition("[")
        if isinstance(value, list):
            return all(_accepts(base, one) for one in value)
        return bool(length) and _accepts(base, value)
    if kind not in _TYPES:
        return True  # a device, a memory format: no lowering reads it
    return isinstance(value, _TYPES[kind]) and (kind in _OF_TRUTH or not isinstance(value, bool))


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "Tensor": (TensorRef, int, float, Dim),
    "Scalar": (int, float, Dim),
    "int": (int, Dim),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "ScalarType": (int,),
}
"""What arguments of a type are here; a number may stand for a tensor without axes."""

_OF_TRUTH: Final = frozenset({"Tensor", "Scalar", "bool"})
"""The types that a truth value may have."""
