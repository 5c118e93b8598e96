"""The functions and classes in an archive's `code/**.py`, parsed as Python and never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.quiet import quietly
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.torch.script.debug import DebugLines

FOLDER: Final = "code/"
MAX_FILE: Final = 1 << 23
MAX_FILES: Final = 20_000
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class CodeFile:
    """One file of code: its tree, and where its lines come from."""

    def __init__(self, archive: Archive, member: str) -> None:
        self.name = member
        self._archive = archive
        data = archive.read(member, MAX_FILE)
        self.tree = _parsed(data, archive.path, member)
        self._lines = _line_offsets(data)

    @cached_property
    def _debug(self) -> DebugLines:
        return DebugLines(self._archive, f"{self.name}.debug_pkl")

    def user_line(self, node: ast.AST) -> str:
        """file:line of the user's program that a piece of the code comes from, or ""."""
        if not isinstance(node, ast.expr | ast.stmt):
            return ""
        start = self._lines[node.lineno - 1] + node.col_offset
        end = start + 1
        if node.end_lineno is not None and node.end_col_offset is not None:
            end = self._lines[node.end_lineno - 1] + node.end_col_offset
        return self._debug.between(start, end)


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function or method, in its file."""

    node: ast.FunctionDef
    file: CodeFile


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class: its methods, its constants, and for a NamedTuple the names of its fields."""

    methods: Mapping[str, Function]
    constants: Mapping[str, Any]
    fields: tuple[str, ...] | None


class Code:
    """All code of an archive, each file parsed when it is first needed.

    Raises UnreadableError, here and in every method, for a file that is missing or no Python.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._files: dict[str, CodeFile] = {}
        self._classes: dict[str, Class] = {}

    def function(self, path: str) -> Function:
        """The function of a dotted name, `__torch__.torch.nn.functional.relu`."""
        file, name = self._place(path)
        for node in file.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return Function(node, file)
        raise self._missing(path)

    def is_class(self, path: str) -> bool:
        """Whether a dotted name is a class; False where there is nothing of that name."""
        module, _, name = path.rpartition(".")
        if _member(module) not in self._archive:
            return False
        body = self._file(module).tree.body
        return any(isinstance(node, ast.ClassDef) and node.name == name for node in body)

    def class_of(self, path: str) -> Class:
        """The class of a dotted name."""
        if path not in self._classes:
            file, name = self._place(path)
            found = [n for n in file.tree.body if isinstance(n, ast.ClassDef) and n.name == name]
            if not found:
                raise self._missing(path)
            self._classes[path] = _class(found[0], file)
        return self._classes[path]

    def _place(self, path: str) -> tuple[CodeFile, str]:
        module, _, name = path.rpartition(".")
        if not module:
            raise self._missing(path)
        return self._file(module), name

    def _file(self, module: str) -> CodeFile:
        member = _member(module)
        if member not in self._files:
            if len(self._files) > MAX_FILES:
                self._archive.fail(f"more than {MAX_FILES} files of code")
            self._files[member] = CodeFile(self._archive, member)
        return self._files[member]

    def _missing(self, path: str) -> UnreadableError:
        return UnreadableError(f"the archive's code has no '{path[:200]}'", path=self._archive.path)


def _member(module: str) -> str:
    return f"{FOLDER}{module.replace('.', '/')}.py"


def _parsed(data: bytes, path: str, member: str) -> ast.Module:
    try:
        with quietly():
            return ast.parse(data.decode("utf-8"))
    except SyntaxError as error:
        reason = f"{error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError | MemoryError) else "bytes"
    raise UnreadableError(f"the member '{member[:200]}' is no code: {reason}", path=path)


def _line_offsets(data: bytes) -> list[int]:
    """Where each line begins; lines end as Python's do."""
    return [0, *(end.end() for end in _LINE_END.finditer(data))]


def _class(node: ast.ClassDef, file: CodeFile) -> Class:
    methods = {
        one.name: Function(one, file) for one in node.body if isinstance(one, ast.FunctionDef)
    }
    declared = [
        one
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    is_tuple = any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases)
    names = tuple(one.target.id for one in declared if isinstance(one.target, ast.Name))
    constants = {
        name: _literal(one.value)
        for name, one in zip(names, declared, strict=True)
        if one.value is not None
    }
    return Class(methods, constants, names if is_tuple else None)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
