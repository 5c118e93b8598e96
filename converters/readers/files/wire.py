"""Protobuf's wire format, field by field, over a memory map: nothing is copied, nothing recurses.

A message is a range of bytes. `Wire.fields` walks one message and hands out its fields with the
ranges of their payloads; whoever knows the schema walks the ranges that are messages and leaves
the others alone, so that a tensor of a gigabyte costs as much as one of four bytes.

The encoding: https://protobuf.dev/programming-guides/encoding/. Every length is checked against
the message it lies in, and what is wrong raises UnreadableError with the path and byte offset.
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.opening import open_regular, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
START_GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5

MAX_FIELD_NUMBER: Final = (1 << 29) - 1
MAX_GROUP_DEPTH: Final = 100
MAX_FIELDS: Final = 5_000_000
MAX_TEXT: Final = 1 << 20
_MAX_VARINT_BYTES: Final = 10
_FIXED_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_LONGEST_LOOK_AHEAD: Final = 1 << 20

# What people give for a protobuf file by mistake: how it begins, what it is, what to do.
_OTHER_FORMATS: Final = tuple(
    (re.compile(start, re.IGNORECASE), what, hint)
    for start, what, hint in (
        (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", ""),
        (rb"version https://git-lfs", "a Git LFS pointer", "fetch the file with `git lfs pull`"),
        (rb"\x89PNG|\xff\xd8\xff|GIF8", "an image", ""),
        (rb"\s*<(!doctype|html|head|\?xml)", "a web page", "download the file itself"),
        (
            rb"(?s)PK\x03\x04.{26}[^/\0]+/(data\.pkl|data/|constants|byteorder|version|\.format)",
            "a PyTorch checkpoint",
            "its weights belong to a net of PyTorch",
        ),
        (rb"(?s).{6}\0\0\{[\" ]", "a safetensors file", "its weights belong to a net of PyTorch"),
        (
            rb"\x80[\x02-\x05][^\x00-\x08]*[}(c\x8a]",
            "a pickle, as PyTorch's old checkpoints are",
            "its weights belong to a net of PyTorch",
        ),
        (rb"PK\x03\x04", "a ZIP archive", "unpack it first"),
        (rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ", "a compressed file", "decompress it first"),
        (rb"(\xef\xbb\xbf)?[^\x00-\x08\x0e-\x1f\x7f]*\Z", "a text file", ""),
    )
)


class Field(NamedTuple):
    """One field of a message (a tuple, since files have many and frozen records build slowly).

    `value` is the number of a varint or fixed field (unsigned) and the length of a
    length-delimited one. start..end is the payload; a group's range includes its end tag.
    `repeats` > 1: that many fixed fields with the same tag follow each other; the range then spans
    them all, tags between included, and `value` is the last, the one protobuf keeps where a
    field is not repeated.
    """

    number: int
    wire_type: int
    value: int
    start: int
    end: int
    repeats: int = 1


@record(frozen=True, slots=True)
class FixedRun:
    """`count` little-endian values of equal size in the buffer, the first at byte `start`.

    `stride` is their distance in bytes: the size itself where they are packed, one more where
    each has its tag.
    """

    start: int
    count: int
    stride: int

    @property
    def end(self) -> int:
        """The byte after the last value (and the tag of a value that might follow)."""
        return self.start + self.count * self.stride

    def parts(self, most: int) -> Iterator[FixedRun]:
        """Cut the run into runs of at most `most` values."""
        for first in range(0, self.count, most):
            count = min(most, self.count - first)
            yield FixedRun(self.start + first * self.stride, count, self.stride)


def signed(value: int, bits: int = 64) -> int:
    """Return the two's complement meaning of an unsigned number (int32 and int64 fields).

    >>> signed(2**64 - 1), signed(5), signed(2**32 - 2, bits=32)
    (-1, 5, -2)
    """
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def zigzag(value: int) -> int:
    """Return the meaning of a sint32 or sint64 field.

    >>> [zigzag(n) for n in range(5)]
    [0, -1, 1, -2, 2]
    """
    return (value >> 1) ^ -(value & 1)


_POPULATE_READ: Final = 22
"""Linux's MADV_POPULATE_READ, which Python has no name for."""


def map_file(path: str, kind: str) -> memoryview:
    """Map a whole file, read-only and unread; the map lives as long as a view of it.

    `kind` names in messages what was expected. Raises UnreadableError for what cannot be mapped:
    missing, a folder, a device, empty.
    """
    try:
        with open_regular(path) as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError as error:
        hint = "check the path"
        raise UnreadableError(f"cannot be opened: {reason(error)}", path=path, hint=hint) from None
    except OSError as error:
        message = f"cannot be opened as a {kind}: {reason(error)}"
        hint = "name the file in it" if isinstance(error, IsADirectoryError) else ""
        raise UnreadableError(message, path=path, hint=hint) from None
    except ValueError:  # what mmap says of nothing
        raise UnreadableError(f"the file is empty, so not a {kind}", path=path) from None


def other_format(head: bytes) -> tuple[str, str] | None:
    r"""Say what a file is that by its first bytes is not protobuf: (what, next step or "").

    >>> other_format(b"name: 'fcn8s'"), other_format(b"\n\x05fcn8s\xa2\x06\x00")
    (('a text file', ''), None)
    """
    for start, what, hint in _OTHER_FORMATS:
        if start.match(head) and (what != "a text file" or _is_utf8(head)):
            return what, hint
    return None


def _is_utf8(head: bytes) -> bool:
    """Tell whether bytes, cut anywhere, begin a UTF-8 text."""
    try:
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


class _HeadEndsError(Exception):
    """The head of a file ends inside a field's tag or number."""


class Wire:
    """A buffer in wire format, the path that messages name, and how many fields may be walked.

    The bound counts over all walks of the buffer: no file, however made, keeps us busy for long.
    `head`: the buffer is the beginning of a file, whose last field may be cut: its range ends
    with the buffer, and a field without its whole tag or number is left out.
    """

    __slots__ = ("_fields_left", "_head", "path", "view")

    def __init__(
        self, view: memoryview, path: str, *, max_fields: int = MAX_FIELDS, head: bool = False
    ) -> None:
        self.view = view
        self.path = path
        self._fields_left = max_fields
        self._head = head

    def fail(self, message: str, offset: int, hint: str = "") -> NoReturn:
        """Raise the one error of this module; a file that ends too early says so."""
        raise UnreadableError(f"{message} (byte {offset})", path=self.path, hint=hint)

    def require_protobuf(self, kind: str, hints: Mapping[str, str]) -> None:
        """Raise where the file is of another format; `hints` adds to those of `other_format`."""
        other = other_format(bytes(self.view[:4096]))
        if other is not None:
            what, hint = other
            message = f"this is {what}, not a {kind}"
            raise UnreadableError(message, path=self.path, hint=hints.get(what, hint))

    def fields(self, start: int = 0, end: int | None = None) -> Iterator[Field]:
        """Walk the fields of the message in bytes start..end (by default the whole buffer).

        Raises UnreadableError where the message is broken, after the fields before that place.
        """
        view, new = self.view, tuple.__new__
        stop = len(view) if end is None else end
        position = start
        while position < stop:
            tag = view[position]
            length = view[position + 1] if position + 1 < stop else 0x80
            last = position + 2 + length
            if 7 < tag < 0x80 and tag & 7 == LENGTH and length < 0x80 and last <= stop:
                self._spend(position)  # most fields of most files: a short text or message
                yield new(Field, (tag >> 3, LENGTH, length, position + 2, last, 1))
                position = last
                continue
            try:
                field = self._field(position, stop)
            except _HeadEndsError:
                return
            yield field
            position = field.end

    def varints(self, field: Field) -> Iterator[int]:
        """Walk the unsigned values of one occurrence of a repeated varint field, packed or single.

        Other wire types hold none: to protobuf they are unknown fields.
        """
        if field.wire_type == VARINT:
            yield field.value
        elif field.wire_type == LENGTH:
            position = field.start
            while position < field.end:
                self._spend(position)
                value, position = self._varint(position, field.end)
                yield value

    def fixed_run(self, field: Field, size: int) -> FixedRun:
        """Where one occurrence of a repeated float (size 4) or double (size 8) has its values.

        Handles packed and single ones; other wire types hold none. Raises UnreadableError when
        a packed payload is not a whole number of values.
        """
        if field.wire_type == LENGTH:
            if field.value % size:
                self.fail(f"{field.value} bytes are not a whole number of values", field.start)
            return FixedRun(field.start, field.value // size, size)
        if _FIXED_SIZES.get(field.wire_type) == size:
            return FixedRun(field.start, field.repeats, size + 1)
        return FixedRun(field.start, 0, size)

    def unpacked(self, run: FixedRun, letter: str) -> tuple[Any, ...]:
        """The values of a run, which is short; `letter` is `struct`'s, as in "f"."""
        if run.stride == struct.calcsize(letter):
            return struct.unpack_from(f"<{run.count}{letter}", self.view, run.start)
        places = range(run.start, run.end, run.stride)
        return tuple(struct.unpack_from(f"<{letter}", self.view, place)[0] for place in places)

    def elements(self, run: FixedRun, dtype: str) -> NDArray[Any]:
        """View a run as an array (count,), read-only as the map is; `dtype` as in "<f4"."""
        import numpy as np

        return np.ndarray((run.count,), dtype, self.view, run.start, (run.stride,))

    def text(self, field: Field, limit: int = MAX_TEXT) -> str:
        """Decode a string field; what is not UTF-8 becomes U+FFFD, as old files hold anything."""
        if field.value > limit:
            self.fail(f"a text of {field.value} bytes is beyond the limit of {limit}", field.start)
        return str(self.view[field.start : field.end], "utf-8", "replace")

    def float32(self, field: Field) -> float:
        """Read a fixed 32-bit field as a float."""
        (value,) = struct.unpack_from("<f", self.view, field.end - 4)
        return float(value)

    def float64(self, field: Field) -> float:
        """Read a fixed 64-bit field as a float."""
        (value,) = struct.unpack_from("<d", self.view, field.end - 8)
        return float(value)

    def release(self, start: int, end: int) -> None:
        """Let the system take back the memory of bytes start..end; they stay readable.

        A mapped page counts as ours once it was touched; streaming a large file would otherwise
        look like, and under a memory limit be, holding it whole.
        """
        mapped = self.view.obj
        if not isinstance(mapped, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
            return
        first = start // mmap.PAGESIZE * mmap.PAGESIZE
        length = end // mmap.PAGESIZE * mmap.PAGESIZE - first
        if length > 0:
            mapped.madvise(mmap.MADV_DONTNEED, first, length)

    def streamed(self, start: int, end: int, size: int) -> Iterator[memoryview]:
        """The bytes start..end in order, at most `size` at a time.

        Each piece is brought into memory at once, since to write one whose pages come one by one
        takes twice as long, and is let go when the next is asked for.
        """
        for at in range(start, end, size):
            stop = min(at + size, end)
            self._bring(at, stop)
            yield self.view[at:stop]
            self.release(at, stop)

    def _bring(self, start: int, end: int) -> None:
        """Map the pages of bytes start..end, where the system can be asked to."""
        mapped = self.view.obj
        if isinstance(mapped, mmap.mmap) and sys.platform == "linux":
            first = start // mmap.PAGESIZE * mmap.PAGESIZE
            with suppress(OSError):  # a kernel before 5.14, or a file that was cut short
                mapped.madvise(_POPULATE_READ, first, end - first)

    def _spend(self, offset: int) -> None:
        self._fields_left -= 1
        if self._fields_left < 0:
            self.fail("more fields than any real file has", offset)

    def _field(self, position: int, stop: int) -> Field:
        """Read the field whose tag is at `position`, a group as a whole."""
        self._spend(position)
        number, wire_type, payload = self._tag(position, stop)
        if wire_type == START_GROUP:
            return Field(number, wire_type, 0, payload, self._end_of_group(number, payload, stop))
        return self._plain(number, wire_type, position, payload, stop)

    def _tag(self, position: int, stop: int) -> tuple[int, int, int]:
        """(field number, wire type, offset of the payload)."""
        tag, payload = self._varint(position, stop)
        number = tag >> 3
        if not 0 < number <= MAX_FIELD_NUMBER:
            self.fail(f"corrupt: field number {number}", position)
        return number, tag & 7, payload

    def _plain(self, number: int, wire_type: int, position: int, payload: int, stop: int) -> Field:
        read = _PAYLOADS.get(wire_type)
        if read is None:
            self.fail(f"corrupt: {_BAD_TYPES.get(wire_type, f'wire type {wire_type}')}", position)
        return read(self, number, wire_type, position, payload, stop)

    def _varint(self, position: int, stop: int) -> tuple[int, int]:
        """(value, offset after it) of the varint at `position`: at most 10 bytes, 64 bits."""
        view = self.view
        if position < stop and (byte := view[position]) < 0x80:
            return byte, position + 1
        value = 0
        for index in range(_MAX_VARINT_BYTES):
            at = position + index
            if at >= stop:
                self._cut("a number is cut off", position, stop)
            byte = view[at]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if value >> 64:
                    self.fail("corrupt: a number of more than 64 bits", position)
                return value, at + 1
        self.fail(f"corrupt: a number of more than {_MAX_VARINT_BYTES} bytes", position)

    def _single(self, number: int, wire_type: int, position: int, payload: int, stop: int) -> Field:
        value, end = self._varint(payload, stop)
        return Field(number, wire_type, value, payload, end)

    def _range(self, number: int, wire_type: int, position: int, payload: int, stop: int) -> Field:
        length, start = self._varint(payload, stop)
        if length > stop - start:
            if not self._head or stop < len(self.view):
                self._past_the_end(number, length, position, stop)
            length = stop - start
        return Field(number, wire_type, length, start, start + length)

    def _fixed(self, number: int, wire_type: int, position: int, payload: int, stop: int) -> Field:
        size = _FIXED_SIZES[wire_type]
        if size > stop - payload:
            self._past_the_end(number, size, position, stop)
        # Only a tag of one byte makes the distance of its repetitions obvious; it is the only
        # form encoders write for the fields below 16, where the large old float arrays are.
        count = self._repeats(position, size + 1, stop) if payload - position == 1 else 1
        end = payload + size + (count - 1) * (size + 1)
        value = int.from_bytes(self.view[end - size : end], "little")
        return Field(number, wire_type, value, payload, end, count)

    def _repeats(self, position: int, stride: int, stop: int) -> int:
        """How many whole fields with the one-byte tag at `position` follow each other.

        Unpacked arrays have one tag a value; they are found by looking at every stride-th byte,
        in pieces that double, so that the cost follows the length of the run, in C.
        """
        view, tag = self.view, bytes((self.view[position],))
        count, most, ahead = 1, (stop - position) // stride, 1
        while count < most:
            ahead = min(ahead * 2, most - count, _LONGEST_LOOK_AHEAD)
            tags = bytes(view[position + count * stride :][: ahead * stride : stride])
            same = ahead - len(tags.lstrip(tag))
            count += same
            if same < ahead:
                break
        return count

    def _past_the_end(self, number: int, length: int, position: int, stop: int) -> NoReturn:
        name = "the file" if stop == len(self.view) else "the message around it"
        problem = f"field {number} of {length} bytes reaches past the end of {name} at {stop}"
        self._cut(problem, position, stop)

    def _cut(self, problem: str, position: int, stop: int) -> NoReturn:
        """Raise for a field that ends too late: the file is cut, or a length in it is wrong."""
        whole = stop == len(self.view)
        if whole and self._head:
            raise _HeadEndsError
        hint = "copy or download it again" if whole else ""
        self.fail(f"{'truncated' if whole else 'corrupt'}: {problem}", position, hint)

    def _end_of_group(self, number: int, position: int, stop: int) -> int:
        """Find the offset after the end tag of group `number`; inner groups are kept on a list."""
        open_groups = [number]
        while open_groups:
            self._spend(position)
            inner, wire_type, payload = self._tag(position, stop)
            if wire_type == START_GROUP:
                open_groups.append(inner)
                position = payload
            elif wire_type == END_GROUP:
                if open_groups.pop() != inner:
                    self.fail(f"corrupt: group {inner} ends inside another", position)
                position = payload
            else:
                position = self._plain(inner, wire_type, position, payload, stop).end
            if len(open_groups) > MAX_GROUP_DEPTH:
                self.fail(f"corrupt: groups nested more than {MAX_GROUP_DEPTH} deep", position)
        return position


_PAYLOADS: Final[dict[int, Callable[[Wire, int, int, int, int, int], Field]]] = {
    VARINT: Wire._single,
    FIXED64: Wire._fixed,
    LENGTH: Wire._range,
    FIXED32: Wire._fixed,
}
_BAD_TYPES: Final = {END_GROUP: "a group ends that never began"}
