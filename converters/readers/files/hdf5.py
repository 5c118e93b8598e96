"""HDF5 files read safely: links out of the file are refused, sizes bounded, arrays left in place.

A dataset that is stored in one piece is a view of the file's memory map; a chunked or compressed
one is read when it is asked for. h5py is imported when a file is opened.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.hdf5_heaps import require_sound_heaps
from upconv.converters.readers.files.keras_archive import ByteRange, RangeFile

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

MAX_RATIO: Final = 1100
"""Values over stored bytes; deflate reaches 1032."""
MAX_ATTRIBUTE: Final = 1 << 26
_NUMERIC: Final = "fiu"


def whole_file(path: str) -> ByteRange:
    """The range of a whole file; UnreadableError where there is none."""
    try:
        return ByteRange(path, 0, os.path.getsize(path))
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}", path=path) from None


class Hdf5:
    """An HDF5 file, or one inside an archive.

    Raises UnreadableError, naming the file, for whatever is wrong in it.
    """

    def __init__(self, place: ByteRange, path: str = "") -> None:
        import h5py

        self.place = place
        self.path = path or place.path
        require_sound_heaps(place, self.path)
        try:
            self._file = h5py.File(RangeFile(place), "r")
        except (OSError, RuntimeError, ValueError) as error:
            raise UnreadableError(f"not an HDF5 file, or broken: {error}", path=self.path) from None
        self.root = Group(self, "/", self._file)

    def mapped(self) -> memoryview:
        """The bytes of the HDF5 file, mapped and unread."""
        with open(self.place.path, "rb") as file:
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return whole[self.place.start : self.place.start + self.place.length]

    def fail(self, message: str, where: str) -> UnreadableError:
        """The error of an object in the file."""
        return UnreadableError(f"{where}: {message}", path=self.path)


@dataclass(frozen=True, slots=True)
class Group:
    """A group whose members are reached by hard links only."""

    file: Hdf5
    path: str
    _handle: Any = field(repr=False)

    def names(self) -> list[str]:
        """The members' names. Raises UnreadableError where their list is broken."""
        try:
            return list(self._handle.keys())
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise self.file.fail(f"broken: {error}", self.path) from None

    def group(self, name: str) -> Group | None:
        """The member group of that name (a path with slashes walks down), None where absent."""
        import h5py

        found = self._member(name)
        if not isinstance(found, h5py.Group):
            return None
        return Group(self.file, self._joined(name), found)

    def dataset(self, name: str) -> Dataset | None:
        """The member dataset of that name, None where absent."""
        import h5py

        found = self._member(name)
        if not isinstance(found, h5py.Dataset):
            return None
        return _dataset(self.file, self._joined(name), found)

    def text(self, name: str) -> str | None:
        """A string attribute, None where absent."""
        value = self._attribute(name)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> list[str] | None:
        """An attribute that lists strings, None where absent. Keras cuts lists above 64 KiB into
        the attributes name0, name1 ..."""
        value = self._attribute(name)
        if value is not None:
            return _strings(value)
        if self._attribute(f"{name}0") is None:
            return None
        return [text for part in self._parts(name) for text in part]

    def _parts(self, name: str) -> Iterator[list[str]]:
        index = 0
        while (value := self._attribute(f"{name}{index}")) is not None:
            yield _strings(value)
            index += 1

    def _attribute(self, name: str) -> Any:
        try:
            if name not in self._handle.attrs:
                return None
            stored = self._handle.attrs.get_id(name)
            if prod(stored.shape) * stored.dtype.itemsize > MAX_ATTRIBUTE:
                raise self.file.fail(f"the attribute {name} is too large", self.path)
            return self._handle.attrs[name]
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise self.file.fail(f"the attribute {name} is broken: {error}", self.path) from None

    def _joined(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"

    def _member(self, name: str) -> Any:
        """The object behind a path of hard links."""
        import h5py

        handle = self._handle
        for part in name.strip("/").split("/"):
            try:
                if not isinstance(handle, h5py.Group) or part not in handle:
                    return None
                link = handle.get(part, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    kind = type(link).__name__
                    raise self.file.fail(f"a {kind}, which is never followed", self._joined(name))
                handle = handle[part]
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                raise self.file.fail(f"broken: {error}", self._joined(name)) from None
        return handle


def _strings(value: Any) -> list[str]:
    items = value.tolist() if hasattr(value, "tolist") else value
    items = items if isinstance(items, list) else [items]
    return [
        item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in items
    ]


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

    def array(self) -> FloatArray:
        """All values; a read-only view of the file where it stores little-endian float32."""
        import numpy as np

        if self.offset is None:
            return np.asarray(self._read(), np.float32).reshape(self.shape)
        values = np.frombuffer(self._bytes(), np.dtype(self.dtype)).reshape(self.shape)
        return np.asarray(values, np.float32)

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

    def _bytes(self) -> memoryview:
        assert self.offset is not None, "asked of datasets in one piece"
        return self.file.mapped()[self.offset : self.offset + self.nbytes]

    def _read(self) -> Any:
        import h5py

        try:
            with h5py.File(RangeFile(self.file.place), "r") as file:
                return file[self.path][()]
        except (OSError, RuntimeError, ValueError, KeyError, MemoryError) as error:
            raise self.file.fail(f"cannot be read: {error}", self.path) from None


def _dataset(file: Hdf5, path: str, found: Any) -> Dataset:
    """A dataset whose claims about its size have been checked."""
    try:
        if found.external or found.is_virtual:
            raise file.fail("its values lie in another file, which is never opened", path)
        if found.dtype.kind not in _NUMERIC and found.dtype.name != "bfloat16":
            raise file.fail(f"holds {found.dtype}, not numbers", path)
        stored, nbytes, offset = found.id.get_storage_size(), found.nbytes, found.id.get_offset()
        shape, dtype = tuple(map(int, found.shape)), found.dtype.str
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise file.fail(f"broken: {error}", path) from None
    if nbytes and not stored:
        raise file.fail("says it has values, but none are stored", path)
    if nbytes > MAX_RATIO * stored + 4096:
        raise file.fail(f"{stored} stored bytes cannot hold {nbytes}", path)
    if offset is not None and (offset + nbytes > file.place.length or stored < nbytes):
        raise file.fail("truncated: its values reach past the end of the file", path)
    return Dataset(file, path, shape, dtype, offset, nbytes)
