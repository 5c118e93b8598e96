"""The element types of PyTorch's tensors: its numbers for them, its names and NumPy's."""

from __future__ import annotations

from typing import Final

FLOAT: Final = 7
INTEGER: Final = 5
BOOLEAN: Final = 12

_TYPES: Final = (
    (1, "uint8", "u1", "B"),
    (2, "int8", "i1", "b"),
    (3, "int16", "<i2", "h"),
    (4, "int32", "<i4", "i"),
    (INTEGER, "int64", "<i8", "q"),
    (6, "float16", "<f2", "e"),
    (FLOAT, "float32", "<f4", "f"),
    (8, "float64", "<f8", "d"),
    (BOOLEAN, "bool", "?", "?"),
    (13, "bfloat16", "bfloat16", "f"),
)
"""(ScalarType of torch/_export/serde/schema.py, its name, NumPy's name for it as it is stored, and
`struct`'s); NumPy has no bfloat16, and `struct` reads one behind two zero bytes."""

NAMES: Final = {code: name for code, name, _, _ in _TYPES}
STORED: Final = {code: stored for code, _, stored, _ in _TYPES}
CODES: Final = {stored: code for code, stored in STORED.items()}
FORMATS: Final = {stored: f"<{letter}" for _, _, stored, letter in _TYPES}
ITEM_SIZES: Final = {"?": 1, "bfloat16": 2} | {
    stored: int(stored[-1]) for stored in CODES if stored not in ("?", "bfloat16")
}
"""Bytes of an element, by NumPy's name."""


def name_of(code: int) -> str:
    """What people call a type.

    >>> name_of(7), name_of(99)
    ('float32', 'element type 99')
    """
    return NAMES.get(code, f"element type {code}")
