from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make_caffemodel import length_tag, varint
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.wire import (
    FIXED32,
    FIXED64,
    LENGTH,
    MAX_GROUP_DEPTH,
    START_GROUP,
    VARINT,
    Field,
    FixedRun,
    Wire,
    map_file,
    other_format,
    signed,
    zigzag,
)

NUMBERS = st.integers(1, (1 << 29) - 1)
RECORDS = st.one_of(
    st.tuples(NUMBERS, st.just(VARINT), st.integers(0, (1 << 64) - 1)),
    st.tuples(NUMBERS, st.just(FIXED64), st.integers(0, (1 << 64) - 1)),
    st.tuples(NUMBERS, st.just(LENGTH), st.binary(max_size=300)),
    st.tuples(NUMBERS, st.just(START_GROUP), st.integers(0, 3)),
    st.tuples(NUMBERS, st.just(FIXED32), st.integers(0, (1 << 32) - 1)),
)


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def wire(data: bytes, **options: int) -> Wire:
    return Wire(memoryview(data), "file.bin", **options)  # type: ignore[arg-type]


def encode(record: tuple[int, int, int | bytes]) -> bytes:
    number, wire_type, value = record
    if isinstance(value, bytes):
        return length_tag(number, len(value)) + value
    if wire_type == START_GROUP:
        inside = tag(1, START_GROUP) * value + tag(1, 4) * value + tag(7, VARINT) + b"\x05"
        return tag(number, START_GROUP) + inside + tag(number, 4)
    payload = {VARINT: varint, FIXED64: struct.Struct("<Q").pack, FIXED32: struct.Struct("<I").pack}
    return tag(number, wire_type) + payload[wire_type](value)


def expand(data: bytes, field: Field) -> list[tuple[int, int, int | bytes]]:
    """What the walker found, as records: a run of fixed fields is as many records."""
    number, wire_type = field.number, field.wire_type
    if wire_type == LENGTH:
        return [(number, wire_type, data[field.start : field.end])]
    if wire_type in (FIXED32, FIXED64):
        size = {FIXED32: 4, FIXED64: 8}[wire_type]
        starts = range(field.start, field.end, size + 1)
        assert len(starts) == field.repeats
        values = [int.from_bytes(data[at : at + size], "little") for at in starts]
        assert values[-1] == field.value
        return [(number, wire_type, value) for value in values]
    if wire_type == START_GROUP:
        inside = data[field.start : field.end].removesuffix(tag(number, 4))
        return [(number, wire_type, inside.count(tag(1, START_GROUP)))]
    return [(number, wire_type, field.value)]


@given(st.lists(RECORDS, max_size=20))
def test_walks_what_was_written(records: list[tuple[int, int, int | bytes]]) -> None:
    data = b"".join(map(encode, records))
    found = [record for field in wire(data).fields() for record in expand(data, field)]
    assert found == records


@given(st.lists(RECORDS, max_size=6), st.data())
def test_a_prefix_gives_the_first_fields_or_fails(
    records: list[tuple[int, int, int | bytes]], data: st.DataObject
) -> None:
    whole = b"".join(map(encode, records))
    cut = data.draw(st.integers(0, len(whole)))
    found: list[tuple[int, int, int | bytes]] = []
    boundaries = {0}
    for count in range(1, len(records) + 1):
        boundaries.add(len(b"".join(map(encode, records[:count]))))
    try:
        for field in wire(whole[:cut]).fields():
            found += expand(whole[:cut], field)
    except UnreadableError:
        assert cut not in boundaries
    else:
        assert cut in boundaries
    assert found == records[: len(found)]


@given(st.binary(max_size=200))
def test_any_bytes_give_fields_or_the_one_error(data: bytes) -> None:
    ends = [0]
    failure = None
    try:
        for field in wire(data).fields():
            assert ends[-1] < field.start <= field.end <= len(data)
            ends.append(field.end)
    except UnreadableError as error:
        failure = error
    if failure is None:
        assert ends[-1] == len(data)
    else:
        assert failure.path == "file.bin"
        assert "(byte " in failure.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x08", "truncated: a number is cut off (byte 1)"),
        (b"\x08\x80\x80", "truncated: a number is cut off (byte 1)"),
        (b"\xa2", "truncated: a number is cut off (byte 0)"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "corrupt: a number of more than 10 bytes (byte 1)"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "corrupt: a number of more than 64 bits (byte 1)"),
        (b"\x00\x01", "corrupt: field number 0 (byte 0)"),
        (b"\x08\x01\x07\x01", "corrupt: field number 0 (byte 2)"),
        (varint(1 << 32 | 8) + b"\x01", "corrupt: field number 536870913 (byte 0)"),
        (b"\x08\x01\x0e\x01", "corrupt: wire type 6 (byte 2)"),
        (b"\x0f", "corrupt: wire type 7 (byte 0)"),
        (b"\x0c", "corrupt: a group ends that never began (byte 0)"),
        (b"\x0b\x14", "corrupt: group 2 ends inside another (byte 1)"),
        (b"\x0b\x08\x01", "truncated: a number is cut off (byte 3)"),
        (
            b"\x12\x05abcd",
            "truncated: field 2 of 5 bytes reaches past the end of the file at 6 (byte 0)",
        ),
        (
            b"\x12" + varint((1 << 64) - 1),
            f"truncated: field 2 of {(1 << 64) - 1} bytes reaches past the end of the file at 11 "
            "(byte 0)",
        ),
        (b"\x0d\0\0\0", "truncated: field 1 of 4 bytes reaches past the end of the file at 4"),
        (b"\x09" + b"\0" * 7, "truncated: field 1 of 8 bytes reaches past the end of the file"),
    ],
)
def test_what_is_broken_is_named_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        list(wire(data).fields())
    assert str(caught.value).startswith(f"file.bin: {message}")


def test_a_length_may_not_leave_its_message() -> None:
    inner = b"\x12\x04ab"
    data = length_tag(1, len(inner)) + inner + b"\x08\x01\x08\x01"
    walker = wire(data)
    outer = next(walker.fields())
    with pytest.raises(UnreadableError, match="past the end of the message around it at 6"):
        list(walker.fields(outer.start, outer.end))


@pytest.mark.parametrize(("wire_type", "size"), [(FIXED32, 4), (FIXED64, 8)])
def test_a_fixed_field_may_not_leave_its_message(wire_type: int, size: int) -> None:
    inner = tag(1, wire_type) + b"\0" * (size - 1)
    walker = wire(length_tag(1, len(inner)) + inner + b"\0" * 8)
    outer = next(walker.fields())
    with pytest.raises(UnreadableError, match=f"corrupt: field 1 of {size} bytes reaches past"):
        list(walker.fields(outer.start, outer.end))


def test_the_head_of_a_file_may_be_cut() -> None:
    number = tag(300, VARINT) + varint(1 << 40)
    inner = b"\x08\x01\x12\x03abc" + number + tag(300, FIXED32) + b"\0" * 4
    whole = length_tag(1, len(inner)) + inner
    for size in range(4, len(whole)):
        cut = Wire(memoryview(whole[:size]), "", head=True)
        (outer,) = cut.fields()
        assert outer.end == size
        found = list(cut.fields(outer.start, outer.end))
        assert [field.number for field in found[:2]] == [1, 2][: 1 + (size > 5)]
        if len(found) > 1:
            assert cut.text(found[1]) == "abc"[: size - 6]
    corrupt = length_tag(1, 2) + b"\x12\x05abc"
    walker = Wire(memoryview(corrupt), "", head=True)
    with pytest.raises(UnreadableError, match="past the end of the message around it"):
        list(walker.fields(2, 4))


def test_groups_are_skipped_to_a_bounded_depth() -> None:
    def nested(depth: int) -> bytes:
        return b"\x0b" * depth + b"\x0c" * depth + b"\x10\x07"

    fields = list(wire(nested(MAX_GROUP_DEPTH)).fields())
    assert [(field.number, field.value) for field in fields] == [(1, 0), (2, 7)]
    for depth in (MAX_GROUP_DEPTH + 1, 500_000):
        with pytest.raises(UnreadableError, match="nested more than 100 deep"):
            list(wire(nested(depth)).fields())


def test_the_number_of_fields_is_bounded_over_all_walks() -> None:
    walker = wire(b"\x08\x01" * 10, max_fields=15)
    assert len(list(walker.fields())) == 10
    with pytest.raises(UnreadableError, match=r"more fields than any real file has \(byte 10\)"):
        list(walker.fields())
    packed = length_tag(1, 20) + b"\x01" * 20
    bounded = wire(packed, max_fields=20)
    (field,) = bounded.fields()
    with pytest.raises(UnreadableError, match="more fields"):
        list(bounded.varints(field))
    with pytest.raises(UnreadableError, match="more fields"):
        list(wire(b"\x0b" + b"\x08\x01" * 30 + b"\x0c", max_fields=20).fields())


@pytest.mark.parametrize(("wire_type", "size"), [(FIXED32, 4), (FIXED64, 8)])
@pytest.mark.parametrize("count", [1, 2, 3, 64, 1000])
def test_equal_fixed_fields_are_one_run(wire_type: int, size: int, count: int) -> None:
    one = {FIXED32: "<f", FIXED64: "<d"}[wire_type]
    data = b"".join(tag(5, wire_type) + struct.pack(one, value) for value in range(count))
    walker = wire(data + b"\x08\x01", max_fields=2)
    run, other = walker.fields()
    assert (run.repeats, run.end, other.number) == (count, len(data), 1)
    found = walker.fixed_run(run, size)
    assert found == FixedRun(1, count, size + 1)
    assert walker.elements(found, one).tolist() == list(range(count))
    last = walker.float32(run) if size == 4 else walker.float64(run)
    assert last == count - 1


def test_a_run_ends_where_its_last_value_is_cut() -> None:
    data = (b"\x2d" + b"\0\0\0\0") * 3
    walk = wire(data + b"\x2d\0\0").fields()
    assert next(walk).repeats == 3
    with pytest.raises(UnreadableError, match="field 5 of 4 bytes"):
        next(walk)


def test_long_tags_make_no_runs() -> None:
    data = (tag(100, FIXED32) + b"\x01\0\0" + tag(100, FIXED32)[:1]) * 3
    assert [field.repeats for field in wire(data).fields()] == [1, 1, 1]


def test_packed_fixed_values_must_be_whole() -> None:
    walker = wire(length_tag(5, 6) + b"\0" * 6)
    (field,) = walker.fields()
    with pytest.raises(UnreadableError, match="6 bytes are not a whole number of values"):
        walker.fixed_run(field, 4)
    assert walker.fixed_run(field, 2) == FixedRun(2, 3, 2)
    assert walker.fixed_run(Field(5, VARINT, 1, 0, 1), 4).count == 0


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_of_a_run_are_the_run(count: int, most: int) -> None:
    data = np.arange(count, dtype="<f4").tobytes()
    whole = FixedRun(0, count, 4)
    parts = list(whole.parts(most))
    assert all(part.count <= most for part in parts)
    values = [v for part in parts for v in wire(data).elements(part, "<f4").tolist()]
    assert values == list(range(count))
    assert whole.end == len(data)


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_packed_and_single_varints_are_the_same(values: list[int]) -> None:
    packed = b"".join(map(varint, values))
    single = b"".join(b"\x08" + varint(value) for value in values)
    for data in (length_tag(1, len(packed)) + packed, single):
        walker = wire(data)
        found = [signed(v) for field in walker.fields() for v in walker.varints(field)]
        assert found == values


def test_a_packed_varint_may_not_leave_its_field() -> None:
    walker = wire(length_tag(1, 2) + b"\x01\x80" + b"\x08\x01")
    field = next(walker.fields())
    with pytest.raises(UnreadableError, match="a number is cut off"):
        list(walker.varints(field))


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_signs(value: int) -> None:
    assert signed(value % (1 << 32), bits=32) == value
    assert signed(value % (1 << 64)) == value
    assert zigzag(2 * value if value >= 0 else -2 * value - 1) == value


def test_texts() -> None:
    walker = wire(length_tag(1, 5) + b"na\xc3\xafv" + length_tag(1, 2) + b"\xff!")
    first, second = walker.fields()
    assert (walker.text(first), walker.text(second)) == ("naïv", "\N{REPLACEMENT CHARACTER}!")
    with pytest.raises(UnreadableError, match="a text of 5 bytes is beyond the limit of 4"):
        walker.text(first, limit=4)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"<HTML>", "a web page"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\x40" + b"\0" * 7 + b'{"a": {', "a safetensors file"),
        (b"PK\x03\x04" + b"\0" * 26 + b"archive/data.pkl", "a PyTorch checkpoint"),
        (b"PK\x03\x04" + b"\0" * 26 + b"fcn/data/0", "a PyTorch checkpoint"),
        (b"\x80\x02}q\x00(X", "a pickle, as PyTorch's old checkpoints are"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a pickle, as PyTorch's old checkpoints are"),
        (b"\x1f\x8b\x08\0", "a compressed file"),
        (b'name: "fcn8s"\r\n\tlayer {', "a text file"),
        ("# größe".encode()[:-3], "a text file"),
        (b"\xef\xbb\xbfname: 1", "a text file"),
        (b"\n\x05fcn8s\xa2\x06\x07", None),
        (b"\xa2\x06", None),
    ],
)
def test_other_formats(head: bytes, what: str | None) -> None:
    found = other_format(head)
    assert (found and found[0]) == what


def test_files_that_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "": "cannot be opened as a model: a folder",
        "absent": "cannot be opened: No such file or directory",
        "empty": "the file is empty, so not a model",
        "pipe": "cannot be opened as a model: a pipe, expected a regular file",
        "nul\0": "cannot be opened as a model: the path holds a NUL",
    }.items():
        path = f"{tmp_path}/{name}".rstrip("/")
        with pytest.raises(UnreadableError) as caught:
            map_file(path, "model")
        assert caught.value.message.startswith(message)
        assert caught.value.path == path


def test_released_memory_is_read_again(tmp_path: Path) -> None:
    content = os.urandom(5 * mmap.PAGESIZE + 100)
    (tmp_path / "data").write_bytes(content)
    view = map_file(str(tmp_path / "data"), "model")
    walker = Wire(view, "data")
    for start, end in ((0, len(content)), (100, 200), (mmap.PAGESIZE - 1, 3 * mmap.PAGESIZE)):
        walker.release(start, end)
        assert view == content
    wire(b"not mapped").release(0, 10)
    with pytest.raises(TypeError):
        view[0] = 1


@pytest.mark.parametrize("size", [1, 7, 4096, 5000, 1 << 20])
def test_a_mapped_file_is_streamed_piece_by_piece(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * 50
    (tmp_path / "m.bin").write_bytes(data)
    wire = Wire(map_file(str(tmp_path / "m.bin"), "model"), "m.bin")
    pieces = [bytes(piece) for piece in wire.streamed(3, len(data) - 1, size)]
    assert b"".join(pieces) == data[3:-1]
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert [bytes(piece) for piece in Wire(memoryview(data), "m").streamed(3, 5, size)] != []
