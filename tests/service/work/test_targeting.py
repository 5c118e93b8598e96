"""`convert --target` writes forms that the targets read alike, and proves them like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import upconv
from benchmarks.engines.generated.settings import made_of, usual
from upconv.converters.ir.errors import UnsupportedError, UsageError


def net(path: Path, batch: int = 1) -> Path:
    """A transposed convolution with an output_shape, then nearest interpolation with ceil."""
    stored: dict[str, Any] = {
        "w": np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32),
        "sizes": np.array([batch, 2, 13, 20], np.int64),
    }
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["h"], strides=[2, 2], output_shape=[10, 14]),
        helper.make_node("Resize", ["h", "", "", "sizes"], ["y"], mode="nearest",
                         nearest_mode="ceil", coordinate_transformation_mode="half_pixel"),
    ]  # fmt: skip
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2, 5, 7])
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2, 13, 20])
    held = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "two", [entry], [end], held)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def of_engines(path: Path) -> set[str]:
    report = upconv.check(path, target="all-measured")
    return {finding.code for finding in report.findings if finding.code.startswith("UP5")}


def test_the_file_has_no_finding_of_its_targets_and_its_proof_passes(tmp_path: Path) -> None:
    source, out = net(tmp_path / "net.onnx"), tmp_path / "out.onnx"
    assert of_engines(source) == {"UP501", "UP502"}
    assert upconv.convert(source, out, target="all-measured").verdict == "pass"
    assert of_engines(out) == set()
    assert "Resize" not in {node.op_type for node in onnx.load(str(out)).graph.node}


def test_what_cannot_be_had_is_said(tmp_path: Path) -> None:
    source = net(tmp_path / "net.onnx", batch=2)
    with pytest.raises(UnsupportedError, match="ncnn: a batch of more than one"):
        upconv.convert(source, tmp_path / "out.onnx", target="ncnn,openvino")
    assert upconv.convert(source, tmp_path / "out.onnx", target="openvino").verdict == "pass"
    with pytest.raises(UsageError, match="unknown target 'openvin'"):
        upconv.convert(source, tmp_path / "again.onnx", target="openvin")


def test_a_norm_that_a_target_joins_wrongly_is_a_factor_and_a_bias(tmp_path: Path) -> None:
    """OpenCV 4.14 was right on such files that this wrote, and wrong on their sources; another
    target keeps the node."""
    said = {**usual("ConvTranspose"), "group": 4, "bias": True, "normalised": True}
    source, out = tmp_path / "net.onnx", tmp_path / "out.onnx"
    source.write_bytes(made_of("ConvTranspose", said)[0].SerializeToString())
    for target, kept in (("opencv-4", False), ("opencv-5", True)):
        assert upconv.convert(source, out, target=target).verdict == "pass"
        operators = [node.op_type for node in onnx.load(str(out)).graph.node]
        assert ("BatchNormalization" in operators) is kept
        assert ("Mul" in operators and "Add" in operators) is not kept
    assert upconv.convert(source, out, target="opencv-4").verdict == "pass"
    assert not {one.code for one in upconv.check(out, target="opencv-4").findings} & {"UP501"}
