"""The tensors of a checkpoint, as lazy views of its file, and the objects around them.

Two layouts are read: archives (torch.save since 1.6), where every storage is a member, and the
stream of pickles before them, where the storages follow the last pickle
(torch/serialization.py, _legacy_load).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.stored import ITEM_SIZES, MAX_AXES, StoredTensor, misplaced
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.files.wire import Wire
from upconv.converters.readers.torch.state.element_types import NAMES, STORED
from upconv.converters.readers.torch.state.pickles import Global, Inert, Persistent, meter_of, run

MAX_VISITED: Final = 1_000_000
"""Values of a file that are looked at; a long path counts as several."""
_PATH_STEP: Final = 32
LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
DATA: Final = "data.pkl"

_ELEMENTS: Final = {
    **{name: STORED[code] for code, name in NAMES.items()},
    "float": "<f4",
    "double": "<f8",
    "half": "<f2",
    "byte": "u1",
    "char": "i1",
    "short": "<i2",
    "int": "<i4",
    "long": "<i8",
}
"""dtypes (torch.float32) and storage classes (FloatStorage), without their affixes."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a pickled file holds: its value with inert stand-ins, the globals it names, and where
    the bytes of its storages are."""

    path: str
    value: Any
    names: tuple[Global, ...]
    wire: Wire
    storages: Mapping[str, tuple[int, int]]

    def tensor(self, value: Any, name: str) -> StoredTensor | None:
        """A value as a tensor; None where it is none.

        Raises UnreadableError where its description and the bytes do not fit.
        """
        value = _unwrapped(value)
        if not isinstance(value, Inert) or value.path not in _REBUILDS:
            return None
        arguments = value.arguments
        if not isinstance(arguments, tuple) or len(arguments) < 4:
            raise self._invalid(name, "is described wrongly")
        storage, offset, sizes, strides = arguments[:4]
        dtype = arguments[6] if value.path.endswith("_v3") and len(arguments) > 6 else None
        return self._located(name, storage, offset, (sizes, strides), dtype)

    def tensors(self) -> Mapping[str, StoredTensor]:
        """Every tensor, by the dotted path of keys that leads to it."""
        found: dict[str, StoredTensor] = {}
        for name, value in entries(self.value):
            tensor = self.tensor(value, name)
            if tensor is not None:
                found[name] = tensor
        return found

    def _located(
        self, name: str, storage: Any, offset: Any, layout: tuple[Any, Any], dtype: Any
    ) -> StoredTensor:
        key = storage.key if isinstance(storage, Persistent) else None
        if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage":
            raise self._invalid(name, "has no storage")
        element = element_of(dtype if isinstance(dtype, Global) else key[1])
        if element is None:
            raise self._invalid(name, "has an element type that is not known")
        sizes, strides = (self._integers(name, _unwrapped(one)) for one in layout)
        if len(sizes) != len(strides) or not isinstance(offset, int) or offset < 0:
            raise self._invalid(name, "is no plain strided tensor")
        stored = str(key[2]) if isinstance(key[2], str | int) else ""
        if stored not in self.storages:
            raise self._invalid(name, f"lies in the storage {stored[:40]!r}, which is missing")
        begin, end = self.storages[stored]
        problem = misplaced(sizes, strides, offset, element, end - begin)
        if problem:
            raise self._invalid(name, problem)
        place = begin + offset * ITEM_SIZES[element]
        return StoredTensor(sizes, element, strides, place, self.wire)

    def _integers(self, name: str, values: Any) -> tuple[int, ...]:
        plain = isinstance(values, tuple | list) and len(values) <= MAX_AXES
        if not plain or not all(type(one) is int and 0 <= one < 1 << 48 for one in values):
            raise self._invalid(name, "has impossible sizes or strides")
        return tuple(values)

    def _invalid(self, name: str, problem: str) -> UnreadableError:
        return UnreadableError(f"the tensor '{name[:200]}' {problem}", path=self.path)


_REBUILDS: Final = frozenset(
    f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3")
)
_WRAPPERS: Final = frozenset(
    {
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch.Size",
        "torch.nn.parameter.Parameter",
    }
)


def _unwrapped(value: Any) -> Any:
    """The tensor in a parameter, the tuple in a torch.Size."""
    for _ in range(4):
        if not isinstance(value, Inert) or value.path not in _WRAPPERS:
            break
        arguments = value.arguments
        value = arguments[0] if isinstance(arguments, tuple) and arguments else None
    return value


def element_of(kind: Any) -> str | None:
    """The element type of a storage's class or a dtype, as NumPy names it; None for another."""
    if not isinstance(kind, Global) or not kind.module.startswith("torch"):
        return None
    return _ELEMENTS.get(kind.name.removesuffix("Storage").lower())


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of what a dict, list or object holds."""
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items() if isinstance(key, str | int))
    elif isinstance(value, list | tuple):
        yield from ((str(index), item) for index, item in enumerate(value))
    elif isinstance(value, Inert):
        yield from ((str(key), item) for key, item in value.items if isinstance(key, str | int))
        yield from members(value.state) if isinstance(value.state, dict) else ()


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every value below a value, with its dotted path, each object once.

    The names of PyTorch's own tables (_modules, _parameters, _buffers) are left out of the paths.
    Raises UnreadableError where there are more than any real file has.
    """
    waiting: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    seen: set[int] = set()
    visited = 0
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        prefix, one = found
        visited += 1 + len(prefix) // _PATH_STEP
        if visited > MAX_VISITED:
            raise UnreadableError(f"a pickle of more than {MAX_VISITED} values")
        yield prefix, one
        if isinstance(one, dict | list | tuple | Inert) and id(one) not in seen:
            seen.add(id(one))
            waiting.append(_below(prefix, one))


def _below(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What lies in a value; a tensor's own description is no part of the model."""
    if isinstance(value, Inert) and value.path in _REBUILDS | _WRAPPERS:
        return iter(())
    return ((joined(prefix, name), item) for name, item in members(value))


_TABLES: Final = frozenset({"_modules", "_parameters", "_buffers"})


def joined(prefix: str, name: str) -> str:
    """A dotted path and the next name in it."""
    if name in _TABLES:
        return prefix
    return f"{prefix}.{name}"[:1000] if prefix else name[:1000]


def from_archive(archive: Archive, member: str = DATA, folder: str = "data/") -> Checkpoint:
    """The checkpoint in an archive: its pickle, and the folder that the storages lie in.

    Raises UnreadableError where the archive or its pickle is malformed.
    """
    data = memoryview(archive.read(member))
    pickled = run(data, archive.path)
    storages = {
        name.removeprefix(folder): archive.span(name)
        for name in archive.names
        if name.startswith(folder)
    }
    if "byteorder" in archive and archive.read("byteorder", 16).strip() == b"big":
        archive.fail("its tensors are big-endian, which is not read")
    wire = Wire(archive.view, archive.path)
    return Checkpoint(archive.path, pickled.value, pickled.names, wire, storages)


def from_stream(view: memoryview, path: str) -> Checkpoint:
    """The checkpoint in a file of pickles that follow each other.

    A single pickle is read too, though it then holds no tensors. Raises UnreadableError as
    `from_archive`.
    """
    meter = meter_of(path)
    first = run(view, path, meter=meter)
    if first.value != LEGACY_MAGIC:
        return Checkpoint(path, first.value, first.names, Wire(view, path), {})
    at = first.end
    names: dict[Global, None] = {}
    values = []
    for _ in range(4):  # the protocol's version, the system, the object, the keys of its storages
        pickled = run(view, path, at, meter)
        at = pickled.end
        values.append(pickled.value)
        names |= dict.fromkeys(pickled.names)
    value, keys = values[2:]
    sizes = _storage_sizes(value)
    return Checkpoint(
        path, value, tuple(names), Wire(view, path), _storages(view, path, at, keys, sizes)
    )


def _storages(
    view: memoryview, path: str, at: int, keys: Any, sizes: Mapping[str, int]
) -> Mapping[str, tuple[int, int]]:
    """Where each storage lies: a count of elements, 8 bytes, then the elements."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise UnreadableError("not a readable checkpoint: no list of storages", path=path)
    found: dict[str, tuple[int, int]] = {}
    for key in keys:
        count = int.from_bytes(view[at : at + 8], "little", signed=True)
        begin = at + 8
        end = begin + count * sizes.get(key, 0)
        if count < 0 or key not in sizes or end > len(view):
            raise UnreadableError(
                "truncated: a storage reaches past the end of the file", path=path
            )
        found[key] = (begin, end)
        at = end
    return found


def _storage_sizes(value: Any) -> Mapping[str, int]:
    """Storage key -> the bytes of one element, from the tensors that name it."""
    found: dict[str, int] = {}
    for _, one in entries(value):
        tensor = _unwrapped(one)
        if not isinstance(tensor, Inert) or tensor.path not in _REBUILDS:
            continue
        storage = _first(tensor.arguments)
        key = storage.key if isinstance(storage, Persistent) else None
        if isinstance(key, tuple) and len(key) > 2 and isinstance(key[2], str):
            element = element_of(key[1])
            if element is not None:
                found[key[2]] = ITEM_SIZES[element]
    return found


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, Sequence) and len(values) else None
