"""HDF5 files of Keras, read by our own walk over a memory map: nothing of libhdf5, which can take
gigabytes, loop or crash on a few flipped bits.

What is read: superblocks 0 to 3, object headers 1 and 2, groups old and new (also large ones),
attributes with numbers and texts (also many and large ones), datasets in the header, in one piece
and in chunks, deflated and shuffled. Links out of the file are refused, and so is what is not
known, by name. Arrays in one piece stay views of the map.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import HDF5
from upconv.converters.readers.files.hdf5.headers import Kind
from upconv.converters.readers.files.hdf5.heaps import global_heap
from upconv.converters.readers.files.hdf5.layouts import (
    DEFLATE,
    SHUFFLE,
    Chunk,
    Layout,
    chunks,
    filters,
    layout,
)
from upconv.converters.readers.files.hdf5.objects import Attribute, Link, Object
from upconv.converters.readers.files.hdf5.store import Store
from upconv.converters.readers.files.hdf5.types import dataspace, datatype
from upconv.converters.readers.files.wire import map_file

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

__all__ = ["Dataset", "Group", "Hdf5", "open_hdf5"]

MAX_RATIO: Final = 1100
"""Values over stored bytes; deflate reaches 1032."""
FREE_RATIO: Final = 1 << 26
"""Bytes up to which any ratio of deflate's is believed; trained weights hardly compress."""
LARGE_RATIO: Final = 20
_REFERENCE: Final = 4
"""Bytes of a text's length, before the address of its heap."""


def open_hdf5(path: str) -> Hdf5:
    """The HDF5 file at a path. Raises UnreadableError where it is none."""
    return Hdf5(map_file(path, "HDF5 file"), path)


class Hdf5:
    """An HDF5 file, or one inside an archive, given as its bytes.

    Raises UnreadableError, naming the file, for whatever is wrong in it.
    """

    def __init__(self, view: memoryview, path: str) -> None:
        self.path = path
        self.store = Store(view, path)
        self._objects: dict[int, Object] = {}
        self._heaps: dict[int, Mapping[int, tuple[int, int]]] = {}
        self.root = Group(self, "/", self.object(self.store.root))

    def object(self, at: int) -> Object:
        """The object whose header is at an address, read once."""
        if at not in self._objects:
            self._objects[at] = Object(self.store, at)
        return self._objects[at]

    def text(self, at: int) -> bytes:
        """The text that a reference in the file leads to (length, heap, number)."""
        store = self.store
        size, heap = store.number(at, 4), store.address(at + _REFERENCE)
        if not size or not heap:
            return b""
        if heap not in self._heaps:
            self._heaps[heap] = global_heap(store, heap)
        number = store.number(at + _REFERENCE + store.address_size, 4)
        if number not in self._heaps[heap]:
            store.fail("a text that is in no heap", at)
        begin, most = self._heaps[heap][number]
        return store.text_bytes(begin, min(size, most))

    def fail(self, message: str, where: str) -> UnreadableError:
        """The error of an object in the file."""
        return UnreadableError(f"{where}: {message}", path=self.path)


@dataclass(frozen=True, slots=True)
class Group:
    """A group whose members are reached by hard links only."""

    file: Hdf5
    path: str
    _object: Object = field(repr=False)

    def names(self) -> list[str]:
        """The members' names, sorted. Raises UnreadableError where their list is broken."""
        return sorted(self._object.links)

    def group(self, name: str) -> Group | None:
        """The member group of that name (a path with slashes walks down), None where absent."""
        found = self._member(name)
        if found is None or not found.is_group or found.is_dataset:
            return None
        return Group(self.file, self._joined(name), found)

    def dataset(self, name: str) -> Dataset | None:
        """The member dataset of that name, None where absent."""
        found = self._member(name)
        if found is None or not found.is_dataset:
            return None
        return _dataset(self.file, self._joined(name), found)

    def text(self, name: str) -> str | None:
        """A string attribute, None where absent."""
        found = self._texts(name)
        return "".join(found) if found is not None and self._is_single(name) else None

    def _is_single(self, name: str) -> bool:
        return self._object.attributes[name].shape == ()

    def texts(self, name: str) -> list[str] | None:
        """An attribute that lists strings, None where absent. Keras cuts lists above 64 KiB into
        the attributes name0, name1 ..."""
        whole = self._texts(name)
        if whole is not None or self._texts(f"{name}0") is None:
            return whole
        return [text for part in self._parts(name) for text in part]

    def _parts(self, name: str) -> Iterator[list[str]]:
        index = 0
        while (value := self._texts(f"{name}{index}")) is not None:
            yield value
            index += 1

    def _texts(self, name: str) -> list[str] | None:
        """The texts of an attribute, in one list; None where it is absent, or no text."""
        found = self._object.attributes.get(name)
        if found is None or not (found.datatype.text or found.shape == (0,)):
            return None  # an empty list is one of numbers, since nothing says otherwise
        return [one.decode("utf-8", "replace") for one in self._values(name, found)]

    def _values(self, name: str, found: Attribute) -> Iterator[bytes]:
        count = 0 if found.shape is None else prod(found.shape)
        size, store = found.datatype.size, self.file.store
        if count * size > HDF5.bytes:
            raise self.file.fail(f"the attribute {name} is too large", self.path)
        store.meter.spend(count)
        store.piece(found.at, count * size)
        for at in range(found.at, found.at + count * size, size or 1):
            fixed = found.datatype.text == "fixed"
            yield store.text_bytes(at, size).rstrip(b"\0") if fixed else self.file.text(at)

    def _joined(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"

    def _member(self, name: str) -> Object | None:
        """The object behind a path of hard links."""
        found = self._object
        for part in name.strip("/").split("/"):
            link = found.links.get(part) if found.is_group else None
            if link is None:
                return None
            found = self._followed(link, name)
        return found

    def _followed(self, link: Link, name: str) -> Object:
        if link.kind:
            raise self.file.fail(f"a {link.kind}, which is never followed", self._joined(name))
        if link.address is None:
            raise self.file.fail("broken: a link to nothing", self._joined(name))
        return self.file.object(link.address)


@dataclass(frozen=True, slots=True)
class Dataset:
    """An array in the file: upconv.converters.ir.tensors.TensorData, float32 whatever is stored.

    `offset` is where its bytes begin in the HDF5 file, None where they are chunked.
    """

    file: Hdf5
    path: str
    shape: tuple[int, ...]
    dtype: str
    offset: int | None
    nbytes: int
    parts: tuple[Chunk, ...] = field(default=(), repr=False)
    chunk_shape: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()

    def array(self) -> FloatArray:
        """All values; a read-only view of the file where it stores little-endian float32."""
        import numpy as np

        values = self._joined_chunks() if self.offset is None else self._view(self._bytes())
        if self.dtype == "bfloat16":
            values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return np.asarray(values.reshape(self.shape), np.float32)

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The little-endian float32 bytes in order, at most `size` at a time."""
        import numpy as np

        if self.offset is not None and self.dtype == "<f4":
            data = self._bytes()
            yield from (data[at : at + size] for at in range(0, self.nbytes, size))
            return
        flat = np.ascontiguousarray(self.array(), "<f4").reshape(-1)
        step = max(size // 4, 1)
        for start in range(0, flat.size, step):
            yield flat[start : start + step].data.cast("B")

    @property
    def _stored_dtype(self) -> str:
        return "<u2" if self.dtype == "bfloat16" else self.dtype

    def _bytes(self) -> memoryview:
        assert self.offset is not None, "asked of datasets in one piece"
        return self.file.store.piece(self.offset, self.nbytes)

    def _view(self, data: bytes | memoryview) -> Any:
        import numpy as np

        return np.frombuffer(data, np.dtype(self._stored_dtype))

    def _joined_chunks(self) -> Any:
        """The values of all chunks, each of which has to be there."""
        import numpy as np

        whole = np.empty(self.shape, np.dtype(self._stored_dtype))
        for chunk in self.parts:
            values = self._view(self._plain(chunk)).reshape(self.chunk_shape)
            places = tuple(
                slice(corner, corner + size)
                for corner, size in zip(chunk.corner, self.chunk_shape, strict=True)
            )
            target = whole[places]
            target[...] = values[tuple(slice(0, size) for size in target.shape)]
        return whole

    def _plain(self, chunk: Chunk) -> bytes | memoryview:
        """A chunk's bytes, filters undone in the reverse order of writing."""
        import numpy as np

        item = np.dtype(self._stored_dtype).itemsize
        size = prod(self.chunk_shape) * item
        data: bytes | memoryview = self.file.store.piece(chunk.at, chunk.size)
        for place, number in reversed(tuple(enumerate(self.filters))):
            if chunk.skipped >> place & 1:
                continue
            if number == DEFLATE:
                data = self._inflated(data, size)
            elif number == SHUFFLE and item > 1 and len(data) == size:
                data = np.frombuffer(data, np.uint8).reshape(item, -1).T.tobytes()
        if len(data) != size:
            raise self.file.fail(f"a chunk of {len(data)} bytes instead of {size}", self.path)
        return data

    def _inflated(self, data: bytes | memoryview, size: int) -> bytes:
        try:
            return zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise self.file.fail(f"a chunk is broken: {error}", self.path) from None


def _dataset(file: Hdf5, path: str, found: Object) -> Dataset:
    """A dataset whose claims about its size have been checked."""
    store = file.store
    space, kind = found.one(Kind.DATASPACE), found.one(Kind.DATATYPE)
    where = found.one(Kind.LAYOUT)
    if space is None or kind is None or where is None or space.is_shared or kind.is_shared:
        raise file.fail("broken, or of a type that is shared, which is not read", path)
    if Kind.EXTERNAL in found.messages:
        raise file.fail("its values lie in another file, which is never opened", path)
    shape, stored_type = dataspace(store, space.at), datatype(store, kind.at)
    laid = layout(store, where)
    undone, problem = filters(store, found.one(Kind.FILTERS))
    if laid.problem or problem:
        raise file.fail(laid.problem or problem, path)
    if not stored_type.dtype or shape is None:
        raise file.fail(f"holds {stored_type.what}, not numbers", path)
    nbytes = prod(shape) * stored_type.size
    made = Dataset(file, path, shape, stored_type.dtype, laid.at or 0, nbytes)
    if laid.chunk_shape:
        parts = _parts(file, path, laid, shape, stored_type.size, bool(undone))
        return replace(made, offset=None, parts=parts, chunk_shape=laid.chunk_shape, filters=undone)
    if nbytes and laid.at is None:
        raise file.fail("says it has values, but none are stored", path)
    if (laid.at or 0) + nbytes > len(store.view) or 0 <= laid.size < nbytes:
        raise file.fail("truncated: its values reach past the end of the file", path)
    return made


def _parts(
    file: Hdf5, path: str, laid: Layout, shape: tuple[int, ...], item: int, filtered: bool
) -> tuple[Chunk, ...]:
    """The chunks of a dataset, which together have room for its values."""
    if len(laid.chunk_shape) != len(shape):
        raise file.fail("its chunks have another number of axes", path)
    nbytes = prod(shape) * item
    pairs = zip(shape, laid.chunk_shape, strict=True)
    count = prod(-(-size // step) for size, step in pairs)
    if nbytes and laid.index_at is None:
        raise file.fail("says it has values, but none are stored", path)
    parts = tuple(chunks(file.store, laid, shape, item, filtered)) if nbytes else ()
    stored = sum(part.size for part in parts)
    whole = max(nbytes, prod(laid.chunk_shape) * item if parts else 0)
    ratio = MAX_RATIO if whole <= FREE_RATIO else LARGE_RATIO
    if whole > ratio * stored + 4096:
        raise file.fail(f"{stored} stored bytes cannot hold {whole}", path)
    corners = {part.corner for part in parts if _on_grid(part, shape, laid.chunk_shape)}
    if len(corners) != (count if nbytes else 0):
        raise file.fail(f"has {len(corners)} of its {count} chunks", path)
    return parts


def _on_grid(part: Chunk, shape: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    places = zip(part.corner, shape, steps, strict=True)
    return all(at < size and not at % step for at, size, step in places)
