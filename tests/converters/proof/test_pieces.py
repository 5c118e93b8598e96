"""A large file is judged as a small one: in pieces, with its weights left in it, in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.converters.proof.test_verify import (
    drop_the_bias,
    flip_the_kernel,
    network,
    nudge_a_weight,
    shift_pads,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import Weight, weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof import comparing, pieces, plan, runtime, skeleton
from upconv.converters.proof.pace import known_shapes
from upconv.converters.proof.pieces import pieces_of, value_sizes
from upconv.converters.proof.runtime import read_onnx
from upconv.converters.proof.verify import aliases, as_json, verify
from upconv.converters.reference import by_channels


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every node is a piece, weights are not read with the graph, layers are compared in parts."""
    monkeypatch.setattr(pieces.pieces_of, "__defaults__", (1,))
    for module in (skeleton, runtime):
        monkeypatch.setattr(module, "LARGE_FILE", 0)
    monkeypatch.setattr(skeleton, "SMALL_TENSOR", 64)
    monkeypatch.setattr(by_channels, "SLICE", 1)
    monkeypatch.setattr(plan, "LARGE_LAYER", 1)


def written(model: Model, folder: Path, external: bool = False) -> Path:
    path = folder / "net.onnx"
    write_onnx(model, path, WriteOptions(external_data="always" if external else "never"))
    return path


@pytest.mark.parametrize("external", [False, True])
def test_a_right_file_passes_in_pieces(tmp_path: Path, external: bool, cut: None) -> None:
    path = written(network(), tmp_path, external)
    file, model = read_onnx(str(path)), network()
    names = aliases(model, file)
    sizes = value_sizes(known_shapes(model, {"data": (1, 3, 13, 9)}), names)
    assert len(pieces_of(file, names.values(), sizes).pieces) > 5
    found = verify(model, str(path))
    assert found.verdict == "pass", str(found)
    assert found.compared == found.under_theorem == 1


@pytest.mark.parametrize("wrong", [shift_pads, nudge_a_weight, drop_the_bias, flip_the_kernel])
def test_a_wrong_file_fails_in_pieces(
    wrong: Callable[[onnx.ModelProto], None], tmp_path: Path, cut: None
) -> None:
    path = written(network(), tmp_path)
    file = onnx.load(path)
    wrong(file)
    onnx.save(file, path)
    found = verify(network(), str(path))
    assert [one.layer for one in found.layers if one.verdict == "fail"] == ["up"]


def test_a_skeleton_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(network(), tmp_path)
    whole = onnx.load(path)
    monkeypatch.setattr(skeleton, "LARGE_FILE", 0)
    monkeypatch.setattr(skeleton, "SMALL_TENSOR", 64)
    bare = skeleton.skeleton(str(path))
    assert sum(len(t.external_data) > 0 for t in bare.graph.initializer) == 2
    for tensor in bare.graph.initializer:
        want = next(one for one in whole.graph.initializer if one.name == tensor.name)
        got = numpy_helper.to_array(tensor, str(tmp_path))
        np.testing.assert_array_equal(got, numpy_helper.to_array(want))
    bare.graph.ClearField("initializer")
    whole.graph.ClearField("initializer")
    assert bare == whole


def wide(seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    conv = ops.Conv(8, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    weight = rng.standard_normal((8, 4, 3, 3), dtype=np.float32)
    layers = (
        Layer("conv", conv, ("data",), ("conv",), {"weight": weight_of(weight)}),
        Layer("relu", ops.Relu(), ("conv",), ("relu",)),
    )
    return Model("net", "", "caffe", (ModelInput("data", (1, 4, 96, 96)),), ("relu",), layers)


def test_a_sample_says_how_much_it_saw(tmp_path: Path) -> None:
    path = written(wide(), tmp_path)
    found = verify(wide(), str(path), extent="sampled", seed=3)
    assert found.verdict == "pass"
    shares = {one.layer: one.share for one in found.layers}
    assert 1 / 32 <= shares["conv"] < 0.1
    assert 0 < found.compared == found.under_theorem < 1
    assert [one.against for one in found.outputs] == ["layers"]
    record = as_json(found)
    assert record["proof"] == "sampled"
    assert "a sample of seed 3" in str(found)
    full = as_json(verify(wide(), str(path)))
    assert (full["proof"], full["compared"], full["under_theorem"]) == ("full", 1, 1)


@pytest.mark.parametrize("wrong", [None, 0, 20])
def test_a_sample_of_channels_has_the_first_and_the_last(
    wrong: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of transposed convolutions, and of convolutions with more weights than windows."""
    monkeypatch.setattr(plan, "LARGE_LAYER", 1)
    monkeypatch.setattr(comparing, "LARGEST_TAPS", 1)
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> dict[str, Weight]:
        values = rng.standard_normal(shape, dtype=np.float32)
        return {"weight": weight_of(values), "bias": weight_of(values[0, :21, 0, 0].copy())}

    conv = ops.Conv(21, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    up = ops.ConvTranspose(21, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
    layers = (
        Layer("conv", conv, ("data",), ("conv",), weights(21, 30, 3, 3)),
        Layer("up", up, ("conv",), ("up",), weights(21, 21, 3, 3)),
    )
    inputs = (ModelInput("data", (2, 30, 7, 9)),)
    model = Model("net", "", "caffe", inputs, ("up",), layers)
    path = written(model, tmp_path)
    if wrong is not None:
        file = onnx.load(path)
        for tensor in file.graph.initializer:
            if tensor.name.endswith("bias"):
                values = numpy_helper.to_array(tensor).copy()
                values[wrong] += 1
                tensor.CopyFrom(numpy_helper.from_array(values, f"{tensor.name}/other"))
        for node in file.graph.node:
            node.input[2] += "/other"
        onnx.save(file, path)
    found = verify(model, str(path), extent="sampled")
    assert {one.verdict for one in found.layers} == {"pass" if wrong is None else "fail"}
    if wrong is None:
        assert {one.layer: one.share for one in found.layers} == {"conv": 3 / 21, "up": 3 / 21}


def test_a_sample_finds_a_wrong_weight(tmp_path: Path) -> None:
    path = written(wide(), tmp_path)
    other = wide(seed=1)
    found = verify(other, str(path), extent="sampled")
    assert found.layers[0].verdict == "fail"


def test_a_cancelled_sum_is_judged_by_the_theorem_itself(tmp_path: Path) -> None:
    """Parts that happen to be zero say nothing; the magnitudes of the products do."""
    weight = np.tile(np.array([1, -1], np.float32), (1, 32))[..., None, None]
    conv = ops.Conv(1, (1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
    layers = (Layer("conv", conv, ("data",), ("y",), {"weight": weight_of(weight)}),)
    model = Model("net", "", "caffe", (ModelInput("data", (1, 64, 5, 7)),), ("y",), layers)
    path = written(model, tmp_path)
    rng = np.random.default_rng(0)
    x = np.repeat(rng.standard_normal((1, 32, 5, 7), dtype=np.float32), 2, axis=1)
    x[:, 1::2] *= np.float32(1 + 2.0**-20)
    np.save(tmp_path / "x.npy", x)
    assert verify(model, str(path), data=str(tmp_path / "x.npy")).verdict == "pass"
