"""Operators that pick values: by number, by step."""

from __future__ import annotations

from upconv.converters.ir.operators.types import Ints
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Gather:
    """Entries of an axis by their numbers, in any order and as often as they are named.

    `indices`, counted from the front, are the new axis's entries. Where they are None the second
    input holds them, whole numbers of which negative ones count from the end, and its axes stand
    in the place of `axis` (ONNX Gather).
    """

    axis: int
    indices: Ints | None = None


@record(frozen=True, slots=True)
class Embedding:
    """Rows of a stored table by their numbers, counted from the front: whole numbers of any shape
    (...) become (..., features). Weight: table (entries, features)."""

    entries: int
    features: int
