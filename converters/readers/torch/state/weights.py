"""Weights of a .pt2 archive: their configuration, checked, and lazy views of their bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.files.wire import Wire

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

MAX_AXES: Final = 32
MAX_EXPANDED: Final = 1 << 28
STRIDED: Final = 7

DTYPES: Final[dict[int, str]] = {
    1: "u1",
    2: "i1",
    3: "<i2",
    4: "<i4",
    5: "<i8",
    6: "<f2",
    7: "<f4",
    8: "<f8",
    12: "?",
    13: "bfloat16",
}
"""ScalarType of torch/_export/serde/schema.py as NumPy's names; bfloat16 has none there."""

ITEM_SIZES: Final = {"?": 1, "bfloat16": 2} | {
    name: int(name[-1]) for name in DTYPES.values() if name[-1].isdigit() and name != "bfloat16"
}

_FORMATS: Final = {
    "u1": "<B",
    "i1": "<b",
    "<i2": "<h",
    "<i4": "<i",
    "<i8": "<q",
    "<f2": "<e",
    "<f4": "<f",
    "<f8": "<d",
    "?": "<?",
    "bfloat16": "<f",
}
"""The same types as `struct` has them; bfloat16 behind two zero bytes."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in an archive: where its values lie, and nothing read before it is asked for.

    `begin` is the byte of element 0 of the storage after storage_offset, `strides` count elements.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]
    begin: int
    _wire: Wire = field(repr=False, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether the bytes in the file are the float32 bytes in order."""
        return self.dtype == "<f4" and self.strides == contiguous(self.shape)

    def raw(self) -> Any:
        """The values as stored, in `shape`; bfloat16 widened to float32."""
        import numpy as np

        dtype = "<u2" if self.dtype == "bfloat16" else self.dtype
        size = ITEM_SIZES[self.dtype]
        steps = tuple(step * size for step in self.strides)
        values = np.ndarray(self.shape, dtype, self._wire.view, self.begin, steps)
        if self.dtype == "bfloat16":
            return (values.astype("<u4") << 16).view("<f4")
        return values

    def number(self) -> int | float:
        """The only value of a tensor without axes, as Python has it."""
        size = ITEM_SIZES[self.dtype]
        data = bytes(self._wire.view[self.begin : self.begin + size])
        if self.dtype == "bfloat16":
            data = b"\0\0" + data
        value: int | float = struct.unpack(_FORMATS[self.dtype], data)[0]
        return value

    def array(self) -> FloatArray:
        """The values as float32; a read-only view where they are stored so."""
        import numpy as np

        result: FloatArray = np.asarray(self.raw(), np.float32)
        return result

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """The float32 bytes in order, at most `size` at a time; see `tensors.TensorData`."""
        if not self.is_plain:
            yield from _converted_chunks(self.array(), size)
            return
        end = self.begin + 4 * prod(self.shape)
        for start in range(self.begin, end, size):
            stop = min(start + size, end)
            yield self._wire.view[start:stop]
            self._wire.release(start, stop)


def _converted_chunks(values: FloatArray, size: int) -> Iterator[memoryview]:
    import numpy as np

    flat = np.ascontiguousarray(values, "<f4").reshape(-1)
    step = max(size // 4, 1)
    for start in range(0, flat.size, step):
        yield flat[start : start + step].data.cast("B")


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, of a tensor whose values are in order.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(max(prod(shape[axis + 1 :]), 1) for axis in range(len(shape)))


class WeightTable:
    """The tensors that one configuration member describes, by their names in the module."""

    def __init__(self, archive: Archive, config: str, folder: str) -> None:
        self._archive = archive
        self._folder = folder
        self._wire = Wire(archive.view, archive.path)
        self._entries = self._config(config) if config in archive else {}
        self._tensors: dict[tuple[str, str], StoredTensor] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def tensor(self, name: str) -> StoredTensor:
        """The tensor of a name; tied weights are one object.

        Raises UnreadableError where its description and the bytes do not fit.
        """
        entry = self._entries[name]
        try:
            member, meta = str(entry["path_name"]), entry["tensor_meta"]
            key = (member, repr(meta))
            if key not in self._tensors:
                if entry.get("use_pickle"):
                    raise self._invalid(name, "is stored as a pickle, which is not run")
                self._tensors[key] = self._located(name, member, meta)
            return self._tensors[key]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._invalid(name, f"is described wrongly: {error!r}") from None

    def _config(self, member: str) -> Mapping[str, Any]:
        config = self._archive.json(member)
        entries = config.get("config") if isinstance(config, dict) else None
        if not isinstance(entries, dict):
            self._archive.fail(f"the member '{member}' holds no table of tensors")
        return entries

    def _located(self, name: str, member: str, meta: Mapping[str, Any]) -> StoredTensor:
        shape = self._integers(name, meta["sizes"])
        strides = self._integers(name, meta["strides"])
        (offset,) = self._integers(name, [meta["storage_offset"]])
        dtype = DTYPES.get(meta["dtype"])
        if dtype is None:
            raise self._invalid(
                name, f"has the element type {meta['dtype']!r:.40}, which is not known"
            )
        if meta.get("layout", STRIDED) != STRIDED or len(shape) != len(strides):
            raise self._invalid(name, "is not a plain strided tensor")
        begin, end = self._archive.span(f"{self._folder}/{member}")
        item = ITEM_SIZES[dtype]
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if prod(shape) and (last + 1) * item > end - begin:
            raise self._invalid(name, f"needs {(last + 1) * item} bytes, but has {end - begin}")
        if prod(shape) > max((end - begin) // item, MAX_EXPANDED):
            raise self._invalid(name, f"would expand to {prod(shape)} values")
        return StoredTensor(shape, dtype, strides, begin + offset * item, self._wire)

    def _integers(self, name: str, values: Sequence[Any]) -> tuple[int, ...]:
        found = tuple(value["as_int"] for value in values)
        plain = all(type(one) is int and 0 <= one < 1 << 48 for one in found)  # True is no size
        if not plain or len(found) > MAX_AXES:
            raise self._invalid(name, f"has impossible sizes or strides {found!r:.80}")
        return found

    def _invalid(self, name: str, problem: str) -> UnreadableError:
        return UnreadableError(f"the tensor '{name}' {problem}", path=self._archive.path)
