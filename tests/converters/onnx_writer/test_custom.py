"""Layers that are not understood, written as nodes of a domain of our own."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.onnx_writer.custom import DOMAIN
from upconv.service.python.calls import convert

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 9 dim: 7 }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 2 } }
layer { name: "odd" type: "Oddity" bottom: "pool" bottom: "data" top: "odd" top: "mask"
  oddity_param { size: 3 size: 4 factor: 0.5 mode: FAST name: "x" clip: true inner { k: 2 } } }
layer { name: "py" type: "Python" bottom: "odd" top: "out"
  python_param { module: "post" layer: "CRF" } }
layer { name: "relu" type: "ReLU" bottom: "mask" top: "act" }
"""


def test_its_fields_are_attributes(tmp_path: Path) -> None:
    file, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    file.write_text(NET, "utf-8")
    done = convert(file, out, unknown="custom-op", prove=False)
    model = onnx.load(done.path)
    assert {(one.domain, one.version) for one in model.opset_import} == {("", 18), (DOMAIN, 1)}
    nodes = {node.name: node for node in model.graph.node}
    odd, py = nodes["odd"], nodes["py"]
    assert (odd.domain, odd.op_type) == (DOMAIN, "Oddity")
    assert (list(odd.input), list(odd.output)) == (["pool", "data"], ["odd", "mask"])
    said = {one.name: onnx.helper.get_attribute_value(one) for one in odd.attribute}
    assert said == {
        "oddity_param_size": [3, 4],
        "oddity_param_factor": 0.5,
        "oddity_param_mode": b"FAST",
        "oddity_param_name": b"x",
        "oddity_param_clip": 1,
        "oddity_param_inner_k": 2,
    }
    assert {one.name: one.s for one in py.attribute} == {
        "python_param_module": b"post",
        "python_param_layer": b"CRF",
    }
    assert nodes["relu"].input[0] == "mask"
    assert {one.name for one in model.graph.output} == {"out", "act"}


def test_its_proof_is_incomplete_and_names_it(tmp_path: Path) -> None:
    file, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    file.write_text(NET, "utf-8")
    done = convert(file, out, unknown="custom-op")
    assert done.verdict == "incomplete"
    assert done.path.endswith(".failed")
    assert done.proof is not None
    assert "layer 'odd': onnxruntime has no operator Oddity of the domain upconv" in str(done)
    assert done.proof.reasons[-1] == "what can be proven is the part before: --outputs pool"


def test_it_is_asked_for_and_what_else_is_wrong_is_refused(tmp_path: Path) -> None:
    file, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    file.write_text(NET, "utf-8")
    with pytest.raises(UnsupportedError, match="unknown layer type 'Oddity'"):
        convert(file, out)
    with pytest.raises(UsageError, match="unknown 'perhaps'"):
        convert(file, out, unknown="perhaps")  # type: ignore[arg-type]
    file.write_text(NET.replace("kernel_size: 2", "kernel_size: 20"), "utf-8")
    with pytest.raises(UnsupportedError, match="the pooling gives height -10"):
        convert(file, out, unknown="custom-op")
