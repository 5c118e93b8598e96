"""ONNX files that never end, or take all memory, against a model of one ReLU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.service.commands import Outcome, upconv

NET = """\
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 4 dim: 4 } } }
layer { name: "y" type: "ReLU" bottom: "x" top: "y" }
"""


def _write(path: Path, nodes: list[onnx.NodeProto], *constants: onnx.TensorProto) -> Path:
    sides = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 1, 4, 4)) for n in "xy"]
    graph = helper.make_graph(nodes, "g", sides[:1], sides[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(made, path)
    return path


def _endless(path: Path) -> Path:
    """A Loop of 2^62 rounds, each of which hands its value on."""
    true = helper.make_tensor_value_info("keep", TensorProto.BOOL, ())
    count = helper.make_tensor_value_info("i", TensorProto.INT64, ())
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 1, 4, 4)) for n in ("v", "w")]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["keep"]),
            helper.make_node("Relu", ["v"], ["w"]),
        ],
        "body",
        [count, helper.make_tensor_value_info("more", TensorProto.BOOL, ()), values[0]],
        [true, values[1]],
    )
    rounds = numpy_helper.from_array(np.array(1 << 62), "rounds")
    always = numpy_helper.from_array(np.array(True), "always")
    loop = helper.make_node("Loop", ["rounds", "always", "x"], ["y"], body=body)
    return _write(path, [loop], rounds, always)


def _large(path: Path) -> Path:
    """16 GiB of a constant, of which one value is used."""
    shape = numpy_helper.from_array(np.array([1 << 32]), "shape")
    zero = numpy_helper.from_array(np.array([1, 1, 1, 1]), "zero")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("ReduceMax", ["many"], ["one"], keepdims=1),
        helper.make_node("Reshape", ["one", "zero"], ["single"]),
        helper.make_node("Relu", ["x"], ["relu"]),
        helper.make_node("Add", ["relu", "single"], ["y"]),
    ]
    return _write(path, nodes, shape, zero)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def _verify(net: Path, onnx_file: Path, *options: str) -> Outcome:
    return upconv("verify", net, onnx_file, *options)


def test_a_loop_without_end_is_ended(net: Path, tmp_path: Path) -> None:
    done = _verify(net, _endless(tmp_path / "loop.onnx"), "--timeout", "8")
    assert done.code == 2
    assert "ended after 8 seconds" in done.err


def test_memory_beyond_the_models_own_is_refused(net: Path, tmp_path: Path) -> None:
    """Without an option: a net of one ReLU needs no 16 GiB."""
    done = _verify(net, _large(tmp_path / "large.onnx"))
    assert done.code in (1, 2), done.out
    assert len(done.err.strip().splitlines()) <= 1
    assert "pass" not in done.out


def test_an_honest_file_passes_within_its_limits(net: Path, tmp_path: Path) -> None:
    path = _write(tmp_path / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"], name="y")])
    done = _verify(net, path, "--memory", "4", "--timeout", "600")
    assert done.code == 0, done.err
