"""The spellings of protobuf's scalars: integers, floats, booleans, strings and enum values.

Each `parse_` function takes a spelling as the parser read it, a whole token, and raises
SpellingError when the type does not allow it. Followed is protobuf's C++ `text_format.cc` and
`tokenizer.cc`, which are stricter than the Python ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.files.prototxt.grammar import SKIP, STRING_OR_COMMENT

T = TypeVar("T")
Read: TypeAlias = Callable[[str], T]

_INTEGER = pattern(r"(-?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_DECIMAL = pattern(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SPECIAL = pattern(r"(-?)(?:(inf(?:inity)?)|nan)f?", re.IGNORECASE | re.ASCII)

# Nearly all values are spelled so; they need no second look.

is_decimal = _DECIMAL.fullmatch


def is_plain_int(text: str) -> bool:
    """Decimal digits, which are ASCII's, too few to be too many; a leading 0 would mean octal."""
    return text.isdecimal() and (text[0] != "0" or text == "0") and len(text) <= _PLAIN_DIGITS


_PLAIN_DIGITS: Final = 18

_MOST_DIGITS = 24
_RANGE = range(-(2**63), 2**64)

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "t", "1"), True),
    **dict.fromkeys(("false", "False", "f", "0"), False),
}

_ESCAPE = pattern(
    rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\n]))"
)
_ESCAPED: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b"'": b"'",
    b'"': b'"',
    b"?": b"?",
}


class SpellingError(ValueError):
    """A spelling that the type does not allow: what was expected, and what to write."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


def parse_int(text: str) -> int:
    """An integer of at most 64 bits.

    >>> parse_int("0x10"), parse_int("010"), parse_int("-3")
    (16, 8, -3)
    """
    spelled = without_gap(text)
    match = _INTEGER.fullmatch(spelled)
    if match is None:
        raise SpellingError("a whole number", _int_hint(spelled))
    sign, hexadecimal, octal, decimal = match.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    digits = digits.lstrip("0") or "0"
    value = int(digits, base) if len(digits) <= _MOST_DIGITS else _RANGE.stop
    value = -value if sign else value
    if value not in _RANGE:
        raise SpellingError("a whole number of at most 64 bits")
    return value


def _int_hint(text: str) -> str:
    """What to write instead of `text`; `2.0` is refused, though its value is whole."""
    if re.fullmatch(r"-?[0-9]+\.0*", text):
        return f"write {text.partition('.')[0]}: a decimal point is not allowed here"
    if re.fullmatch(r"-?0[0-9]+", text):
        return "a leading 0 means octal"
    return "write it without quotes" if text[:1] in ("'", '"') else ""


def parse_float(text: str) -> float:
    """A decimal number, or inf or nan.

    >>> parse_float("1."), parse_float("0.1f"), parse_float("-Infinity")
    (1.0, 0.1, -inf)
    """
    spelled = without_gap(text)
    special = _SPECIAL.fullmatch(spelled)
    if special:
        return float(special[1] + ("inf" if special[2] else "nan"))
    decimal = spelled[:-1] if spelled[-1:] in ("f", "F") else spelled
    if not _DECIMAL.fullmatch(decimal):
        raise SpellingError("a number", _float_hint(spelled))
    return float(decimal)


def _float_hint(text: str) -> str:
    if re.match(r"-?0[xX0-9]", text):
        return "hexadecimal and octal are for integers only: write it without the leading 0"
    return "write it without quotes" if text[:1] in ("'", '"') else ""


def parse_bool(text: str) -> bool:
    """One of the eight spellings of a boolean.

    >>> parse_bool("True"), parse_bool("f")
    (True, False)
    """
    value = _BOOLEANS.get(text)
    if value is None:
        raise SpellingError("true or false")
    return value


def parse_enum(text: str) -> str:
    """The name of an enum value, or its number as spelled.

    >>> parse_enum("MAX"), parse_enum("'MAX'"), parse_enum("1")
    ('MAX', 'MAX', '1')
    """
    if text[:1] in ("'", '"'):
        return parse_str(text)
    if text[:1] in "-.0123456789" and not _INTEGER.fullmatch(without_gap(text)):
        raise SpellingError("the name of a choice")
    return text


def parse_str(text: str) -> str:
    r"""The text of one or more adjacent string literals.

    >>> parse_str(r"'a\tb' \"c\"".replace('\\"', '"'))
    'a\tbc'
    """
    try:
        return parse_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise SpellingError("UTF-8 text", "its escapes spell bytes that are no UTF-8") from None


def parse_bytes(text: str) -> bytes:
    r"""The bytes of one or more adjacent string literals, characters as UTF-8.

    >>> parse_bytes(r'"\303\251" "x"')
    b'\xc3\xa9x'
    """
    if text[:1] not in ("'", '"'):
        raise SpellingError("a quoted string", f'write "{text}"')
    literals = (match[1] for match in STRING_OR_COMMENT.finditer(text))
    joined = (literal[1:-1].encode("utf-8", "surrogatepass") for literal in literals if literal)
    return b"".join(_ESCAPE.sub(_unescaped, literal) for literal in joined)


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, short, long, other = match.groups()
    if octal or hexadecimal:
        return bytes([(int(octal, 8) if octal else int(hexadecimal, 16)) & 0xFF])
    if other in _ESCAPED:
        return _ESCAPED[other]
    code = int(short or long, 16) if short or long else 0x110000
    if code > 0x10FFFF:
        spelled = match[0].decode("utf-8", "replace")
        raise SpellingError("a string with known escapes", f"the escape {spelled} means nothing")
    return chr(code).encode("utf-8", "surrogatepass")


def without_gap(text: str) -> str:
    """A number without the white space or comments that may follow its minus sign."""
    gap = SKIP.match(text, 1) if text[:1] == "-" else None
    return f"-{text[gap.end() :]}" if gap else text
