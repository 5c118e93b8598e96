"""The code cells of a notebook, each character of which knows its place in the JSON text.

Findings so stand at the line of the .ipynb file itself, where code hosts and editors look; what
people call the place, the cell and the line in it, is the source's landmark. Cells are counted
from 1, text cells included.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.json_spans import JsonObject, parse_json
from upconv.converters.readers.python_source.text import MAX_CODE

_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_PIECE: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]+")
_MAGIC: Final = re.compile(r"^[ \t]*[%!?][^\n]*", re.MULTILINE)
_ASSIGNED: Final = re.compile(r"^([\w.,\[\] \t]+=[ \t]*)[%!][^\n]*", re.MULTILINE)
_HELP: Final = re.compile(r"^[ \t]*[\w.]+\?{1,2}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its number from 1, its code, and each character's offset in the file."""

    number: int
    code: str
    offsets: tuple[int, ...]


def cells(source: Source) -> list[Cell]:
    """The code cells of a notebook, nbformat 3 and 4.

    Raises UnreadableError where the text is no JSON, or no notebook.
    """
    root = parse_json(source)
    if not isinstance(root, JsonObject):
        raise UnreadableError("no notebook", path=source.path)
    found = []
    total = 0
    for number, cell in enumerate(_entries(root), start=1):
        if cell.text("cell_type") == "code":
            found.append(_cell(source, number, cell))
            total += len(found[-1].code)
        if total > MAX_CODE:
            raise UnreadableError(f"more than {MAX_CODE} characters of code", path=source.path)
    return found


def landmarks(found: list[Cell]) -> _Landmarks:
    """What people call an offset of the file: `cell 3, line 2`; "" outside of cells."""
    return _Landmarks([cell for cell in found if cell.code])


class _Landmarks:
    def __init__(self, found: list[Cell]) -> None:
        self._cells = found
        self._starts = [cell.offsets[0] for cell in found]

    def __call__(self, offset: int) -> str:
        at = bisect_right(self._starts, offset) - 1
        if at < 0 or offset > self._cells[at].offsets[-1]:
            return ""
        cell = self._cells[at]
        before = bisect_right(cell.offsets, offset) - 1
        return f"cell {cell.number}, line {cell.code.count(chr(10), 0, before) + 1}"


def _entries(root: JsonObject) -> Iterator[JsonObject]:
    sheets: list[Any] = [root, *root.list("worksheets")]
    for sheet in sheets:
        if isinstance(sheet, JsonObject):
            for cell in sheet.list("cells"):
                if isinstance(cell, JsonObject):
                    yield cell


def _cell(source: Source, number: int, cell: JsonObject) -> Cell:
    name = "source" if "source" in cell else "input"
    start, end = cell.places.get(name, (cell.start, cell.start))
    texts: list[str] = []
    offsets: list[int] = []
    for match in _STRING.finditer(source.text, start, end):
        for text, at in _characters(match[1], match.start(1)):
            texts.append(text)
            offsets.extend([at] * len(text) if len(text) == 1 else range(at, at + len(text)))
    offsets.append(offsets[-1] + 1 if offsets else start)
    return Cell(number, _without_magic("".join(texts)), tuple(offsets))


def _characters(raw: str, start: int) -> Iterator[tuple[str, int]]:
    """Stretches of a JSON string's content, unescaped, with their places in the file."""
    pending = ""
    for match in _PIECE.finditer(raw):
        piece = match[0]
        if not piece.startswith("\\"):
            yield piece, start + match.start()
        elif pending and piece.startswith("\\u"):
            yield json.loads(f'"{pending}{piece}"')[0], start + match.start()
            pending = ""
        elif re.match(r"\\u[dD][89abAB]", piece):
            pending = piece
        else:
            yield _unescaped(piece), start + match.start()


def _unescaped(piece: str) -> str:
    try:
        text: str = json.loads(f'"{piece}"')
    except ValueError:
        return "?"
    return text


def _without_magic(code: str) -> str:
    """The cell with `%magic`, `!command` and `name?` as the number 0 of equal length.

    >>> _without_magic("%time\\nx = 1")
    '0    \\nx = 1'
    >>> _without_magic("a = !ls\\nb = %pwd")
    'a = 0  \\nb = 0   '
    """
    if code.lstrip().startswith("%%"):
        kind = code.lstrip()[2:].split(None, 1)[0] if code.lstrip()[2:].strip() else ""
        if kind not in ("time", "timeit", "capture", "prun"):
            return re.sub(r"[^\n]", " ", code)
    return _HELP.sub(_blank, _ASSIGNED.sub(_blank_value, _MAGIC.sub(_blank, code)))


def _blank_value(match: re.Match[str]) -> str:
    return match[1] + "0" + " " * (len(match[0]) - len(match[1]) - 1)


def _blank(match: re.Match[str]) -> str:
    line = match[0]
    indent = len(line) - len(line.lstrip())
    return line[:indent] + "0" + " " * (len(line) - indent - 1)
