"""The graph's border: channels-last inputs and outputs, whole numbers that come in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import (
    assert_close,
    check_valid,
    letters,
    model,
    run_onnx,
    values,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.model import Layer, Model
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.reference import run_model


def unet(dynamic: str, channels_last: set[str]) -> Model:
    up = ops.ConvTranspose(3, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (1, 1))
    size = (like("image", 2), like("image", 3))
    layers = [
        Layer("up", up, ("image",), ("up",), weights(weight=values(2, 3, 3, 3), bias=values(3))),
        Layer("crop", ops.Crop(2, (1, 2), size), ("up", "image"), ("cropped",)),
        Layer("relu", ops.Relu(), ("cropped",), ("out",)),
        Layer("more", ops.Softmax(1), ("out",), ("classes",)),
        Layer("flat", ops.Flatten(), ("out",), ("rows",)),
    ]
    shapes = {"image": letters((2, 2, 4, 5), dynamic)}
    source = model(layers, shapes, ["out", "classes", "rows"])
    return replace(source, channels_last=frozenset(channels_last))


@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
@pytest.mark.parametrize("outside", [{"image"}, {"out"}, {"image", "out", "classes"}])
def test_channels_last_outside_alone(dynamic: str, outside: set[str], tmp_path: Path) -> None:
    source = unet(dynamic, outside)
    x = values(2, 2, 4, 5)
    want = run_model(source, {"image": x}, keep=source.outputs)
    for opset in (13, 22):
        written = write_onnx(source, tmp_path / "m.onnx", WriteOptions(opset=opset))
        check_valid(written.path)
        feed = x.transpose(0, 2, 3, 1) if "image" in outside else x
        got = run_onnx(written.path, {"image": feed})
        for name, value in got.items():
            exact = want[name].transpose(0, 2, 3, 1) if name in outside else want[name]
            assert_close(value, exact, 2e-6, name)
    graph = onnx.load(written.path).graph
    moves = [node for node in graph.node if node.op_type == "Transpose"]
    assert len(moves) == len(outside)


def test_names_stay_the_sources_own(tmp_path: Path) -> None:
    source = unet("HW", {"image", "out"})
    graph = onnx.load(write_onnx(source, tmp_path / "m.onnx").path).graph
    assert [entry.name for entry in graph.input] == ["image"]
    assert [entry.name for entry in graph.output] == ["out", "classes", "rows"]
    dims: Any = graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == [2, "H", "W", 2]


@pytest.mark.parametrize("floats_too", [False, True])
def test_whole_numbers_come_in(floats_too: bool, tmp_path: Path) -> None:
    layers = [Layer("unpool", ops.Unpool((4, 6)), ("x", "where"), ("y",))]
    if floats_too:
        layers.append(Layer("double", ops.Power(scale=2.0), ("where",), ("z",)))
    shape = (1, 2, 3, 3)
    source = model(layers, {"x": shape, "where": shape}, ["y", "z"][: len(layers)])
    inputs = (source.inputs[0], replace(source.inputs[1], integer=True))
    source = replace(source, inputs=inputs)
    where = np.random.default_rng(0).integers(0, 24, shape)
    feeds = {"x": values(*shape), "where": where}
    want = run_model(source, feeds, keep=source.outputs)
    written = write_onnx(source, tmp_path / "m.onnx")
    loaded = check_valid(written.path)
    assert loaded.graph.input[1].type.tensor_type.elem_type == onnx.TensorProto.INT64
    for name, value in run_onnx(written.path, feeds).items():
        assert (value == want[name]).all()
