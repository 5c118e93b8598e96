"""Checkpoints: every tensor as TensorFlow's own reader has it, compressed or not, and broken."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.converters.readers.tensorflow.support import noise, tf, v1
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.readers.files.crc32c import crc32c
from upconv.converters.readers.files.snappy import SnappyError, decompress
from upconv.converters.readers.files.sstable import MAGIC
from upconv.converters.readers.tensorflow.bundle import open_bundle

pytestmark = pytest.mark.filterwarnings("ignore")

VALUES = {
    "float": noise(3, 4),
    "double": noise(2, 2).astype(np.float64),
    "half": noise(5).astype(np.float16),
    "int": np.arange(-4, 4, dtype=np.int32),
    "long": np.array(1 << 40, np.int64),
    "byte": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    "flag": np.array([True, False]),
    "none": np.zeros((0, 3), np.float32),
    "large": noise(70, 80),
}


def save(folder: Path, values: Mapping[str, Any]) -> str:
    """A checkpoint of constants; its prefix."""
    prefix = str(folder / "some.ckpt")
    names = list(values)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return prefix


def test_every_tensor(tmp_path: Path) -> None:
    bfloat = tf.cast(noise(4, 4), tf.bfloat16)
    prefix = save(tmp_path, {**VALUES, "brain": bfloat})
    bundle = open_bundle(prefix)
    reader = tf.train.load_checkpoint(prefix)
    assert set(bundle.entries) == set(reader.get_variable_to_shape_map())
    for name, value in VALUES.items():
        stored = bundle.tensor(name)
        assert stored is not None
        assert stored.native().dtype == value.dtype
        np.testing.assert_array_equal(stored.native(), value)
        with np.errstate(over="ignore"):
            want = value.astype(np.float32)
        assert b"".join(map(bytes, stored.chunks(64))) == want.tobytes()
    brain = bundle.tensor("brain")
    assert brain is not None
    np.testing.assert_array_equal(brain.array(), np.asarray(tf.cast(bfloat, tf.float32)))
    assert bundle.tensor("absent") is None


def test_three_thousand_keys(tmp_path: Path) -> None:
    values = {f"scope{i % 7}/name_{i}": np.full((2,), i, np.float32) for i in range(3000)}
    bundle = open_bundle(save(tmp_path, values))
    assert len(bundle.entries) == 3000
    for name, value in list(values.items())[::97]:
        np.testing.assert_array_equal(bundle.tensor(name).array(), value)  # type: ignore[union-attr]


# Snappy


def compressed(data: bytes) -> bytes:
    """Snappy's format: runs of what stood before as copies, the rest as literals."""
    out = bytearray(varint(len(data)))
    at = 0
    while at < len(data):
        back = (
            data.rfind(data[at : at + 8], max(0, at - 2000), at + 7) if at + 8 < len(data) else -1
        )
        if 0 <= back < at:
            out += bytes([(8 - 1) << 2 | 2]) + struct.pack("<H", at - back)
            at += 8
            continue
        size = min(60, len(data) - at)
        size = min(size, 5) if at + 8 < len(data) else size
        out += bytes([(size - 1) << 2]) + data[at : at + size]
        at += size
    return bytes(out)


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def with_snappy(index: bytes) -> bytes:
    """An index file with its blocks compressed: all of them moved, so written anew."""
    from upconv.converters.readers.files.sstable import Table

    entries = list(Table(memoryview(index), "index").entries())
    block = bytearray()
    for key, value in entries:
        block += varint(0) + varint(len(key)) + varint(len(value)) + key + value
    block += struct.pack("<II", 0, 1)
    out = bytearray()

    def put(content: bytes) -> bytes:
        packed = compressed(content)
        handle = varint(len(out)) + varint(len(packed))
        out.extend(packed + b"\x01" + masked(packed + b"\x01"))
        return handle

    data = put(bytes(block))
    last = entries[-1][0]
    inner = varint(0) + varint(len(last)) + varint(len(data)) + last + data
    meta = put(struct.pack("<II", 0, 1))
    top = put(inner + struct.pack("<II", 0, 1))
    return bytes(out) + (meta + top).ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def test_snappy_blocks(tmp_path: Path) -> None:
    """TensorFlow reads the compressed index too."""
    prefix = save(tmp_path, VALUES)
    index = Path(f"{prefix}.index")
    index.write_bytes(with_snappy(index.read_bytes()))
    reader = tf.train.load_checkpoint(prefix)
    bundle = open_bundle(prefix)
    for name in VALUES:
        np.testing.assert_array_equal(reader.get_tensor(name), bundle.tensor(name).native())  # type: ignore[union-attr]


@given(st.lists(st.sampled_from([b"abc", b"abcd" * 9, b"\0" * 70, b"x"]), max_size=40))
def test_snappy_round_trip(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert decompress(compressed(data)) == data


@given(st.binary(max_size=60))
def test_snappy_of_anything(data: bytes) -> None:
    with suppress(SnappyError):
        assert len(decompress(data)) <= 64 * len(data)


@given(st.binary(max_size=40), st.integers(0, 5000))
def test_checksums_do_not_depend_on_the_way(data: bytes, repeats: int) -> None:
    """Many lanes at once give what one byte after another gives."""
    whole = (data * repeats)[:20_000]
    crc = 0xFFFFFFFF
    for byte in whole:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    assert crc32c(whole) == crc ^ 0xFFFFFFFF


# Broken files


def test_a_flipped_byte_of_a_tensor_is_told(tmp_path: Path) -> None:
    prefix = save(tmp_path, {"w": noise(50, 60)})
    data = Path(f"{prefix}.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[4321] ^= 4
    data.write_bytes(content)
    stored = open_bundle(prefix).tensor("w")
    assert stored is not None
    with pytest.raises(UnreadableError, match="checksum"):
        stored.array()
    with pytest.raises(UnreadableError, match="checksum"):
        list(stored.chunks())


def test_missing_and_cut_data(tmp_path: Path) -> None:
    prefix = save(tmp_path, {"w": noise(5, 6)})
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UnreadableError, match="truncated"):
        open_bundle(prefix).tensor("w")
    data.unlink()
    with pytest.raises(UnreadableError, match="data-00000-of-00001"):
        open_bundle(prefix).tensor("w")
    with pytest.raises(UnreadableError):
        open_bundle(str(tmp_path / "nothing"))


def test_sliced_tensors_are_refused(tmp_path: Path) -> None:
    prefix = str(tmp_path / "sliced.ckpt")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("w", [8, 2], partitioner=v1.fixed_size_partitioner(2))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, prefix)
    bundle = open_bundle(prefix)
    assert bundle.entries["w"].sliced
    with pytest.raises(UnsupportedError, match="slices"):
        bundle.tensor("w")


def test_broken_indices_raise_one_error(tmp_path: Path) -> None:
    """Every cut, and a flip of every byte."""
    prefix = save(tmp_path, {"a/kernel": noise(2, 3), "a/bias": noise(3)})
    index = Path(f"{prefix}.index")
    content = index.read_bytes()
    broken = [content[:size] for size in range(0, len(content), 3)]
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << (at % 8)
        broken.append(bytes(flipped))
    survivors = 0
    for data in broken:
        index.write_bytes(data)
        try:
            bundle = open_bundle(prefix)
            for name in bundle.entries:
                bundle.tensor(name)
            survivors += 1
        except UpconvError:
            pass
    assert survivors < len(content) // 2  # the padding of so small a file may hold anything
