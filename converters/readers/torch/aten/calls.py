"""Calls of ATen operators as plain records, whatever file they come from.

An exported program and the code of a TorchScript archive both become them; a lowering sees no more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from upconv.converters.readers.torch.state.element_types import name_of

MAX_AXES: Final = 64


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor by its name in the graph."""

    name: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """An argument of a kind that no convertible operator has."""

    kind: str


Argument: TypeAlias = Any
"""None, a number, text, truth value, TensorRef, Opaque, a list of them, or what the file's reader
has for a size that is open."""


@dataclass(frozen=True, slots=True)
class TensorMeta:
    """What is known of a tensor: its element type and its sizes, as ints or texts."""

    dtype: int
    sizes: tuple[int | str, ...]

    @property
    def dtype_name(self) -> str:
        return name_of(self.dtype)


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a call stands: the user's own line, as file:line, the path of the innermost module,
    and that module's class."""

    code: str = ""
    module: str = ""
    module_type: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator call: arguments by the schema's names, those at their default left out.

    `schema` is the name of the overload that is called, where another one means the same.
    """

    target: str
    name: str
    arguments: Mapping[str, Argument]
    outputs: tuple[str, ...]
    site: CallSite = CallSite()
    schema: str = ""


def references(argument: Argument) -> list[TensorRef]:
    """The tensors that an argument names."""
    many = argument if isinstance(argument, list) else [argument]
    return [one for one in many if isinstance(one, TensorRef)]


TORCH_ITSELF: Final = re.compile(
    r"(^|[\\/])(site-packages|dist-packages)[\\/]torch[\\/]|^torch[\\/]"
)
"""Paths of PyTorch's own code, which is no line of the user's."""
