"""What every spelling of a scalar means to every type, and what is said where it fits none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.prototxt import Scalar, Source, parse


def only(text: str) -> Scalar:
    result = parse(Source("net.prototxt", text))
    assert result.errors == []
    (scalar,) = result.root.scalars("f")
    return scalar


READS: list[tuple[Callable[[Scalar], Any], str, Any]] = [
    *((Scalar.as_int, text, value) for text, value in {"7": 7, "-7": -7, "0": 0}.items()),
    *((Scalar.as_int, text, value) for text, value in {"0x1f": 31, "017": 15, "- 3": -3}.items()),
    (Scalar.as_int, "18446744073709551615", 2**64 - 1),
    *((Scalar.as_float, text, 1.0) for text in ("1", "1.", "1.0", "1f", "1.F", "10e-1", ".1e1")),
    (Scalar.as_float, "0.1f", 0.1),
    (Scalar.as_float, "-.5", -0.5),
    *((Scalar.as_float, text, float("inf")) for text in ("inf", "Infinity", "INF", "inff")),
    (Scalar.as_float, "- inf", float("-inf")),
    *((Scalar.as_bool, text, True) for text in ("true", "True", "t", "1")),
    *((Scalar.as_bool, text, False) for text in ("false", "False", "f", "0")),
    *((Scalar.as_enum, text, "MAX") for text in ("MAX", "'MAX'", '"MAX"')),
    (Scalar.as_enum, "2", "2"),
    (Scalar.as_enum, "-2", "-2"),
    (Scalar.as_str, "''", ""),
    (Scalar.as_str, r'"a\n\t\"\'\\\x41\101\u00e9\U0001F600"', "a\n\t\"'\\AAé😀"),
    (Scalar.as_str, r"'\303\251'", "é"),
    (Scalar.as_str, "\"a'b\" 'c\"d'", "a'bc\"d"),
    (Scalar.as_bytes, r"'\a\?'", b"\a?"),
    (Scalar.as_bytes, r"'\377é'", b"\xff\xc3\xa9"),
]


@pytest.mark.parametrize(("convert", "spelled", "value"), READS)
def test_spellings(convert: Callable[[Scalar], Any], spelled: str, value: Any) -> None:
    found = convert(only(f"f: {spelled}"))
    assert found == value
    assert type(found) is type(value)


def test_nan() -> None:
    for text in ("nan", "NaN", "-nan", "nanf"):
        assert math.isnan(only(f"f: {text}").as_float())


MISREADS: list[tuple[Callable[[Scalar], Any], str, str]] = [
    (Scalar.as_int, "1.5", "field 'f': expected a whole number, found '1.5'"),
    (Scalar.as_int, "2.0", "found '2.0' (write 2: a decimal point is not allowed here)"),
    (Scalar.as_int, "one", "expected a whole number, found 'one'"),
    (Scalar.as_int, "08", "found '08' (a leading 0 means octal)"),
    (Scalar.as_int, "'1'", "(write it without quotes)"),
    (Scalar.as_int, "1e3", "expected a whole number, found '1e3'"),
    (Scalar.as_int, "18446744073709551616", "at most 64 bits"),
    (Scalar.as_int, "-9223372036854775809", "at most 64 bits"),
    (Scalar.as_int, "9" * 5000, "at most 64 bits"),
    (Scalar.as_float, "0x10", "expected a number, found '0x10' (hexadecimal and octal"),
    (Scalar.as_float, "MAX", "expected a number, found 'MAX'"),
    (Scalar.as_float, "'1.5'", "(write it without quotes)"),
    (Scalar.as_bool, "maybe", "expected true or false, found 'maybe'"),
    (Scalar.as_bool, "TRUE", "expected true or false, found 'TRUE'"),
    (Scalar.as_bool, "2", "expected true or false, found '2'"),
    (Scalar.as_str, "conv1", "expected a quoted string, found 'conv1' (write \"conv1\")"),
    (Scalar.as_str, r"'\q'", r"the escape \q means nothing"),
    (Scalar.as_str, r"'\U00110000'", "means nothing"),
    (Scalar.as_str, r"'\377'", "expected UTF-8 text"),
    (Scalar.as_enum, "1.5", "expected the name of a choice, found '1.5'"),
]


@pytest.mark.parametrize(("convert", "spelled", "message"), MISREADS)
def test_misspellings(convert: Callable[[Scalar], Any], spelled: str, message: str) -> None:
    scalar = only(f"f: {spelled}")
    with pytest.raises(UnreadableError) as caught:
        convert(scalar)
    assert caught.value.where == scalar.span
    assert "net.prototxt:1:4: field 'f': " in str(caught.value)
    assert message in str(caught.value)
