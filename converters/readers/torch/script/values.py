"""What TorchScript code computes with, while nothing runs: numbers, sizes, tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.state.pickles import Inert

Value: TypeAlias = Any
"""A plain number, text, truth value or None, a Dim, a Ratio, a list, tuple or dict, or one of
TensorRef and the records below."""


@dataclass(slots=True, eq=False)
class Number:
    """A tensor without axes whose only value is known: a number, a Dim or a Ratio.

    `single`: it is float32, to which every result is rounded.
    """

    value: Value
    single: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    """What is not known before the network runs, and why; `tensor` carries it if it is one."""

    reason: str
    tensor: TensorRef | None = None


@dataclass(slots=True, eq=False)
class Object:
    """A module, or another object of a class in the archive's code.

    `path` is the attributes that lead to it, `changed` what the code has assigned since.
    """

    path: str
    type: str
    pickled: Inert
    changed: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name that is no variable: of torch, of ops, or of the archive's own code."""

    path: str


@dataclass(frozen=True, slots=True)
class Device:
    """A torch.device; where a tensor lies does not matter here."""

    name: str


@dataclass(frozen=True, slots=True)
class Taken:
    """How many parts of a result are taken apart, and which of them are read afterwards."""

    count: int
    read: frozenset[int]


class Record(tuple[Value, ...]):
    """A NamedTuple of the archive's code: its values, by their fields' names too."""

    fields: tuple[str, ...] = ()


MAX_WEIGHT: Final = 1 << 20


def weight(value: Value) -> int:
    """How many elements a list, tuple or dict has at any depth, each as often as it stands there.

    A list may hold another twice, and so on: counting ends above MAX_WEIGHT.

    >>> weight([1, [2, 3]])
    4
    """
    count, waiting = 0, [value]
    while waiting and count <= MAX_WEIGHT:
        one = waiting.pop()
        if isinstance(one, list | tuple | Mapping):
            count += len(one)
            waiting.extend(one.values() if isinstance(one, Mapping) else one)
    return count


def tensors(value: Value) -> Iterator[TensorRef]:
    """Every tensor in a value, in order."""
    if isinstance(value, TensorRef):
        yield value
    elif isinstance(value, Unsure):
        yield from (value.tensor,) if value.tensor is not None else ()
    elif isinstance(value, list | tuple):
        yield from all_tensors(value)
    elif isinstance(value, Mapping):
        yield from all_tensors(value.values())


def all_tensors(values: Iterable[Value]) -> Iterator[TensorRef]:
    """Every tensor in some values."""
    for value in values:
        yield from tensors(value)


def unknown_parts(value: Value) -> Iterator[str]:
    """Why parts of a value are not known, of those that no tensor carries."""
    if isinstance(value, Unsure) and value.tensor is None:
        yield value.reason
    elif isinstance(value, list | tuple | Mapping):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from unknown_parts(one)


def unsure(values: Iterable[Value]) -> Unsure | None:
    """The first of the values that is not known, if one is."""
    return next((value for value in values if isinstance(value, Unsure)), None)
