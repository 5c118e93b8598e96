"""Against nets that ran in real Caffe, and against files as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import validate
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe, read_caffe_source
from upconv.converters.readers.caffe.schema import unknown_fields
from upconv.converters.readers.files.prototxt import load_text, parse
from upconv.converters.readers.options import ReadOptions


def test_golden_nets_have_caffes_shapes(shared: Path) -> None:
    folders = sorted(path for path in (shared / "goldens/caffe").iterdir() if path.is_dir())
    assert folders
    for folder in folders:
        weights = folder / "net.caffemodel"
        options = ReadOptions(weights=str(weights) if weights.exists() else "")
        model = read_caffe(str(folder / "net.prototxt"), options)
        inference = infer(model)
        assert {notice.kind for notice in model.notices} <= {"obsolete-format"}, folder
        assert inference.errors == (), folder
        with np.load(folder / "io.npz") as arrays:
            for name in arrays.files:
                side, _, blob = name.partition("/")
                assert inference.shapes[blob] == arrays[name].shape, (folder, name)
                assert side == "out" or blob in {entry.name for entry in model.inputs}
        for entry in model.layers:
            assert all(weight.present for weight in entry.weights.values()), (folder, entry.name)


def golden_shapes(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "goldens/caffe-shapes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_real_nets_have_caffes_shapes_inputs_and_outputs(shared: Path) -> None:
    entries = golden_shapes(shared)
    assert len(entries) == 48
    for entry in entries:
        model = read_caffe(str(shared / "corpus/caffe" / entry["file"]), ReadOptions())
        inference = infer(model)
        # Caffe also lists labels of data layers; as inputs that nothing reads they are left out.
        labels = set(entry["shapes"]) - set(inference.shapes)
        assert labels <= {"label"}, entry["file"]
        for blob, shape in entry["shapes"].items():
            if blob not in labels:
                assert inference.shapes[blob] == tuple(shape), (entry["file"], blob)
        assert inference.errors == (), entry["file"]
        assert list(model.outputs) == [name for name in entry["outputs"] if name not in labels]
        inputs = [source.name for source in model.inputs]
        assert inputs == (entry["inputs"] or ["data"]), entry["file"]


def corpus(shared: Path) -> list[Path]:
    folder = shared / "corpus/caffe"
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in files if path.suffix != ".caffemodel")


def test_every_file_of_the_corpus_is_a_model_or_a_precise_refusal(shared: Path) -> None:
    nets = understood = 0
    files = corpus(shared)
    for path in files:
        for phase in ("TEST", "TRAIN"):
            try:
                model = read_caffe(str(path), ReadOptions(phase=phase))
            except UnreadableError as error:
                assert error.message.startswith("no Caffe net, but ")
                continue
            validate(model)
            infer(model)
            assert all(str(notice.error).startswith(str(path)) for notice in model.notices)
            if phase == "TEST":
                nets += 1
                known = not any(isinstance(entry.operator, Unknown) for entry in model.layers)
                understood += known
    assert len(files) == 329
    assert nets == 228
    assert understood >= 190


def test_no_field_of_the_corpus_is_unknown(shared: Path) -> None:
    for path in corpus(shared):
        root = parse(load_text(path)).root
        if any(field.name in ("layer", "layers") for field in root.fields):
            assert [field.name for field, _, _ in unknown_fields(root)] == [], path


def test_files_cut_anywhere_raise_nothing_else(shared: Path) -> None:
    text = (shared / "goldens/caffe/fcn8s_mini/net.prototxt").read_text()
    for end in range(0, len(text), 97):
        try:
            validate(read_caffe_source(Source("cut", text[:end]), ReadOptions()))
        except UnreadableError as error:
            assert "no Caffe net" in error.message
