"""Checkpoints: `<prefix>.index` lists the tensors, `<prefix>.data-0000i-of-0000n` hold their bytes
(tensorflow/core/util/tensor_bundle/tensor_bundle.cc).

The data files are memory-mapped when the first tensor in them is asked for; a tensor's checksum
is checked before its first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.files.crc32c import crc32c, unmasked
from upconv.converters.readers.files.opening import open_regular
from upconv.converters.readers.files.sstable import Table, is_table
from upconv.converters.readers.files.wire import Wire, map_file
from upconv.converters.readers.tensorflow.graphdef import read_shape
from upconv.converters.readers.tensorflow.messages import Record, WireRecord, first_record, int_of
from upconv.converters.readers.tensorflow.schema import dtype_of
from upconv.converters.readers.tensorflow.tensors import Stored

MAX_SHARDS: Final = 100_000
_LITTLE: Final = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor is: its type, shape, data file, place in it, and masked checksum."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


@dataclass(slots=True)
class Bundle:
    """An opened checkpoint: its tensors by name."""

    prefix: str
    shards: int
    entries: dict[str, Entry]
    _maps: dict[int, memoryview] = field(default_factory=dict)
    _stored: dict[str, Stored] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{self.prefix}.index"

    def tensor(self, name: str) -> Stored | None:
        """The tensor of that name, None where there is none.

        Raises UnreadableError where its bytes are missing or cannot be its own, and
        UnsupportedError for what is no plain tensor of numbers.
        """
        entry = self.entries.get(name)
        if entry is None:
            return None
        if name not in self._stored:
            self._stored[name] = self._read(entry)
        return self._stored[name]

    def text(self, name: str) -> memoryview | None:
        """The bytes of a tensor that is one string, None where there is none: its length, the
        length's checksum (4 bytes), the string."""
        entry = self.entries.get(name)
        if entry is None or entry.dtype.name != "string" or prod(entry.shape) != 1:
            return None
        raw = self._bytes(entry)
        size = next((i for i, byte in enumerate(raw[:10], 1) if byte < 0x80), len(raw))
        return raw[size + 4 :]

    def _read(self, entry: Entry) -> Stored:
        if entry.sliced:
            raise UnsupportedError(f"'{entry.name}' is stored in slices", path=self.path)
        if not entry.dtype.numpy:
            raise UnsupportedError(f"'{entry.name}' holds {entry.dtype.name}", path=self.path)
        if entry.size != prod(entry.shape) * entry.dtype.item_size:
            raise self._error(entry, f"{entry.size} bytes cannot hold the shape {entry.shape}")
        raw = self._bytes(entry)
        return Stored(entry.shape, entry.dtype, raw=raw, check=_once(self._check(entry, raw)))

    def _bytes(self, entry: Entry) -> memoryview:
        data = self._map(entry)
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > len(data):
            raise self._error(entry, "truncated: it reaches past the end of its data file")
        return data[entry.offset : entry.offset + entry.size]

    def _map(self, entry: Entry) -> memoryview:
        if entry.shard not in self._maps:
            if not 0 <= entry.shard < self.shards:
                raise self._error(entry, f"it lies in shard {entry.shard} of {self.shards}")
            path = f"{self.prefix}.data-{entry.shard:05d}-of-{self.shards:05d}"
            self._maps[entry.shard] = map_file(path, "data file of a checkpoint")
        return self._maps[entry.shard]

    def _check(self, entry: Entry, raw: memoryview) -> Callable[[], None]:
        def check() -> None:
            if crc32c(raw) != unmasked(entry.checksum):
                raise self._error(entry, "corrupt: its checksum does not fit its bytes")

        return check

    def _error(self, entry: Entry, problem: str) -> UnreadableError:
        return UnreadableError(f"'{entry.name}': {problem}", path=self.path)


def _once(check: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def run() -> None:
        if not done:
            check()
            done.append(True)

    return run


def open_bundle(prefix: str) -> Bundle:
    """The checkpoint whose files begin with `prefix`.

    Raises UnreadableError where there is none or it is broken, and UnsupportedError for
    checkpoints of the first version, which are a single file.
    """
    path = f"{prefix}.index"
    if not os.path.exists(path) and _is_first_version(prefix):
        raise UnsupportedError(
            "a checkpoint of version 1, which is not read",
            path=prefix,
            hint="load it in TensorFlow and save it again: Saver writes version 2 since 0.12",
        )
    data = map_file(path, "checkpoint's index")
    entries = dict(_entries(data, path))
    header = entries.pop(b"", None)
    if header is None:
        raise UnreadableError("an index without its header", path=path)
    about = WireRecord(Wire(memoryview(header), path), "BundleHeaderProto")
    shards = int_of(about, "num_shards")
    if int_of(about, "endianness") != _LITTLE:
        raise UnsupportedError("a checkpoint of a big-endian machine", path=path)
    if not 0 < shards <= MAX_SHARDS:
        raise UnreadableError(f"a checkpoint of {shards} shards", path=path)
    found = (_entry(key, value, path) for key, value in entries.items())
    return Bundle(prefix, shards, {entry.name: entry for entry in found})


def _is_first_version(prefix: str) -> bool:
    try:
        with open_regular(prefix) as file:
            file.seek(max(os.path.getsize(prefix) - 8, 0))
            return is_table(file.read(8))
    except OSError:
        return False


def _entries(data: memoryview, path: str) -> Iterator[tuple[bytes, bytes]]:
    return Table(data, path).entries()


def _entry(key: bytes, value: bytes, path: str) -> Entry:
    record: Record = WireRecord(Wire(memoryview(value), path), "BundleEntryProto")
    shape = read_shape(first_record(record, "shape")) or ()
    return Entry(
        name=key.decode("utf-8", "replace"),
        dtype=dtype_of(int_of(record, "dtype")),
        shape=tuple(size or 0 for size in shape),
        shard=int_of(record, "shard_id"),
        offset=int_of(record, "offset"),
        size=int_of(record, "size"),
        checksum=int_of(record, "crc32c"),
        sliced=bool(record.records("slices")),
    )
