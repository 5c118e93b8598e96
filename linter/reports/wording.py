"""How a finding is told in a sentence, the same in every report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from upconv.converters.ir.patterns import pattern
from upconv.linter.finding import UNCHECKED, FileReport, Finding

_CONTROL: Final = pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(words: str) -> str:
    """Words as a terminal may be shown them: what a file holds cannot move the cursor, begin a
    line (which CI systems take commands from) or break the output's encoding.

    >>> one_line("up\\n::error::\\x1b[31m é")
    'up?::error::?[31m é'
    """
    return words if words.isprintable() else _CONTROL.sub("?", words)


_HALVES: Final = pattern("[\ud800-\udfff]")
"""Halves of surrogate pairs: Python's stand-ins for the bytes of a file name that is no UTF-8."""


def writable(words: str) -> str:
    r"""Words that every encoding of Unicode can hold.

    >>> writable("a\udcff") == "a\ufffd"
    True
    """
    return _HALVES.sub("\ufffd", words)


def json_text(record: Any) -> str:
    """A report as JSON, in ASCII, which no console's encoding breaks; halves of surrogate pairs,
    which strict parsers refuse even as escapes, are replaced."""
    import json

    return json.dumps(_writable_record(record), indent=2) + "\n"


def _writable_record(record: Any) -> Any:
    if isinstance(record, str):
        return writable(record)
    if isinstance(record, dict):
        return {key: _writable_record(value) for key, value in record.items()}
    return [_writable_record(one) for one in record] if isinstance(record, list | tuple) else record


def told(finding: Finding) -> str:
    """Whose fault, and what is wrong: "layer 'up': pad is 0"."""
    layer = f"layer '{finding.layer}': " if finding.layer else ""
    return layer + finding.message


def told_with_help(finding: Finding) -> str:
    """The same, and the next step on a line of its own."""
    return told(finding) + (f"\nhelp: {finding.help}" if finding.help else "")


def passed_over(kinds: Sequence[tuple[str, int]]) -> str:
    """What a search did not check, in words.

    >>> passed_over([(".tflite", 25), (".onnx", 6)])
    '31 passed over: 25 .tflite, 6 .onnx'
    """
    total = sum(count for _, count in kinds)
    return f"{total} passed over: {', '.join(f'{count} {kind}' for kind, count in kinds)}"


def hides_unreadable(file: FileReport) -> bool:
    """Whether a file could not be read, but no finding says so: UP001 is ignored or known."""
    return file.status == "unreadable" and all(f.code not in UNCHECKED for f in file.findings)
