"""Entries of an axis picked by their numbers: how many there may be."""

from __future__ import annotations

from typing import Final

MAX_PICKED: Final = 1 << 16
"""Entries that are named one by one."""
