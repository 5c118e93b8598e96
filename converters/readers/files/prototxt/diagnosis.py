"""What is wrong with a piece of text that is no protobuf text: one clear sentence, and a hint.

The tables are tried in order at the offending character; each entry knows one mistake that real
files contain.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.converters.readers.files.prototxt import grammar

_SHOWN = 40

_GLUED = pattern(r"[^\s#=\"'{}\[\]]")
"""What, directly after a name, makes it a longer and wrong one."""


@record(frozen=True, slots=True)
class Problem:
    """A mistake in the characters start..end; reading may go on at `then`, or else at `end`."""

    start: int
    end: int
    message: str
    hint: str = ""
    then: int | None = None

    @property
    def resume(self) -> int:
        """From where on the next field or brace is looked for."""
        return self.end if self.then is None else self.then


@record(frozen=True, slots=True)
class _Mistake:
    pattern: re.Pattern[str]
    message: str
    hint: str


def _mistake(text: str, message: str, hint: str) -> _Mistake:
    return _Mistake(pattern(text, re.MULTILINE), message, hint)


CONFLICT: Final = pattern(
    r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \t\r\n]|\Z)[^\n]*", re.ASCII | re.MULTILINE
)

FILL_IN: Final = "fill in the template and read its result"


def is_placeholder(error: UnreadableError) -> bool:
    """Whether a mistake is a value of a template that is still to be filled in."""
    return error.hint == FILL_IN


ANYWHERE: Final = (
    _Mistake(CONFLICT, "a git conflict marker", "resolve the merge conflict first"),
    _mistake(
        r"[\w.\-/]*\$\{[^}\n]*\}[\w.\-/]*|\$\([^)\n]*\)|\$\w+|\{\{[^{}\n]*\}\}|\{%[^\n]*?%\}|@\w+@|%\(\w+\)\w"
        r"|(?<=\{)\{[^{}\n]*\}",
        "{found} is a placeholder, not a value: this file is a template",
        FILL_IN,
    ),
    _mistake(
        r"\"(?:[^\"\\\n]|\\[^\n])*+(?!\")[^\n]*|'(?:[^'\\\n]|\\[^\n])*+(?!')[^\n]*",
        "a string that starts here is not closed on its line",
        "add the closing quote, or write a line end inside a string as \\n",
    ),
    _mistake(
        r"/\*(?s:.*?)\*/|//[^\n]*|/\*[^\n]*",
        "expected a field, found {found}",
        "comments start with '#'",
    ),
    _mistake(
        r"[\u201c\u201d\u2018\u2019\u00ab\u00bb][^\n]*",
        "typographic quotes around {found}",
        "use plain quotes: \" or '",
    ),
    _mistake(
        r"[\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff\x00-\x08\x0e-\x1f\x7f]+",
        "an invisible character, {code}",
        "delete it, or put a plain space",
    ),
)

_NAME_MISTAKES: Final = (
    *ANYWHERE,
    _mistake(r"\{", "a block '{{' without a field name", "write the field's name before it"),
    _mistake(r"[<\[(]", "expected a field name, found {found}", "write the field's name before it"),
    _mistake(
        r"-?\.?[0-9][0-9.]*(?=[\s;,{}#]|\Z)",
        "expected a field name, found {found}",
        "a field is written 'name: value', once for each value",
    ),
    _mistake(
        r"[^\s:;,{}<>\[\]\"'#=]+",
        "expected a field name, found {found}",
        "a field name is made of letters, digits and '_'",
    ),
)

_VALUE_MISTAKES: Final = (
    *ANYWHERE,
    _mistake(
        r"[-+]?\.?[0-9][^\s;,{}<>\[\]\"'#]*",
        "field '{name}': {found} is not a number",
        "a number looks like 3, -1, 0.5 or 1e-3; text needs quotes",
    ),
    _mistake(
        r"[^\s;,{}<>\[\]\"'#]+",
        "field '{name}': {found} is text without quotes",
        'write "{bare}"',
    ),
)


def shown(text: str) -> str:
    """The words of a file in quotes, on one line and not too long.

    >>> shown("conv1/relu")
    "'conv1/relu'"
    """
    return f"'{_brief(text)}'"


def _brief(text: str) -> str:
    line = text[: _SHOWN + 1].split("\n", 1)[0].rstrip("\r")
    return f"{line[:_SHOWN]}..." if len(line) > _SHOWN else line


def wrong_name(text: str, at: int) -> Problem:
    """Why no field starts at `at`."""
    quoted = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'").match(text, at)
    if quoted:
        return Problem(
            at,
            quoted.end(),
            f"expected a field name, found the string {_brief(quoted[0])}",
            "field names have no quotes; adjacent strings join only inside one value",
        )
    return _first(_NAME_MISTAKES, text, at) or _unexpected(text, at, "a field name")


def wrong_value(text: str, at: int, name: str) -> Problem:
    """Why no value of the field `name` starts at `at`."""
    return _first(_VALUE_MISTAKES, text, at, name) or _unexpected(
        text, at, f"a value of field '{name}'"
    )


def no_colon(text: str, start: int, name_end: int, at: int) -> Problem:
    """Why the name start..name_end is no field, when neither ':' nor a block follows, at `at`."""
    name = text[start:name_end]
    if _GLUED.match(text, name_end):
        return _first(ANYWHERE, text, name_end) or wrong_name(text, start)
    if text.startswith("=", at) and not CONFLICT.match(text, at):
        message = f"expected ':' after '{name}', found '='"
        return Problem(at, at + 1, message, f"write '{name}: ...'")
    value = grammar.VALUE.match(text, at)
    if value and "\n" not in text[name_end:at]:
        message = f"expected ':' after '{name}', found {shown(value[0])}"
        hint = f"write '{name}: {_brief(value[0])}'"
        return Problem(start, name_end, message, hint, then=value.end())
    message = f"expected ':' or '{{' after '{name}'"
    return Problem(start, name_end, message, "the value is missing")


def no_value(text: str, start: int, name: str, at: int) -> Problem:
    """Why the field that starts at `start` has no value at `at`: it is missing, or no value."""
    next_field = grammar.ELEMENT.match(text, at)
    if at < len(text) and text[at] not in "}>])" and not next_field:
        return wrong_value(text, at, name)
    message = f"field '{name}' has no value"
    return Problem(start, start + len(name), message, "write one, or delete it", then=at)


def broken_list(text: str, name: str, start: int, at: int, wants_element: bool) -> Problem:
    """Why the list that starts at `start` breaks off at `at`."""
    if at >= len(text):
        message = f"the '[' of '{name}' is never closed"
        return Problem(start, start + 1, message, "add the missing ']'", then=at)
    if wants_element:
        problem = wrong_value(text, at, name)
    else:
        message = f"expected ',' or ']' in the list of '{name}', found {shown(text[at])}"
        problem = _first(ANYWHERE, text, at) or Problem(at, at + 1, message)
    return problem if problem.end > at + 1 else replace(problem, then=at)


def unclosed(text: str, start: int, name: str) -> Problem:
    """The block of the field `name`, opened at `start`, lasts to the end of the file."""
    opener = text[start]
    owner = f" of '{name}'" if name else ""
    message = f"the '{opener}'{owner} is never closed"
    return Problem(start, start + 1, message, f"add the missing '{grammar.CLOSER[opener]}'")


def wrong_closer(text: str, at: int, opener: str, name: str) -> Problem:
    """The brace at `at` does not fit `opener`, which opened the block `name`; "" for none."""
    if not opener:
        hint = "delete it, or look above for a block that closes too early"
        return Problem(at, at + 1, f"'{text[at]}' closes nothing", hint)
    message = f"'{text[at]}' cannot close the '{opener}' of '{name}'"
    return Problem(at, at + 1, message, f"write '{grammar.CLOSER[opener]}'")


def extra_separator(text: str, at: int) -> Problem:
    """A ',' or ';' that follows no field."""
    hint = "at most one ',' or ';' may follow a field"
    return Problem(at, at + 1, f"expected a field name, found {shown(text[at])}", hint)


def too_deep(at: int, most: int) -> Problem:
    """The block that opens at `at` is inside more than `most` others."""
    message = f"blocks nested deeper than {most}; the rest is not read"
    return Problem(at, at + 1, message, "no real model needs this: the file is damaged or hostile")


def _first(table: tuple[_Mistake, ...], text: str, at: int, name: str = "") -> Problem | None:
    for mistake in table:
        match = mistake.pattern.match(text, at)
        if match:
            words = {
                "name": name,
                "found": shown(match[0]),
                "bare": _brief(match[0]),
                "code": f"U+{ord(text[at]):04X}",
            }
            message, hint = mistake.message.format(**words), mistake.hint.format(**words)
            return Problem(at, match.end(), message, hint)
    return None


def _unexpected(text: str, at: int, wanted: str) -> Problem:
    found = shown(text[at]) if at < len(text) else "the end of the file"
    return Problem(at, at + 1, f"expected {wanted}, found {found}")
