"""Messages in either of protobuf's forms, wire or text, read by the one schema.

Both kinds of record answer the same questions. Nothing is decoded before it is asked for; a
message in the wire format is a range of the file's memory map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Span
from upconv.converters.readers.files.prototxt import Message, Scalar
from upconv.converters.readers.files.wire import FIXED32, LENGTH, Field, Wire, signed
from upconv.converters.readers.tensorflow.schema import ENUMS, SCHEMAS, FieldSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Record(Protocol):
    """One message. A field that is absent has no values; of one that is not repeated the last
    value counts. Every method raises UnreadableError where the file is broken."""

    @property
    def span(self) -> Span | None:
        """Where it is written, None in a binary file."""
        ...

    def records(self, name: str) -> list[Record]: ...

    def texts(self, name: str) -> list[str]: ...

    def data(self, name: str) -> list[memoryview]:
        """The values of a bytes field."""
        ...

    def ints(self, name: str) -> list[int]:
        """The values of a whole-number, enum or bool field."""
        ...

    def floats(self, name: str) -> list[float]: ...

    def numbers(self, name: str) -> NDArray[Any]:
        """The values of a number field as an array (count,), for fields with many."""
        ...

    def fail(self, message: str) -> UnreadableError:
        """The error of this place."""
        ...


def first_record(record: Record, name: str) -> Record | None:
    """The message in a field, None where there is none."""
    found = record.records(name)
    return found[-1] if found else None


def text_of(record: Record, name: str) -> str:
    """The text in a field, "" where there is none."""
    found = record.texts(name)
    return found[-1] if found else ""


def int_of(record: Record, name: str, default: int = 0) -> int:
    """The number in a field, or the default."""
    found = record.ints(name)
    return found[-1] if found else default


class WireRecord:
    """A message in bytes start..end of a buffer."""

    __slots__ = ("_end", "_fields", "_schema", "_start", "_wire")

    def __init__(self, wire: Wire, kind: str, start: int = 0, end: int | None = None) -> None:
        self._wire = wire
        self._schema = SCHEMAS[kind]
        self._start = start
        self._end = len(wire.view) if end is None else end
        self._fields: dict[int, list[Field]] | None = None

    @property
    def span(self) -> Span | None:
        return None

    def _all(self, name: str) -> tuple[FieldSpec, list[Field]]:
        if self._fields is None:
            index: dict[int, list[Field]] = {}
            for field in self._wire.fields(self._start, self._end):
                index.setdefault(field.number, []).append(field)
            self._fields = index
        spec = self._schema[name]
        return spec, self._fields.get(spec.number, [])

    def _ranges(self, name: str) -> Iterator[tuple[FieldSpec, Field]]:
        spec, fields = self._all(name)
        for field in fields:
            if field.wire_type == LENGTH:
                yield spec, field

    def records(self, name: str) -> list[Record]:
        return [
            WireRecord(self._wire, spec.record, field.start, field.end)
            for spec, field in self._ranges(name)
        ]

    def texts(self, name: str) -> list[str]:
        return [self._wire.text(field) for _, field in self._ranges(name)]

    def data(self, name: str) -> list[memoryview]:
        return [self._wire.view[field.start : field.end] for _, field in self._ranges(name)]

    def ints(self, name: str) -> list[int]:
        return list(self._ints(name))

    def _ints(self, name: str) -> Iterator[int]:
        for field in self._all(name)[1]:
            if field.wire_type == FIXED32:
                yield field.value
            else:
                yield from map(signed, self._wire.varints(field))

    def floats(self, name: str) -> list[float]:
        return [float(value) for value in self.numbers(name)]

    def numbers(self, name: str) -> NDArray[Any]:
        import numpy as np

        spec, fields = self._all(name)
        if spec.kind not in _FIXED:
            return np.array(self.ints(name), np.int64)
        dtype, size = _FIXED[spec.kind]
        runs = [self._wire.fixed_run(field, size) for field in fields]
        parts = [self._wire.elements(run, dtype) for run in runs]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    def fail(self, message: str) -> UnreadableError:
        return UnreadableError(f"{message} (byte {self._start})", path=self._wire.path)


_FIXED = {"float": ("<f4", 4), "double": ("<f8", 8)}


class TextRecord:
    """A message of a text file."""

    __slots__ = ("_message", "_schema")

    def __init__(self, message: Message, kind: str) -> None:
        self._message = message
        self._schema = SCHEMAS[kind]

    @property
    def span(self) -> Span | None:
        return self._message.span

    def records(self, name: str) -> list[Record]:
        kind = self._schema[name].record
        return [TextRecord(message, kind) for message in self._message.messages(name)]

    def texts(self, name: str) -> list[str]:
        return self._message.strs(name)

    def data(self, name: str) -> list[memoryview]:
        return [memoryview(scalar.as_bytes()) for scalar in self._message.scalars(name)]

    def ints(self, name: str) -> list[int]:
        read = _INTEGERS[self._schema[name].kind]
        return [read(scalar) for scalar in self._message.scalars(name)]

    def floats(self, name: str) -> list[float]:
        return self._message.floats(name)

    def numbers(self, name: str) -> NDArray[Any]:
        import numpy as np

        if self._schema[name].kind in _FIXED:
            with np.errstate(over="ignore"):
                dtype = _FIXED[self._schema[name].kind][0]
                return np.array(self.floats(name), np.float64).astype(dtype)
        return np.array(self.ints(name), np.int64)

    def fail(self, message: str) -> UnreadableError:
        return UnreadableError(message, where=self._message.span)


def _int(scalar: Scalar) -> int:
    return signed(scalar.as_int())


def _enum(scalar: Scalar) -> int:
    word = scalar.as_enum()
    return int(word) if word.lstrip("-").isdecimal() and len(word) < 12 else ENUMS.get(word, 0)


def _bool(scalar: Scalar) -> int:
    return int(scalar.as_bool())


_INTEGERS = {"int": _int, "enum": _enum, "bool": _bool}
