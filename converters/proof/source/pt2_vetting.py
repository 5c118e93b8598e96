"""What an exported program may not bring along when torch.export.load is to read it.

torch.export.load unpickles weights and constants that are marked so or called so, loads libraries
that were compiled ahead of time, and has SymPy evaluate size expressions as Python
(torch/export/pt2_archive/_package.py, torch/_export/serde/serialize.py of torch 2.13). Exports of
plain networks have none of the first two, and of the third only arithmetic.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

from upconv.converters.ir.quiet import quietly
from upconv.converters.proof.source.archive_vetting import refused
from upconv.converters.readers.files.torch_archive import Archive

COMPILED: Final = "data/aotinductor/"
MODELS: Final = "models/"
PLAIN_NAMES: Final = ("tensor_", "weight_")
"""How files of plain numbers are called; all others (custom_obj_, opaque_obj_) are pickles."""

MAX_EXPRESSION: Final = 20_000
_WORD: Final = re.compile(r"[A-Za-z]\w*|[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE)
"""What a text may be: SymPy evaluates the texts that its functions get. `Float('1.5')` has one."""

_NAMES: Final = frozenset({"Lambda", "S", "Function", "WildFunction", "Wild"})
"""Functions of SymPy that evaluate or define more than a size."""

_HARMLESS: Final = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Call, ast.keyword, ast.Tuple,
    ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop,
    ast.cmpop,
)  # fmt: skip


def require_inert(archive: Archive) -> None:
    """Raise UnsupportedError where loading the program would run more than its operators."""
    for name in archive.names:
        if name.startswith(COMPILED):
            raise refused(archive, "it holds compiled code, which PyTorch would load")
        if name.startswith("data/") and name.endswith("_config.json"):
            _require_plain(archive, name)
        if name.startswith(MODELS):
            _require_arithmetic(archive, name)


def _require_plain(archive: Archive, member: str) -> None:
    for key, value in _members(archive.json(member)):
        pickled = (key == "use_pickle" and value) or (
            key == "path_name" and not str(value).startswith(PLAIN_NAMES)
        )
        if pickled:
            raise refused(archive, f"'{member}' names a pickle, which PyTorch would run")


def _require_arithmetic(archive: Archive, member: str) -> None:
    for key, value in _members(archive.json(member)):
        if key == "expr_str" and not is_arithmetic(str(value)):
            raise refused(archive, f"PyTorch would evaluate the size {str(value)[:80]!r}")


def is_arithmetic(text: str) -> bool:
    """Whether an expression is made of numbers, symbols, operators and SymPy's functions alone.

    >>> is_arithmetic("Add(FloorDiv(Symbol('s0', integer=True), Integer(2)), Integer(1))")
    True
    >>> is_arithmetic("TruncToInt(Mul(Float('1.5', precision=53), ToFloat(Symbol('s0'))))")
    True
    >>> is_arithmetic("__import__('os').system('true')"), is_arithmetic("exec(chr(49))")
    (False, False)
    """
    if len(text) > MAX_EXPRESSION:
        return False
    try:
        with quietly():
            nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _HARMLESS) and _is_plain(node) for node in nodes)


def _is_plain(node: ast.AST) -> bool:
    """Calls are of functions that begin with a capital, as SymPy's do and Python's do not."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name[0].isupper() and name not in _NAMES
        case ast.Call():
            return False
        case ast.Constant(value=str() as text):
            return _WORD.fullmatch(text) is not None and "__" not in text
        case ast.Name(id=name):
            return "__" not in name
    return True


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of a JSON value, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
