"""Statements that cannot be followed: they become Unknown layers, with all that they may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.script.containers import CHANGING
from upconv.converters.readers.torch.script.frames import Frame
from upconv.converters.readers.torch.script.machine import Machine
from upconv.converters.readers.torch.script.values import Unsure, Value, all_tensors

RAISE: Final = "ops.prim.RaiseException"
_TARGETS: Final = {ast.If: "prim.If", ast.For: "prim.Loop", ast.While: "prim.Loop"}


@dataclass(frozen=True, slots=True)
class Piece:
    """What a statement may do: the variables it reads and writes, whether it changes values."""

    read: tuple[str, ...]
    written: tuple[str, ...]
    changes: bool


def passes_over(statement: ast.stmt) -> bool:
    """Whether a statement raises an error, so that nothing after it is reached."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and dotted(statement.value.func) == RAISE
    )


def dotted(node: ast.expr) -> str:
    """A dotted name as it is written; "" for any other expression.

    >>> dotted(ast.parse("ops.prim.data", mode="eval").body)
    'ops.prim.data'
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def skip(machine: Machine, frame: Frame, statement: ast.stmt, error: UnsupportedError) -> None:
    """Let a statement be an Unknown layer, and what it writes be what that gives."""
    piece = _piece(machine, statement)
    values = [frame.variables[name] for name in piece.read if name in frame.variables]
    machine.weigh(values)
    read = list(dict.fromkeys(all_tensors(values)))
    changed = read if piece.changes else []
    returns = _returns(statement)
    made = _made(
        machine, frame, statement, error, len(piece.written) + len(changed) + returns, read
    )
    for old, new in zip(changed, made[len(piece.written) + returns :], strict=False):
        machine.calls.graph.aliases.replace(old.name, new.name)
    if piece.changes:
        _forget_containers(frame, piece, error.message)
    for index, name in enumerate(piece.written):
        frame.variables[name] = _unknown(error.message, made, index)
    if returns:
        frame.result, frame.done = _unknown(error.message, made, len(piece.written)), True


def _unknown(reason: str, made: list[TensorRef], index: int) -> Unsure:
    return Unsure(reason, made[index] if index < len(made) else None)


def _made(
    machine: Machine,
    frame: Frame,
    statement: ast.stmt,
    error: UnsupportedError,
    count: int,
    read: list[TensorRef],
) -> list[TensorRef]:
    """The tensors that a statement may give; none where it reads none."""
    if not count or not read:
        return []
    site = machine.site(statement, frame)
    return machine.calls.unknown(_target(statement), list[Value](read), count, site, error)


def _target(statement: ast.stmt) -> str:
    """What the statement is called: the function in front of it, or its kind."""
    value = getattr(statement, "value", None)
    name = dotted(value.func) if isinstance(value, ast.Call) else ""
    return _TARGETS.get(type(statement), name.removeprefix("ops.") or "prim.expression")


def _returns(statement: ast.stmt) -> int:
    return int(any(isinstance(node, ast.Return) for node in ast.walk(statement)))


def _piece(machine: Machine, statement: ast.stmt) -> Piece:
    nodes = list(ast.walk(statement))
    machine.spend(len(nodes))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return Piece(
        tuple(dict.fromkeys(n.id for n in names if isinstance(n.ctx, ast.Load))),
        tuple(dict.fromkeys(n.id for n in names if isinstance(n.ctx, ast.Store))),
        any(_may_change(name) for name in _called(nodes)),
    )


def _called(nodes: list[ast.AST]) -> Iterator[str]:
    return (dotted(node.func) for node in nodes if isinstance(node, ast.Call))


def _may_change(name: str) -> bool:
    """Whether a call may change what it is given: in place, or in code of its own."""
    last = name.rpartition(".")[2]
    if not name.startswith(("torch.", "ops.")):
        return name not in _HARMLESS
    return last in CHANGING or (last.endswith("_") and not last.endswith("__"))


_HARMLESS: Final = frozenset(
    {
        "annotate",
        "unchecked_cast",
        "uninitialized",
        "int",
        "float",
        "bool",
        "str",
        "range",
        "getattr",
        "isinstance",
    }
)


def _forget_containers(frame: Frame, piece: Piece, reason: str) -> None:
    for name in piece.read:
        if isinstance(frame.variables.get(name), list | dict):
            frame.variables[name] = Unsure(reason)
