"""How large the numbers and formulas of a file may grow while it is read."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.dims import Size, is_larger

MAX_PARTS: Final = 400
"""Numbers and names in a formula. Those of real networks are short; in a made-up file a size may
double with every layer."""


def excess(size: Size) -> str:
    """Why a size is none of a real network, "" where it may be one: it is a number of more than 64
    bits, or its formula does not end.

    >>> excess(1 << 20), excess(1 << 64)
    ('', 'a number of 65 bits')
    """
    if isinstance(size, int):
        return "" if -(1 << 63) <= size < 1 << 63 else f"a number of {size.bit_length()} bits"
    return "a size whose formula is too long" if is_larger(size, MAX_PARTS) else ""
