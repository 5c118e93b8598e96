"""Sizes as --sizes takes them: one number, a range, or one of them for each axis."""

from __future__ import annotations

import re
from typing import Final

from upconv.converters.ir.errors import UsageError

LARGEST: Final = 1 << 20

_PART: Final = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9})(?::(\d{1,9}))?)?")


def parse_sizes(text: str) -> tuple[range, ...]:
    """The sizes of each axis; of one range for all axes, that one.

    >>> parse_sizes("224..1024:32"), parse_sizes("640x480")
    ((range(224, 1025, 32),), (range(640, 641), range(480, 481)))

    Raises UsageError with an example where the text is no such thing.
    """
    return tuple(_range(text, part) for part in text.split("x")) if text else ()


def _range(text: str, part: str) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise _wrong(text, f"'{part}' is neither a size nor a range")
    first, last, step = (int(one) if one else None for one in found.groups())
    assert first is not None
    last = first if last is None else last
    if not 1 <= first <= last <= LARGEST or step == 0:
        raise _wrong(text, f"'{part}' is out of range: sizes are 1 to {LARGEST}, and rise")
    return range(first, last + 1, step or 1)


def _wrong(text: str, reason: str) -> UsageError:
    hint = "write it as --sizes 224..1024:32, --sizes 640x480 or --sizes 224..512x320"
    return UsageError(f"--sizes {text}: {reason}", hint=hint)
