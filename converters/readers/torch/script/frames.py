"""One call of a function: its variables, and which of them it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from upconv.converters.readers.torch.aten.calls import CallSite
from upconv.converters.readers.torch.script.code import Function
from upconv.converters.readers.torch.script.values import Taken, Value


@dataclass(slots=True)
class Frame:
    """One call of a function: its variables, the module it belongs to, and what it returns.

    `wanted` are the parts of its result that its caller reads, None for all of it.
    """

    function: Function
    variables: dict[str, Value]
    site: CallSite
    depth: int
    wanted: Taken | None
    result: Value = None
    done: bool = False
    read: frozenset[str] = field(default_factory=frozenset)


def names_read(function: ast.FunctionDef, wanted: Taken | None) -> Iterator[str]:
    """The variables that a function reads, those of unread parts of its result left out."""
    unread: set[int] = set()
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return) else None
        if wanted is not None and isinstance(value, ast.Tuple):
            parts = enumerate(value.elts)
            unread |= {id(part) for index, part in parts if index not in wanted.read}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in unread:
            yield node.id


def taken_by(target: ast.expr, frame: Frame) -> Taken | None:
    """Which parts of a value the code reads, where it takes it apart into variables."""
    if not isinstance(target, ast.Tuple):
        return None
    read = (
        index
        for index, one in enumerate(target.elts)
        if not isinstance(one, ast.Name) or one.id in frame.read
    )
    return Taken(len(target.elts), frozenset(read))


def plain_type(path: str) -> str:
    """A class as people know it, without what TorchScript adds to tell classes apart.

    >>> plain_type("__torch__.torch.nn.modules.conv.___torch_mangle_8.Conv2d")
    'torch.nn.modules.conv.Conv2d'
    """
    parts = path.split(".")
    kept = [part for part in parts if not part.startswith(("__torch__", "___torch_mangle_"))]
    return ".".join(kept)
