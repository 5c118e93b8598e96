"""The arrays of a .params file: MXNet's list of NDArrays in each of its four encodings, or the ZIP
of .npy that 2.0 writes. They are views of the file; nothing is read but their headers.

The layout is NDArray::Save and Load of src/ndarray/ndarray.cc: u64 0x112, u64 0, u64 count, the
arrays, u64 count of names (0 or the same), each a u64 length and its bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.tensors import ArrayData, TensorData
from upconv.converters.readers.files.budgets import MXNET, Meter
from upconv.converters.readers.files.stored import (
    ITEM_SIZES,
    MAX_AXES,
    MAX_EXPANDED,
    StoredTensor,
    contiguous,
)
from upconv.converters.readers.files.wire import Wire, map_file
from upconv.converters.readers.files.zip_archive import STORED, Member, Zip

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ints: TypeAlias = tuple[int, ...]

MAGIC: Final = b"\x12\x01" + bytes(6)
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DTYPES: Final = {
    **{0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?"},
    12: "bfloat16",
}
"""mshadow's type flag -> NumPy's name of the element type."""
_AUXILIARY: Final = {0: 0, 1: 1, 2: 2}
"""Storage type (dense, row_sparse, csr) -> arrays of indices beside the data."""
_HEADER: Final = re.compile(
    rb"\s*\{\s*'descr':\s*'([<>|=]?\w{1,3})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(((?:\d{1,19}, *)*(?:\d{1,19})?)\),?\s*\}\s*"
)


def read_params(path: str) -> Mapping[str, TensorData]:
    """The arrays by their names, `arg:` and `aux:` taken off; those of a list by their numbers.

    Raises UnreadableError where the file is none, ends early, or says what cannot be.
    """
    view = map_file(path, "file of MXNet parameters")
    head = bytes(view[:8])
    if head.startswith(b"PK\x03\x04"):
        return _archive(Zip(view, path))
    if head != MAGIC:
        raise UnreadableError("no file of MXNet parameters: it begins otherwise", path=path)
    return _Params(view, path).arrays()


def _plain(name: str) -> str:
    kind, colon, rest = name.partition(":")
    return rest if colon and kind in ("arg", "aux") else name


class _Params:
    """A place in the file; every read is checked against its end."""

    def __init__(self, view: memoryview, path: str) -> None:
        self.view = view
        self.path = path
        self.wire = Wire(view, path)
        self.meter = Meter(MXNET, self.fail)
        self.at = 16

    def fail(self, message: str) -> NoReturn:
        raise UnreadableError(f"not readable MXNet parameters: {message}", path=self.path)

    def skip(self, size: int) -> int:
        """The beginning of the next `size` bytes, which are passed."""
        begin = self.at
        if not 0 <= size <= len(self.view) - begin:
            self.fail(f"truncated, {size} bytes are due at byte {begin}")
        self.at = begin + size
        return begin

    def numbers(self, kind: str, count: int) -> Ints:
        """`count` numbers of `struct`'s kind."""
        form = f"<{count}{kind}"
        return struct.unpack_from(form, self.view, self.skip(struct.calcsize(form)))

    def number(self, kind: str) -> int:
        return self.numbers(kind, 1)[0]

    def arrays(self) -> Mapping[str, TensorData]:
        found = [self.array() for _ in range(self.counted("arrays"))]
        names = [_plain(self.name()) for _ in range(self.counted("names"))]
        if names and len(names) != len(found):
            self.fail(f"{len(found)} arrays, but {len(names)} names")
        named = zip(names or map(str, range(len(found))), found, strict=True)
        made: dict[str, TensorData] = {}
        for name, array in named:
            if name in made:
                self.fail(f"two arrays are called '{name:.100}'")
            if array is not None:
                made[name] = array
        return made

    def counted(self, what: str) -> int:
        count = self.number("Q")
        if count > (len(self.view) - self.at) // 4:
            self.fail(f"it says that it holds {count} {what}")
        self.meter.spend(count)
        return count

    def name(self) -> str:
        size = self.number("Q")
        self.meter.require_bytes(size, "a name")
        begin = self.skip(size)
        return str(self.view[begin : begin + size], "utf-8", "replace")

    def array(self) -> TensorData | None:
        """One array; None for one without values, of which nothing but the shape is written."""
        magic = self.number("I")
        if magic not in (_V2, _V3):
            shape = self.shape("q", self.number("I")) if magic == _V1 else self.shape("I", magic)
            return self.dense(shape) if shape else None
        beside = _AUXILIARY.get(self.number("i"))
        if beside is None:
            self.fail(f"an array of a storage type that is not known (byte {self.at - 4})")
        stored = self.shape("q", self.number("i")) if beside else ()
        axes = self.number("i")
        shape = self.shape("q", max(axes, 0))
        if axes < 0 or -1 in shape or (magic == _V2 and not axes):
            return None
        return self.sparse(shape, stored, beside) if beside else self.dense(shape)

    def shape(self, kind: str, axes: int) -> Ints:
        if not 0 <= axes <= MAX_AXES:
            self.fail(f"an array of {axes} axes (byte {self.at - 4})")
        return self.numbers(kind, axes)

    def dtype(self) -> str:
        flag = self.number("i")
        if flag not in DTYPES:
            self.fail(f"the element type {flag} is not known (byte {self.at - 4})")
        return DTYPES[flag]

    def dense(self, shape: Ints) -> StoredTensor:
        self.skip(8)  # the device, and its number
        return self.stored(shape, self.dtype())

    def stored(self, shape: Ints, dtype: str) -> StoredTensor:
        if any(size < 0 for size in shape):
            self.fail(f"an array of the shape {shape} (byte {self.at})")
        begin = self.skip(prod(shape) * ITEM_SIZES[dtype])
        return StoredTensor(shape, dtype, contiguous(shape), begin, self.wire)

    def sparse(self, shape: Ints, stored: Ints, beside: int) -> ArrayData:
        """The values that are not 0, and where they are: rows, or rows and columns (csr). Of csr
        MXNet may write the stored shape (0,): there are as many values as columns."""
        self.skip(8)
        dtype = self.dtype()
        kinds = [(self.dtype(), self.shape("q", self.number("i"))) for _ in range(beside)]
        data = self.stored(stored if beside == 1 else kinds[-1][1], dtype)
        places = [self.stored(own, kind) for kind, own in kinds]
        if any(size < 0 for size in shape) or prod(shape) > MAX_EXPANDED:
            self.fail(f"a sparse array of the shape {shape}")
        return ArrayData(shape, lambda: self.densified(shape, data, places))

    def densified(
        self, shape: Ints, data: StoredTensor, places: list[StoredTensor]
    ) -> NDArray[Any]:
        import numpy as np

        values = np.zeros(shape, np.float32)
        try:
            *pointers, columns = (np.asarray(place.raw(), np.int64) for place in places)
            if pointers:
                rows = np.repeat(np.arange(shape[0]), np.diff(pointers[0]))
                values[rows, columns] = data.array()
            else:
                values[columns] = data.array()
        except (IndexError, ValueError):
            self.fail("the places of a sparse array lie outside of it")
        return values


def _archive(archive: Zip) -> Mapping[str, TensorData]:
    """The .npy files of a ZIP, as views where they are stored plainly."""
    wire = Wire(archive.view, archive.path)
    return {
        _plain(name.removesuffix(".npy")): _npy(archive, wire, member)
        for name, member in archive.members.items()
    }


def _npy(archive: Zip, wire: Wire, member: Member) -> StoredTensor:
    """One array of NumPy (numpy/lib/format.py): its version, its header's length, a header."""
    begin, end = archive.span(member)
    if member.method != STORED or member.stored_size != member.size:
        data = archive.read(member, MAX_EXPANDED)
        begin, end, wire = 0, len(data), Wire(memoryview(data), archive.path)
    head = bytes(wire.view[begin : min(begin + 12, end)])
    wide = head[6:7] > b"\x01"
    length = int.from_bytes(head[8 : 12 if wide else 10], "little")
    first = begin + (12 if wide else 10)
    found = _HEADER.fullmatch(bytes(wire.view[first : min(first + length, end)][:4096]))
    if not head.startswith(b"\x93NUMPY") or found is None:
        archive.fail(f"the member '{member.name:.100}' is no array of NumPy")
    kind = found[1].decode().replace("|", "").replace("=", "<")
    kind = {"b1": "?", "<b1": "?"}.get(kind, kind)
    shape = tuple(int(size) for size in found[3].split(b",") if size.strip())
    if kind not in ITEM_SIZES or found[2] == b"True" or len(shape) > MAX_AXES:
        archive.fail(f"the member '{member.name:.100}' is an array that is not read")
    if prod(shape) * ITEM_SIZES[kind] != end - first - length:
        archive.fail(f"the member '{member.name:.100}' has another size than its shape")
    return StoredTensor(shape, kind, contiguous(shape), first + length, wire)
