"""The element types of PyTorch's tensors: its numbers for them, its names and NumPy's."""

from __future__ import annotations

from typing import Final

FLOAT: Final = 7
INTEGER: Final = 5
BOOLEAN: Final = 12

_TYPES: Final = (
    (1, "uint8", "u1"),
    (2, "int8", "i1"),
    (3, "int16", "<i2"),
    (4, "int32", "<i4"),
    (INTEGER, "int64", "<i8"),
    (6, "float16", "<f2"),
    (FLOAT, "float32", "<f4"),
    (8, "float64", "<f8"),
    (BOOLEAN, "bool", "?"),
    (13, "bfloat16", "bfloat16"),
)
"""(ScalarType of torch/_export/serde/schema.py, its name, NumPy's name for it as it is stored)."""

NAMES: Final = {code: name for code, name, _ in _TYPES}
STORED: Final = {code: stored for code, _, stored in _TYPES}
CODES: Final = {stored: code for code, stored in STORED.items()}


def name_of(code: int) -> str:
    """What people call a type.

    >>> name_of(7), name_of(99)
    ('float32', 'element type 99')
    """
    return NAMES.get(code, f"element type {code}")
