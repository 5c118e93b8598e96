"""Types that the records share."""

from __future__ import annotations

from typing import TypeAlias

Ints: TypeAlias = tuple[int, ...]
"""Of each spatial axis, in the order of the layout."""
