"""Regular expressions that are compiled when they are first asked.

Compiling one takes 0.05 to 0.6 ms, and most of those that a check imports, such as all that know a
mistake, are never asked.

>>> digits = pattern("[0-9]+")
>>> digits.fullmatch("123")[0]
'123'
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["pattern"]


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` makes, made later; of no use to functions of `re` that take a pattern. A
    wrong pattern raises `re.error` when it is first asked."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))


class _Pattern:
    """Takes each method over from the compiled one as it is asked for, which then costs nothing."""

    def __init__(self, text: Any, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copying and pickling ask for, before there is a text
            raise AttributeError(name)
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found
