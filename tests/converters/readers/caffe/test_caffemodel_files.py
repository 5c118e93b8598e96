"""Caffemodels as files: large ones, the writer's, and those that Caffe wrote."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_caffemodel import length_tag, random_layers, write_caffemodel
from tests.converters.readers.caffemodels import (
    field,
    floats,
    layer_bytes,
    messages,
    same_net,
    shape_bytes,
)
from upconv.converters.readers.caffe.caffemodel import looks_like_caffemodel, read_caffemodel


def test_files_beyond_two_gibibytes(tmp_path: Path) -> None:
    shape = (3, 7, 100_000_019)
    nbytes = 4 * prod(shape)
    path = tmp_path / "large.caffemodel"
    if shutil.disk_usage(tmp_path).free < 2 * nbytes:
        pytest.skip(f"less than {2 * nbytes} bytes free, should the holes take room")
    start = length_tag(5, nbytes)
    blob_size = len(start) + nbytes + len(shape_bytes(*shape))
    head = length_tag(7, blob_size) + start
    with path.open("wb") as file:
        file.write(length_tag(100, len(field(1, b"big")) + len(head) - len(start) + blob_size))
        file.write(field(1, b"big") + head)
        file.seek(nbytes - 4, 1)
        file.write(struct.pack("<f", 2.5) + shape_bytes(*shape))
        file.write(layer_bytes(floats(2) + shape_bytes(2), b"after"))
    assert path.stat().st_size > 1 << 31
    model = read_caffemodel(path)
    (big,), (after,) = (layer.blobs for layer in model.layers)
    assert (big.shape, big.nbytes) == (shape, nbytes)
    values = big.array()
    assert (values[0, 0, 0], values[-1, -1, -1]) == (0, 2.5)
    assert len(next(big.chunks())) == 1 << 20
    assert after.offset > 1 << 31
    assert after.array().tolist() == [0, 1]


def test_streaming_keeps_little_in_memory(tmp_path: Path) -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the memory of a process is read from /proc here")
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, "net", random_layers(60_000_000))
    code = (
        "import sys; from upconv.converters.readers.caffe.caffemodel import read_caffemodel\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before = peak()\n"
        "model = read_caffemodel(sys.argv[1])\n"
        "blobs = [blob for layer in model.layers for blob in layer.blobs]\n"
        "total = sum(len(c) for b in blobs for c in b.chunks() if max(c))\n"
        "print(total, peak() - before, 'numpy' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    total, kilobytes, heavy = result.stdout.split()
    assert int(total) > 60_000_000
    assert int(kilobytes) < 20_000
    assert heavy == "False"


def test_the_writer_writes_what_caffe_writes(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    weight = np.arange(24).reshape(2, 3, 4)
    pieces = [b"\0\0\x80\x3f\0", b"\0\0\x40"]
    specs: list[Any] = [("up", "Deconvolution", [(weight.shape, weight.T.T), ((2,), iter(pieces))])]
    write_caffemodel(path, "net", iter([*specs, ("shapes", "Scale", [((3, 0), None), ((), None)])]))
    net = messages(True)["Net"](name="net")
    up = net.layer.add(name="up", type="Deconvolution")
    up.blobs.add(shape={"dim": weight.shape}, data=weight.ravel())
    up.blobs.add(shape={"dim": [2]}, data=[1, 2])
    shapes = net.layer.add(name="shapes", type="Scale")
    shapes.blobs.add(shape={"dim": [3, 0]})
    shapes.blobs.add(shape={})
    assert path.read_bytes() == net.SerializeToString()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("values", [None, np.zeros(5), np.zeros(7), [b"\0" * 20]])
def test_the_writer_leaves_no_file_behind_a_mistake(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "net.caffemodel"
    blobs = [((2, 3), values)]
    if values is None:
        write_caffemodel(path, "net", [("up", "Deconvolution", blobs)])
        assert not read_caffemodel(path).layers[0].blobs[0].present
        return
    with pytest.raises(ValueError, match=r"layer 'up'.*for a shape of 24"):
        write_caffemodel(path, "net", [("up", "Deconvolution", blobs)])
    assert list(tmp_path.iterdir()) == []


def test_files_that_caffe_wrote(shared: Path) -> None:
    paths = sorted((shared / "goldens" / "caffe").glob("*/net.caffemodel"))
    if not paths:
        pytest.skip("no caffemodel among the goldens")
    net = messages(True)["Net"]
    for path in paths:
        data = path.read_bytes()
        assert looks_like_caffemodel(data[:512]), path
        model = read_caffemodel(path)
        same_net(model, net.FromString(data))
        assert all(blob.present for layer in model.layers for blob in layer.blobs), path
    assert len(paths) > 40


@pytest.mark.parametrize(
    ("name", "layers", "types"),
    [
        (
            "wzj5133329__retinaface_caffe/mnet.caffemodel",
            223,
            {"Convolution": 56, "BatchNorm": 47, "Deconvolution": 2},
        ),
        (
            "iKrishneel__fcn_object_detector/train/snapshots/snapshot_iter_1.caffemodel",
            5,
            {"Python": 2, "Deconvolution": 1, "Split": 1},
        ),
    ],
)
def test_published_weights(shared: Path, name: str, layers: int, types: dict[str, int]) -> None:
    path = shared / "corpus" / "caffe" / name
    if not path.exists():
        pytest.skip(f"no {name} in the corpus")
    model = read_caffemodel(path)
    assert len(model.layers) == layers
    found = [layer.type for layer in model.layers]
    assert {kind: found.count(kind) for kind in types} == types
    same_net(model, messages(True)["Net"].FromString(path.read_bytes()))
