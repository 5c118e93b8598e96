"""Files that are cut, or that lie about lengths, offsets and indices: one clear error each."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_tflite import Net, flatbuffer
from tests.converters.readers.tflite.support import noise, read, reasons
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError, UsageError
from upconv.converters.readers.files.flatbuffer import FlatBuffer, Table
from upconv.converters.readers.formats import identify, may_hold_model, open_model
from upconv.converters.readers.options import ReadOptions


def _net(**changes: Any) -> bytes:
    net = Net()
    x, y = net.tensor("x", (1, 4, 5, 2)), net.tensor("y", (1, 4, 5, 3))
    reads = [x, net.constant("w", noise(3, 3, 3, 2)), net.constant("b", noise(3))]
    net.op(3, reads, [y], {0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})
    for name, value in changes.items():
        getattr(net, name)[-1] = {**getattr(net, name)[-1], **value}
    return net.model([x], [y])


def test_tables_vectors_and_texts_come_back() -> None:
    fields: dict[int, Any] = {0: ("i", -7), 2: "name", 3: ["f", [0.5, 2.0]]}
    data = flatbuffer({**fields, 4: ({0: ("B", 9)}, {}), 5: {1: ("q", 1 << 40)}})
    root = FlatBuffer(memoryview(data), "a").root()
    assert (root.number(0), root.number(1, default=4), root.text(2)) == (-7, 4, "name")
    assert root.numbers(3, "f") == (0.5, 2.0)
    assert [one.number(0, "B") for one in root.tables(4)] == [9, 0]
    inner = root.table(5)
    assert isinstance(inner, Table)
    assert inner.number(1, "q") == 1 << 40


def test_a_file_is_told_and_found_by_its_mark(tmp_path: Path) -> None:
    model = read(_net(), tmp_path)
    path = str(tmp_path / "net.tflite")
    assert not model.notices
    assert identify(path) == "TensorFlow Lite"
    assert may_hold_model(path)
    with pytest.raises(UsageError, match="holds its weights"):
        open_model(path, ReadOptions(weights=path))


def test_a_file_cut_anywhere_is_one_error(tmp_path: Path) -> None:
    data = _net()
    for size in range(8, len(data), 7):
        with pytest.raises(UpconvError) as caught:
            read(data[:size], tmp_path)
        assert "\n" not in str(caught.value)


def test_every_number_of_a_file_may_lie(tmp_path: Path) -> None:
    """Each 32-bit number in turn, made huge or negative: a model, or one error."""
    data = _net()
    refused = 0
    for at in range(0, len(data) - 4, 4):
        for lie in (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 1):
            changed = bytearray(data)
            struct.pack_into("<I", changed, at, lie)
            try:
                read(bytes(changed), tmp_path)
            except UpconvError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused > 200


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"operators": {1: ["i", [0, 99, 2]]}}, "tensor 99 of 4"),
        ({"operators": {1: ["i", [-2]]}}, "tensor -2 of 4"),
        ({"operators": {0: ("I", 7)}}, "operator code 7 of 1"),
        ({"tensors": {2: ("I", 50)}}, "buffer 50 of 3"),
        ({"tensors": {0: ["i", [4_000_000_0] * 9]}}, "has the shape"),
        ({"tensors": {0: ["i", [2_000_000_000, 2_000_000_000]]}}, "bytes"),
        ({"buffers": {1: ("Q", 1 << 40), 2: ("Q", 99)}}, "truncated or corrupt"),
    ],
)
def test_an_index_out_of_bounds_is_one_error(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read(_net(**changes), tmp_path)


def test_a_vtable_that_points_out_of_the_file_and_another_version(tmp_path: Path) -> None:
    data = bytearray(_net())
    (root,) = struct.unpack_from("<I", data, 0)
    for back in (-(1 << 30), 1 << 30):
        struct.pack_into("<i", data, root, back)
        with pytest.raises(UnreadableError, match="flatbuffer"):
            read(bytes(data), tmp_path)
    with pytest.raises(UnsupportedError, match="version 2"):
        read(flatbuffer({0: ("I", 2)}), tmp_path)


def test_many_tables_of_one_large_vtable_cost_little(tmp_path: Path) -> None:
    data = bytearray(flatbuffer({0: ("I", 3), 4: ({},) * 2_000, 2: ({},)}))
    vtable = len(data)
    data += struct.pack("<HH", 65_532, 4) + bytes(65_528)
    empty = struct.pack("<HH4xi", 4, 4, 8)  # a vtable, and the table behind it
    assert data.count(empty) > 2_000
    at = data.find(empty)
    while at >= 0:  # each takes the large one for its own
        struct.pack_into("<i", data, at + 8, at + 8 - vtable)
        at = data.find(empty, at + 1)
    tracemalloc.start()
    with suppress(UpconvError):
        read(bytes(data), tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 26


def test_what_nothing_writes_and_what_is_not_known_are_told(tmp_path: Path) -> None:
    net = Net()
    x, never, y, z = (net.tensor(name, (1, 4, 4, 2)) for name in ("x", "never", "y", "z"))
    net.op(0, [x, never], [y], {})
    net.op("Frobnicate", [x], [z])
    found = reasons(read(net.model([x], [y, z]), tmp_path))
    assert "nothing writes" in found["y"]
    assert "Frobnicate" in found["z"]


def test_a_weight_of_four_thousand_million_values_costs_nothing(tmp_path: Path) -> None:
    net = Net()
    x, y = net.tensor("x", (1, 4, 4, 2)), net.tensor("y", (1, 4, 4, 2))
    sizes = net.constant("sizes", np.array([2_000_000_000, 2, 1, 1], np.int32), "i4")
    big = net.tensor("big", (1, 1, 1, 1))
    net.op(94, [sizes, net.constant("one", 1.0)], [big])
    net.op(0, [x, big], [y], {})
    tracemalloc.start()
    read(net.model([x], [y]), tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24
