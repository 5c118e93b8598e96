"""The weights of a .pt2 archive: their configuration, checked, and views of their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.stored import ITEM_SIZES, MAX_AXES, StoredTensor, misplaced
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.files.wire import Wire
from upconv.converters.readers.torch.exported.fields import MalformedError, integer, member, rows
from upconv.converters.readers.torch.state.element_types import STORED

STRIDED: Final = 7


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
            file, meta = str(member(entry, "path_name")), member(entry, "tensor_meta")
            key = (file, repr(meta))
            if key not in self._tensors:
                if entry.get("use_pickle"):
                    raise self._invalid(name, "is stored as a pickle, which is not run")
                self._tensors[key] = self._located(name, file, meta)
            return self._tensors[key]
        except MalformedError as error:
            raise self._invalid(name, f"is described wrongly: {error}") from None

    def _config(self, name: str) -> Mapping[str, Any]:
        config = self._archive.json(name)
        entries = config.get("config") if isinstance(config, dict) else None
        if not isinstance(entries, dict):
            self._archive.fail(f"the member '{name}' holds no table of tensors")
        return entries

    def _located(self, name: str, file: str, meta: Mapping[str, Any]) -> StoredTensor:
        shape = self._integers(name, rows(member(meta, "sizes")))
        strides = self._integers(name, rows(member(meta, "strides")))
        (offset,) = self._integers(name, [member(meta, "storage_offset")])
        element = integer(member(meta, "dtype"))
        dtype = STORED.get(element)
        if dtype is None:
            raise self._invalid(name, f"has the element type {element}, which is not known")
        if meta.get("layout", STRIDED) != STRIDED or len(shape) != len(strides):
            raise self._invalid(name, "is not a plain strided tensor")
        begin, end = self._archive.span(f"{self._folder}/{file}")
        problem = misplaced(shape, strides, offset, dtype, end - begin)
        if problem:
            raise self._invalid(name, problem)
        return StoredTensor(shape, dtype, strides, begin + offset * ITEM_SIZES[dtype], self._wire)

    def _integers(self, name: str, values: Sequence[Any]) -> tuple[int, ...]:
        found = tuple(member(value, "as_int") for value in values)
        plain = all(type(one) is int and 0 <= one < 1 << 48 for one in found)  # True is no size
        if not plain or len(found) > MAX_AXES:
            raise self._invalid(name, f"has impossible sizes or strides {found!r:.80}")
        return found

    def _invalid(self, name: str, problem: str) -> UnreadableError:
        return UnreadableError(f"the tensor '{name}' {problem}", path=self._archive.path)
