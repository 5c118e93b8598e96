from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.converters.onnx_writer.support import (
    assert_close,
    check_valid,
    model,
    run_onnx,
    values,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, symbol
from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.tensors import Filler, missing
from upconv.converters.onnx_writer import WriteOptions, write_upsampling
from upconv.converters.reference import run_layer


def decoder() -> Model:
    """A pooling, an unpooling, a learned upsampling and a resize to the input's size."""
    pool = ops.Pool("max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", True)
    up = ops.ConvTranspose(3, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
    size = (like("data", 2), like("data", 3))
    layers = [
        Layer("pool", pool, ("data",), ("small", "mask")),
        Layer("unpool", ops.Unpool(size), ("small", "mask", "data"), ("big",)),
        Layer("score/up 2", up, ("small",), ("up",), weights(weight=values(2, 3, 4, 4))),
        Layer("resize", ops.Resize("linear", "half_pixel", size), ("up", "data"), ("out",)),
        Layer("strange", ops.Unknown("Magic"), ("out",), ("end",)),
    ]
    shape = (1, 2, symbol("H"), symbol("W"))
    return model(layers, {"data": shape}, ["big", "end"])


def test_one_model_per_upsampling_layer(tmp_path: Path) -> None:
    source = decoder()
    written = write_upsampling(source, tmp_path / "layers")
    names = ["000_unpool.onnx", "001_score_up_2.onnx", "002_resize.onnx"]
    assert [entry.file for entry in written] == names
    assert {entry.name for entry in (tmp_path / "layers").iterdir()} == {*names, "index.json"}
    index = json.loads((tmp_path / "layers" / "index.json").read_text())
    assert [entry["layer"] for entry in index["files"]] == ["unpool", "score/up 2", "resize"]
    assert index["files"][1]["operator"] == "ConvTranspose"
    assert index["files"][1]["inputs"] == {"small": ["1", "2", "ceil(H/2)", "ceil(W/2)"]}
    assert index["opset"] == 18


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_each_computes_its_layer(size: tuple[int, int], tmp_path: Path) -> None:
    source = decoder()
    data = values(1, 2, *size)
    known: dict[str, Any] = {"data": data}
    written = {entry.layer: entry for entry in write_upsampling(source, tmp_path / "layers")}
    assert infer(source).errors == ()
    for layer in source.layers[:-1]:
        results = run_layer(layer, [known[value] for value in layer.inputs])
        known.update((n, v.astype("float32")) for n, v in zip(layer.outputs, results, strict=True))
        if layer.name in written:
            path = tmp_path / "layers" / written[layer.name].file
            check_valid(path)
            feeds = {value: known[value] for value in layer.inputs}
            got = run_onnx(path, feeds)[layer.outputs[0]]
            assert_close(got, results[0], 1e-5, layer.name)


def test_writing_again_replaces_our_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "layers"
    write_upsampling(decoder(), folder, WriteOptions(external_data="always"))
    assert (folder / "001_score_up_2.onnx.data").exists()
    source = decoder()
    fewer = replace(source, layers=source.layers[:2], outputs=("big",))
    write_upsampling(fewer, folder)
    assert {entry.name for entry in folder.iterdir()} == {"000_unpool.onnx", "index.json"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["layers"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "layers"
    folder.mkdir()
    write_upsampling(decoder(), folder)
    assert (folder / "index.json").exists()


@pytest.mark.parametrize("stranger", ["thesis.txt", "index.json"])
def test_a_folder_of_someone_else_is_left_alone(stranger: str, tmp_path: Path) -> None:
    folder = tmp_path / "layers"
    folder.mkdir()
    (folder / stranger).write_text("[1]")
    with pytest.raises(UsageError, match=f"were not written here, such as '{stranger}'"):
        write_upsampling(decoder(), folder)
    assert [entry.name for entry in folder.iterdir()] == [stranger]


def test_a_file_added_to_our_folder_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "layers"
    write_upsampling(decoder(), folder)
    (folder / "notes.md").write_text("mine")
    with pytest.raises(UsageError, match=r"notes.md"):
        write_upsampling(decoder(), folder)
    assert (folder / "000_unpool.onnx").exists()


def test_refusals_name_every_layer_and_leave_nothing(tmp_path: Path) -> None:
    source = decoder()
    bare = {"weight": missing((2, 3, 4, 4), Filler("gaussian"))}
    layers = tuple(
        replace(layer, weights=bare) if layer.name == "score/up 2" else layer
        for layer in source.layers
    )
    after = Layer("late", ops.Resize("nearest", "asymmetric", factor=(2, 2)), ("end",), ("e2",))
    broken = replace(source, layers=(*layers, after), outputs=("e2",))
    with pytest.raises(UnsupportedError) as caught:
        write_upsampling(broken, tmp_path / "layers")
    assert str(caught.value).splitlines() == [
        "layer 'score/up 2': its weight is missing (give --weights FILE)",
        "layer 'late': the shape of its input 'end' is unknown (give --input NAME=1x3xHxW)",
    ]
    assert not list(tmp_path.iterdir())


def test_a_model_without_upsampling(tmp_path: Path) -> None:
    source = model([Layer("relu", ops.Relu(), ("x",), ("y",))], {"x": (1, 2)}, ["y"])
    with pytest.raises(UsageError, match="has no upsampling layers"):
        write_upsampling(source, tmp_path / "layers")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "layers").write_text("text")
    with pytest.raises(UsageError, match="is a file"):
        write_upsampling(decoder(), tmp_path / "layers")
