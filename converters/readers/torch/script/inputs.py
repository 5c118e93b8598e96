"""The inputs of a TorchScript module: who they are, and the shapes that are given for them.

The code has no shapes. The user gives them; a trace keeps those it was made with, in
`traced_inputs.pkl`; else a rank is tried, so that the file can be checked, and no shape is said.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from upconv.converters.ir.dims import leaves, symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.readers.assembly.inputs import overridden
from upconv.converters.readers.files.stored import MAX_AXES
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.letters import letter
from upconv.converters.readers.torch.script.code import Function
from upconv.converters.readers.torch.state.checkpoint import element_of
from upconv.converters.readers.torch.state.element_types import CODES, FLOAT
from upconv.converters.readers.torch.state.pickles import Inert, Persistent, run

TRACED: Final = "traced_inputs.pkl"
RANKS: Final = (4, 5, 3, 2)
"""Tried in this order for inputs of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Input:
    """One tensor that the module takes; `shape` is None where nobody says it. `example`: a trace
    says it, of what it was made with."""

    name: str
    shape: Shape | None
    dtype: int = FLOAT
    example: bool = False


def read_inputs(function: Function, archive: Archive, options: ReadOptions) -> tuple[Input, ...]:
    """The tensors among the parameters of the module's method, with the user's shapes first.

    Raises UnsupportedError for a parameter that is no tensor and has no default, UsageError
    where the user names none of them.
    """
    traced = _traced(archive, function.node.name)
    found: list[Input] = []
    for index, (name, kind, has_default) in enumerate(_parameters(function.node)):
        if not kind.removeprefix("Optional[").startswith("Tensor") and not has_default:
            raise UnsupportedError(
                f"its method takes '{name}', a {kind or 'value'}; only tensors can be inputs",
                path=archive.path,
                hint="script a module that takes tensors alone",
            )
        known = traced[index] if index < len(traced) else None
        if "Tensor" in kind and (not has_default or name in options.inputs or known):
            shape, dtype = known or (None, FLOAT)
            example = known is not None and name not in options.inputs
            found.append(Input(name, shape, dtype, example))
    # A trace's example says no more of an input that the user gives a shape of.
    written = {one.name: None if one.name in options.inputs else one.shape for one in found}
    shapes = overridden(written, options.inputs, archive.path)
    return tuple(replace(one, shape=shapes[one.name]) for one in found)


def _parameters(node: ast.FunctionDef) -> Iterator[tuple[str, str, bool]]:
    """(name, type, whether it has a default) of every parameter but self."""
    parameters = node.args.args[1:]
    first_default = len(parameters) - len(node.args.defaults)
    for index, one in enumerate(parameters):
        kind = "" if one.annotation is None else ast.unparse(one.annotation)
        yield one.arg, kind[:100], index >= first_default


def with_rank(inputs: Sequence[Input], rank: int) -> tuple[Input, ...]:
    """The inputs, those without a shape with so many open axes."""
    taken = {str(leaf) for one in inputs for size in one.shape or () for leaf in leaves(size)}
    found = []
    for one in inputs:
        shape = one.shape
        if shape is None:
            letters = []
            for axis in range(rank):
                letters.append(letter(axis, rank, taken))
                taken.add(letters[-1])
            shape = tuple(symbol(name) for name in letters)
        found.append(replace(one, shape=shape))
    return tuple(found)


def _traced(archive: Archive, method: str) -> list[tuple[Shape, int] | None]:
    """What a trace says of its example's inputs; nothing where it says it in no way known."""
    if TRACED not in archive:
        return []
    try:
        value = _unwrapped(run(memoryview(archive.read(TRACED)), archive.path).value)
        listed = _unwrapped(value.get(method)) if isinstance(value, dict) else None
    except UnreadableError:
        return []
    return [_example(one) for one in listed[:1000]] if isinstance(listed, list) else []


def _unwrapped(value: Any) -> Any:
    arguments = value.arguments if isinstance(value, Inert) else None
    return arguments[0] if isinstance(arguments, tuple) and arguments else value


def _example(value: Any) -> tuple[Shape, int] | None:
    arguments = value.arguments if isinstance(value, Inert) else None
    if not isinstance(arguments, tuple) or len(arguments) < 3:
        return None
    storage, _, sizes = arguments[:3]
    key = storage.key if isinstance(storage, Persistent) else None
    element = element_of(key[1]) if isinstance(key, tuple) and len(key) > 1 else None
    plain = isinstance(sizes, tuple) and len(sizes) <= MAX_AXES
    if element is None or not plain or not all(type(n) is int and 0 <= n < 1 << 31 for n in sizes):
        return None
    return tuple(sizes), CODES[element]
