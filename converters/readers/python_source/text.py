"""The code of a Python file as a syntax tree whose nodes know their place in the file."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from upconv.converters.ir.errors import NotAModelError, UnreadableError
from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.quiet import quietly

MAX_CODE: Final = 2 << 20
"""Characters of code; the longest files of frameworks themselves have a tenth of it."""

MAX_NODES: Final = 2_000_000
_PYTHON_2: Final = re.compile(
    r"""^[ \t]*(?:print[ \t]+(?:[\w"'`%]|>>|\()|except[ \t][^:\n(]+,[ \t]*\w+[ \t]*:"""
    r"""|raise[ \t]+\w+[ \t]*,|exec[ \t]+["'\w])""",
    re.MULTILINE,
)
"""Statements that Python 3 does not have: print x, except A, b:, raise A, b, exec x."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, eq=False)
class Fragment:
    """A piece of code that is parsed on its own: a whole file, or a notebook's cell.

    `offsets` gives for every character of `code`, and for its end, the offset in the file's text;
    None where both are the same. `escaped`: the file holds the code as a JSON string.
    """

    source: Source
    code: str
    tree: ast.Module
    lines: tuple[int, ...]
    offsets: Sequence[int] | None = None

    @property
    def escaped(self) -> bool:
        return self.offsets is not None

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Where a node is written in the file."""
        start = self._at(node.lineno, node.col_offset)
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self.span_of(start, end)

    def keyword_span(self, node: ast.keyword) -> Span:
        """Where `name=value` is written in the file."""
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self.span_of(self._at(node.lineno, node.col_offset), end)

    def code_range(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where a node is written in `code`."""
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self._at(node.lineno, node.col_offset), end

    def span_of(self, start: int, end: int) -> Span:
        """The place in the file of characters of `code`."""
        if self.offsets is None:
            return Span(self.source, start, end)
        first = self.offsets[start]
        # The character before the end is taken, since what follows it may be another JSON string.
        last = self.offsets[end - 1] + 1 if end > start else first
        return Span(self.source, first, max(last, first))

    def comments(self) -> Iterator[tuple[Span, str]]:
        """Every comment: its span from the '#' to the line's end, and its words."""
        for start, text in _comments(self.code, self.lines):
            yield self.span_of(start, start + len(text)), text[1:].strip()

    def _at(self, line: int, column: int) -> int:
        """The offset in `code` of a place as `ast` gives it, the column in UTF-8 bytes."""
        start = self.lines[line - 1]
        end = self.lines[line] if line < len(self.lines) else len(self.code)
        text = self.code[start:end]
        if text.isascii():
            return start + column
        return start + len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))


def line_starts(code: str) -> tuple[int, ...]:
    """Offsets of the lines as Python counts them: CRLF, LF and a lone CR end a line.

    >>> line_starts("a\\r\\nb\\rc")
    (0, 3, 5)
    """
    return (0, *(match.end() for match in _LINE_END.finditer(code)))


def parse(source: Source, code: str, offsets: Sequence[int] | None = None) -> Fragment:
    """The syntax tree of a piece of code.

    Raises UnreadableError at the line where it is no Python, or where it is too large or nested
    too deeply, and NotAModelError where it is Python 2.
    """
    lines = line_starts(code)
    if len(code) > MAX_CODE:
        raise UnreadableError(f"more than {MAX_CODE} characters of code", path=source.path)
    try:
        with quietly():
            tree = ast.parse(code)
    except SyntaxError as error:
        if _is_python_2(code, error):
            raise NotAModelError(
                "a Python 2 script, which is not read", path=source.path, known=True
            ) from None
        raise _syntax_error(
            error, Fragment(source, code, ast.Module([], []), lines, offsets)
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise UnreadableError("no Python that can be parsed: nested too deeply, or with a NUL byte",
                              path=source.path) from None  # fmt: skip
    return Fragment(source, code, tree, lines, offsets)


def _is_python_2(code: str, error: SyntaxError) -> bool:
    """Whether what Python 3 stumbles over is right in Python 2, such as the octal number 07."""
    octal = "leading zeros in decimal integer literals" in (error.msg or "")
    return octal or isinstance(error, TabError) or _PYTHON_2.search(code) is not None


def _syntax_error(error: SyntaxError, fragment: Fragment) -> UnreadableError:
    line = min(max(error.lineno or 1, 1), len(fragment.lines))
    start = fragment.lines[line - 1]
    end = fragment.lines[line] if line < len(fragment.lines) else len(fragment.code)
    at = min(start + max((error.offset or 1) - 1, 0), max(end - 1, start))
    return UnreadableError(
        f"no Python 3: {error.msg}",
        where=fragment.span_of(at, min(at + 1, len(fragment.code))),
    )


def _comments(code: str, lines: Sequence[int]) -> Iterator[tuple[int, str]]:
    """(offset, text) of every comment; what `ast` parses and `tokenize` does not has none."""
    if "#" not in code:
        return
    reader = io.StringIO(code, newline=None).readline
    try:
        for token in tokenize.generate_tokens(reader):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                yield lines[row - 1] + column, token.string
    except (tokenize.TokenError, SyntaxError):
        return
