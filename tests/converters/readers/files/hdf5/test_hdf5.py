"""Our walk of HDF5 files against h5py, on what h5py writes in old and new formats."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import pytest

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.readers.files.hdf5 import Group, Hdf5, open_hdf5

Fill: TypeAlias = Callable[[h5py.File], None]
RNG = np.random.default_rng(5)


def _datasets(file: h5py.File) -> None:
    for name in ("<f4", ">f4", "<f2", "<f8", "<i8", ">i2", "|u1", "|i1", "?"):
        file[f"plain{ord(name[0])}{name[1:]}"] = RNG.normal(size=(3, 5)).astype(name)
    file["scalar"] = np.float32(2.5)
    file["empty"] = np.zeros((0, 4), "f4")


def _chunked(file: h5py.File) -> None:
    values = RNG.normal(size=(7, 10, 3)).astype("f4")
    for index, (chunks, compression, shuffle) in enumerate(
        product(((2, 3, 1), (7, 10, 3), (10, 10, 3)), (None, 1, 9), (False, True))
    ):
        fits = tuple(map(min, chunks, values.shape))
        file.create_dataset(
            f"c{index}", data=values, chunks=fits, compression=compression, shuffle=shuffle
        )
    file.create_dataset("many", data=RNG.integers(0, 9, 5000), chunks=(3,), compression="gzip")
    file.create_dataset("deep", data=RNG.integers(0, 9, (90, 90)).astype("i1"), chunks=(1, 2))


def _attributes(file: h5py.File) -> None:
    group = file.create_group("g")
    group.attrs["text"] = "é and more"
    group.attrs["bytes"] = np.bytes_(b"fixed")
    group.attrs["texts"] = ["a", "bb", ""]
    group.attrs["fixed"] = np.array([b"a", b"bb"])
    group.attrs["none"] = []
    group.attrs["long"] = "x" * 60_000
    for index in range(300):
        file["g"].attrs[f"a{index}"] = f"value {index}"


def _links(file: h5py.File) -> None:
    for index in range(700):
        file.create_group(f"many/g{index:03}é")
    here = file
    for _ in range(40):
        here = here.create_group("deep")
    here["x"] = np.arange(4, dtype="f4")
    file["again"] = file["deep"]


def _compact(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3, 4))
    made = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, plan)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, RNG.normal(size=(3, 4)).astype("f4"))


FILLS: dict[str, Fill] = {
    "datasets": _datasets,
    "chunked": _chunked,
    "attributes": _attributes,
    "links": _links,
    "compact": _compact,
}


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("name", FILLS)
def test_as_h5py_reads_it(tmp_path: Path, name: str, version: str, order: bool) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version, track_order=order) as file:
        FILLS[name](file)
    _require_same(path)


def _require_same(path: Path) -> int:
    """Compare all groups, texts and numbers of a file; returns how many datasets it has."""
    count = 0
    ours = open_hdf5(str(path))
    with h5py.File(path, "r") as file:
        for name, theirs in _objects(file):
            if isinstance(theirs, h5py.Dataset):
                count += 1
                found = ours.root.dataset(name)
                assert found is not None, name
                assert found.shape == theirs.shape
                np.testing.assert_array_equal(found.array(), np.asarray(theirs[()], np.float32))
                raw = b"".join(bytes(piece) for piece in found.chunks(7))
                assert raw == found.array().astype("<f4").tobytes()
                continue
            group = ours.root.group(name) if name else ours.root
            assert group is not None, name
            assert group.names() == sorted(theirs)
            for key, value in theirs.attrs.items():
                _require_same_text(group, key, value)
    return count


def _objects(file: h5py.File) -> Iterator[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("", file)]
    file.visititems(lambda name, one: found.append((name, one)))
    return iter(found)


def _require_same_text(group: Group, key: str, value: Any) -> None:
    if isinstance(value, str | bytes):
        assert group.text(key) == (value if isinstance(value, str) else value.decode()), key
    elif isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        texts = [one if isinstance(one, str) else one.decode() for one in value.tolist()]
        assert group.texts(key) == texts, key
    elif isinstance(value, np.ndarray) and value.shape == (0,):
        assert group.texts(key) == []


def test_a_list_in_parts_and_what_is_absent(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["names0"], file.attrs["names1"] = ["a", "b"], ["c"]
        file.create_group("g")
    root = open_hdf5(str(tmp_path / "a.h5")).root
    assert root.texts("names") == ["a", "b", "c"]
    assert (root.text("no"), root.texts("no"), root.group("no"), root.dataset("g")) == (None,) * 4


def _partly(file: h5py.File) -> None:
    file.create_dataset("x", (9,), "f4", chunks=(3,))[:6] = 1


@pytest.mark.parametrize(
    ("words", "fill"),
    [
        ("LZF", lambda f: f.create_dataset("x", data=np.ones(9), chunks=(3,), compression="lzf")),
        ("fletcher32", lambda f: f.create_dataset("x", (9,), chunks=(3,), fletcher32=True)),
        ("texts, not numbers", lambda f: f.create_dataset("x", data=["a", "b"])),
        ("compounds, not numbers", lambda f: f.create_dataset("x", data=np.zeros(2, "f4,i4"))),
        ("none are stored", lambda f: f.create_dataset("x", (4,), "f4")),
        ("none are stored", lambda f: f.create_dataset("x", (9,), "f4", chunks=(3,))),
        ("has 2 of its 3 chunks", _partly),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(tmp_path: Path, words: str, fill: Fill) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file)
    with pytest.raises(UnreadableError) as caught:
        open_hdf5(str(tmp_path / "a.h5")).root.dataset("x")
    assert words in caught.value.message


def test_files_of_the_collection(shared: Path) -> None:
    """Every HDF5 file there, also those that h5py cannot be trusted with."""
    files = [p for p in shared.rglob("*.h5") if "hostile" not in p.parts and os.path.isfile(p)]
    assert sum(map(_require_same, files))


def _walked(file: Hdf5, group: Group, depth: int = 0) -> None:
    """Everything that a reader asks for."""
    for name in group.names()[:50] if depth < 5 else ():
        for attribute in ("model_config", "weight_names", "layer_names", "text", "texts"):
            group.texts(attribute)
        inner = group.group(name)
        if inner is not None:
            _walked(file, inner, depth + 1)
            continue
        found = group.dataset(name)
        if found is not None:
            found.array()


@pytest.mark.parametrize("version", ["earliest", "latest"])
@pytest.mark.parametrize("name", FILLS)
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str, version: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version) as file:
        FILLS[name](file)
    whole = path.read_bytes()
    rng = random.Random(f"{name}{version}")
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(min(len(data), 20_000))] = rng.choice(
                (0, 1, 127, 255, rng.randrange(256))
            )
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            damaged = Hdf5(memoryview(bytes(data)), "a.h5")
            _walked(damaged, damaged.root)
        except UpconvError as error:
            assert "a.h5" in str(error)
