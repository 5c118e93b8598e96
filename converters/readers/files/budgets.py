"""What reading a file may cost, in one table: nothing that a file says keeps us busy for long.

A few bytes of a file can stand for as many values as one likes: a deflated text, a pickle that
names one list a million times, a length that is never followed by its bytes. So every reader counts
what it makes, and a file beyond its budget is one error. The numbers are several times what the
largest real models need, and small enough for ten seconds and a gigabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Budget:
    """The most that one file of a kind may cost: `steps` of the reader (its values, opcodes,
    fields, members), `bytes` of a piece that is held in memory, `depth` of what is nested."""

    what: str
    steps: int
    bytes: int
    depth: int


PROTOBUF_TEXT: Final = Budget("a protobuf text", steps=600_000, bytes=1 << 26, depth=200)
"""A step is a field, an element of a list or the end of a block; ten of them are a node."""

PROTOTXT: Final = Budget("a prototxt", steps=150_000, bytes=1 << 26, depth=200)
"""The same of a Caffe net, where a step costs more: the largest seen have 20,000."""

GRAPH: Final = Budget("a TensorFlow graph", steps=100_000, bytes=1 << 20, depth=100)
"""A step is a node; the largest real ones have half as many."""

GRAPH_FIELDS: Final = 2_500_000
"""Fields of the protobuf that are looked at, of all nodes."""

JSON: Final = Budget("JSON", steps=3_000_000, bytes=1 << 26, depth=200)
"""Read by Python's json; a step is a value or a name."""

JSON_WITH_PLACES: Final = Budget("JSON", steps=1_000_000, bytes=1 << 26, depth=200)
"""Read by `json_spans`, where a value costs ten times as much."""

PICKLE: Final = Budget("a pickle", steps=2_500_000, bytes=1 << 26, depth=100)
"""A step is an opcode, and an entry of what it makes, each time that it is reached."""

ARCHIVE: Final = Budget("a ZIP archive", steps=200_000, bytes=1 << 26, depth=0)
"""A step is a member; bytes are those that one may inflate to."""

HDF5: Final = Budget("an HDF5 file", steps=1_000_000, bytes=1 << 26, depth=100)
"""A step is a message, a record or a node; bytes are those of an attribute."""

MXNET: Final = Budget("a file of MXNet parameters", steps=1_000_000, bytes=1 << 20, depth=0)
"""A step is an array or a name; bytes are those of a name."""

FLATBUFFER: Final = Budget("a flatbuffer", steps=3_000_000, bytes=1 << 20, depth=0)
"""A step is a table or a number of a vector; bytes are those of a text."""

WHOLE_BITS: Final = 64
"""Bits of a whole number. Beyond 4,300 digits Python refuses to write one down, and products of
smaller ones get there."""


def whole_number(digits: str) -> int | None:
    """The number that decimal digits spell; None beyond 64 bits, and where they are none.

    >>> whole_number("-12"), whole_number("9" * 5000), whole_number("1²")
    (-12, None, None)
    """
    if len(digits) > WHOLE_BITS or not digits.removeprefix("-").isdecimal():
        return None
    value = int(digits)
    return value if value.bit_length() <= WHOLE_BITS else None


class Meter:
    """Counts what one file costs; `fail` raises the reader's error.

    >>> meter = Meter(Budget("a list", 2, 8, 1), lambda message: print(message))
    >>> meter.spend(); meter.spend(2)
    a list with more than 2 entries
    """

    __slots__ = ("_fail", "_left", "budget")

    def __init__(self, budget: Budget, fail: Callable[[str], NoReturn]) -> None:
        self.budget = budget
        self._fail = fail
        self._left = budget.steps

    def spend(self, steps: int = 1) -> None:
        """Count steps that are about to be made."""
        self._left -= steps
        if self._left < 0:
            self._fail(f"{self.budget.what} with more than {self.budget.steps} entries")

    @property
    def spent(self) -> int:
        return self.budget.steps - self._left

    def require_bytes(self, size: int, what: str) -> None:
        """Refuse a piece that is larger than what is held in memory."""
        if not 0 <= size <= self.budget.bytes:
            self._fail(f"{what} has {size} bytes, more than {self.budget.bytes}")

    def require_depth(self, depth: int) -> None:
        """Refuse what is nested deeper than anybody walks."""
        if depth > self.budget.depth:
            self._fail(f"{self.budget.what} nested more than {self.budget.depth} deep")
