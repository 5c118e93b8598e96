"""Nets that real Caffe ran: converted, proven, and equal to what Caffe computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import shared_folder
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.runtime import exposed, read_onnx, run, session
from upconv.converters.proof.verify import aliases, verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

CLOSE = 1e-5
"""Largest error, relative to the largest magnitude of a blob."""


def read(net: Path, weights: Path, **options: Any) -> Model:
    given = str(weights) if weights.exists() else ""
    return open_model(str(net), ReadOptions(weights=given, **options))


def assert_equals_caffe(model: Model, onnx: Path, recorded: Any) -> None:
    """Every recorded blob, intermediate ones too, from one run with all values exposed."""
    feeds = {key[3:]: recorded[key] for key in recorded if key.startswith("in/")}
    blobs = [key[4:] for key in recorded if key.startswith("out/")]
    file = read_onnx(str(onnx))
    names = aliases(model, file)
    wanted = sorted({names[blob] for blob in blobs})
    results = run(session(exposed(file, wanted), True, file.path), feeds, wanted)
    for blob in blobs:
        want, got = recorded[f"out/{blob}"], results[names[blob]]
        assert got.shape == want.shape, blob
        finite = np.isfinite(want)
        assert np.array_equal(finite, np.isfinite(got)), blob
        scale = float(np.abs(want[finite]).max(initial=0.0))
        assert float(np.abs(got - want)[finite].max(initial=0.0)) <= CLOSE * scale, blob
        if "argmax" in blob.lower() or blob == "am":
            assert np.array_equal(got, want), blob


def golden_names() -> list[str]:
    """Sorted, for each xdist worker must collect the same."""
    return sorted(net.parent.name for net in shared_folder().glob("goldens/caffe/*/net.prototxt"))


@pytest.mark.parametrize("name", golden_names())
def test_a_golden_net_converts_and_equals_caffe(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "goldens/caffe" / name
    model = read(folder / "net.prototxt", folder / "net.caffemodel")
    onnx = tmp_path / "net.onnx"
    write_onnx(model, onnx, WriteOptions())
    assert_equals_caffe(model, onnx, np.load(folder / "io.npz"))
    assert verify(model, str(onnx)).verdict == "pass"


def test_retinaface_with_its_trained_weights_equals_caffe(shared: Path, tmp_path: Path) -> None:
    folder = shared / "corpus/caffe/wzj5133329__retinaface_caffe"
    model = read(
        folder / "mnet.prototxt",
        folder / "mnet.caffemodel",
        inputs={"data": (1, 3, 192, 256)},
    )
    onnx = tmp_path / "mnet.onnx"
    write_onnx(model, onnx, WriteOptions())
    assert_equals_caffe(model, onnx, np.load(shared / "goldens/retinaface/io.npz"))
    assert verify(model, str(onnx)).verdict == "pass"


def test_real_nets_have_caffes_shapes(shared: Path) -> None:
    lines = (shared / "goldens/caffe-shapes.jsonl").read_text().splitlines()
    assert len(lines) == 48
    for record in map(json.loads, lines):
        model = open_model(str(shared / "corpus/caffe" / record["file"]), ReadOptions())
        shapes = infer(model).shapes
        kept = {blob: shape for blob, shape in record["shapes"].items() if blob in shapes}
        assert {blob: list(shapes[blob] or ()) for blob in kept} == kept, record["file"]
        dropped = set(record["shapes"]) - set(kept)
        assert dropped <= {"label"}, record["file"]


def test_every_corpus_file_is_a_model_or_a_diagnosis(shared: Path) -> None:
    read_nets = 0
    for path in sorted((shared / "corpus/caffe").rglob("*")):
        if path.is_file():
            try:
                open_model(str(path), ReadOptions())
                read_nets += 1
            except UpconvError as error:
                assert str(error).startswith(str(path))
    assert read_nets >= 228
