"""Python's warnings kept back while a text of somebody else's is parsed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Final

_ONE_AT_A_TIME: Final = RLock()


@contextmanager
def quietly() -> Iterator[None]:
    """Without warnings, such as of odd escapes in code that is only read.

    The filters belong to the whole process. Two threads that saved and restored them in turns
    could leave those of the one in force when the other is done, so they wait for each other.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings(action="ignore"):
        yield
