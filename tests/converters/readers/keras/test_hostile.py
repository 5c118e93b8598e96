"""Files that are made to keep a reader busy, or to get it out of its bounds."""

from __future__ import annotations

import random
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import pytest

from tests.converters.readers.keras.handmade import (
    arrays,
    entry,
    layer,
    model,
    read,
    upsampler,
    write_h5,
    write_json,
    write_keras,
)
from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.geometry import fixed_same_pads

SECONDS = 20


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """A loop in a library cannot be interrupted from Python: the process ends."""
    signal.alarm(3 * SECONDS)
    yield
    signal.alarm(0)


def _with_text(path: Path) -> Path:
    """A model whose architecture is a text in a global heap."""
    write_h5(path, upsampler(), arrays())
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        del file.attrs["model_config"]
        file.attrs["model_config"] = text if isinstance(text, str) else text.decode()
    assert b"GCOL" in path.read_bytes()
    return path


def test_a_sound_heap_is_read(tmp_path: Path) -> None:
    assert read(_with_text(tmp_path / "m.h5")).notices == ()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (0, 8), (7, (1 << 64) - 8), (0, 1 << 40)])
@pytest.mark.parametrize("reserved", [b"\0\0\0", b"abc"])
def test_a_heap_whose_objects_lead_nowhere(
    reserved: bytes, index: int, size: int, tmp_path: Path
) -> None:
    """libhdf5 walks them for ever; free space ends a heap, whatever it says of its size."""
    path = _with_text(tmp_path / "m.h5")
    data = bytearray(path.read_bytes())
    start = data.index(b"GCOL")
    data[start + 5 : start + 8] = reserved
    data[start + 16 : start + 32] = struct.pack("<HH4xQ", index, 0, size)
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match="heap"):
        read(path)


def test_a_stride_without_end_costs_nothing(tmp_path: Path) -> None:
    started = perf_counter()
    assert fixed_same_pads(3, 10**15, 1) is None
    assert fixed_same_pads(10**15, 10**15, 10**9) is None
    conv = layer("Conv2D", "c", "x", filters=1, kernel_size=3, strides=10**9, padding="same")
    read(write_json(tmp_path / "m.json", model(entry("x", 8, 8, 1), conv)))
    assert perf_counter() - started < SECONDS


def _doubled(depth: int) -> dict[str, Any]:
    """A model that holds a model twice, which holds a model twice ..."""
    net = model(entry("x", 4), layer("ReLU", "r", "x"))
    for level in range(depth):
        inner = {**net, "name": f"m{level}", "inbound_nodes": [[["x", 0, 0, {}]]]}
        inner["config"] = {**net["config"], "name": f"m{level}"}
        inner["inbound_nodes"].append([[f"m{level}", 0, 0, {}]])
        net = model(entry("x", 4), inner)
        net["config"]["output_layers"] = [[f"m{level}", 1, 0]]
    return net


def test_models_that_double_end(tmp_path: Path) -> None:
    started = perf_counter()
    with pytest.raises(UnreadableError, match="more layers than any real model has"):
        read(write_json(tmp_path / "m.json", _doubled(24)))
    assert perf_counter() - started < SECONDS
    assert len(read(write_json(tmp_path / "few.json", _doubled(6))).layers) == 64


def _damaged(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice((1, 2, 8))):
        at = draw.randrange(len(found))
        if draw.random() < 0.7:
            found[at] = draw.randrange(256)
        else:
            del found[at : at + draw.randrange(1, 16)]
    return bytes(found)


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_damaged_files_fail_in_words(form: str, tmp_path: Path) -> None:
    write = write_h5 if form == "h5" else write_keras
    whole = write(tmp_path / f"m.{form}", upsampler(), arrays()).read_bytes()
    draw = random.Random(7)
    path = tmp_path / f"bad.{form}"
    for _ in range(150):
        path.write_bytes(_damaged(whole, draw))
        try:
            read(path)
        except UpconvError as error:
            assert str(error)


def test_numbers_beyond_every_network(tmp_path: Path) -> None:
    for number in (1 << 31, 1 << 63, -(1 << 63)):
        pad = layer("ZeroPadding2D", "p", "x", padding=[[0, number], [0, 0]])
        found = read(write_json(tmp_path / "m.json", model(entry("x", 8, 8, 1), pad)))
        assert [notice.kind for notice in found.notices] == ["unreadable-part"]


def test_names_that_no_text_can_hold_are_replaced(tmp_path: Path) -> None:
    bad = model(entry("x\udcea", 4), layer("ReLU", "r", "x\udcea"))
    found = read(write_json(tmp_path / "m.json", bad))
    assert [one.name for one in found.inputs] == ["x\ufffd"]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("LayerNormalization", {"axis": []}),
        ("LayerNormalization", {"axis": [-1, -1]}),
        ("BatchNormalization", {"axis": []}),
        ("GroupNormalization", {"axis": []}),
        ("Normalization", {"mean": [], "variance": [1.0]}),
        ("Normalization", {"mean": [0.0], "variance": []}),
        ("Normalization", {"mean": {}, "variance": [1.0]}),
        ("Normalization", {"mean": [0.0], "variance": ""}),
    ],
)
def test_a_list_without_an_entry_is_a_notice(
    kind: str, config: dict[str, Any], tmp_path: Path
) -> None:
    net = model(entry("x", 8, 8, 3), layer(kind, "y", "x", **config))
    found = read(write_json(tmp_path / "m.json", net))
    assert [one.error.layer for one in found.notices] == ["y"]


@pytest.mark.parametrize("version", ["9" * 5000, "2." + "9" * 5000, "2²"])
def test_a_version_of_endless_digits_is_none(version: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "m.json", {**upsampler(), "keras_version": version})
    assert read(path).layers
