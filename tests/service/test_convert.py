"""`upconv convert` and `verify` from the outside: files, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fixtures.make_caffemodel import write_caffemodel
from tests.service.commands import Outcome, upconv
from tests.support import ROOT

NET = """\
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 2 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
  param { lr_mult: 0 }
  convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """The net and a caffemodel that holds its convolution only."""
    path = tmp_path / "tiny.prototxt"
    path.write_text(NET)
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((3, 2, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(3, dtype=np.float32)
    blobs = [(weight.shape, weight), (bias.shape, bias)]
    write_caffemodel(tmp_path / "tiny.caffemodel", "tiny", [("conv", "Convolution", blobs)])
    return path


def convert(net: Path, *more: str | Path) -> Outcome:
    weights = net.with_suffix(".caffemodel")
    out = net.with_suffix(".onnx")
    return upconv("convert", net, "--weights", weights, "-o", out, *more)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_proven_model_and_its_report(net: Path) -> None:
    before = names(net.parent)
    report = net.parent / "proof.json"
    done = convert(net, "--fill-missing", "bilinear", "--report", report)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{net.with_suffix('.onnx')}: pass, opset 18\n")
    assert names(net.parent) - before == {"tiny.onnx", "proof.json"}
    proof = json.loads(report.read_text())
    assert proof["schema_version"] == 1
    assert proof["verdict"] == "pass"
    assert proof["onnx"] == str(net.with_suffix(".onnx"))
    assert [layer["layer"] for layer in proof["layers"]] == ["conv", "up"]
    shown = {"name", "shape", "max_abs_error", "tolerance", "verdict", "against", "bound"}
    assert shown == set(proof["outputs"][0])
    onnx.checker.check_model(str(net.with_suffix(".onnx")), full_check=True)


def test_missing_weights_are_refused_by_name_and_nothing_is_written(net: Path) -> None:
    before = names(net.parent)
    done = convert(net)
    assert done.code == 2
    assert f"{net}:6:1: layer 'up': its weight is missing" in done.err
    assert "--fill-missing bilinear" in done.err
    assert "Traceback" not in done.err
    assert names(net.parent) == before


def test_a_failed_proof_leaves_a_failed_file(net: Path, tmp_path: Path) -> None:
    assert convert(net, "--fill-missing", "bilinear").code == 0
    path = net.with_suffix(".onnx")
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if "up" in t.name)
    values = numpy_helper.to_array(tensor)[:, :, ::-1] * np.float32(1.01)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    onnx.save(model, path)
    weights = net.with_suffix(".caffemodel")
    done = upconv(
        "verify", net, path, "--weights", weights, "--fill-missing", "bilinear", "--format", "json"
    )
    assert done.code == 1
    failed = [one["layer"] for one in json.loads(done.out)["layers"] if one["verdict"] == "fail"]
    assert failed == ["up"]


def test_external_data_moves_with_its_model(net: Path) -> None:
    done = convert(net, "--fill-missing", "bilinear", "--external-data", "always")
    assert done.code == 0, done.err
    assert {"tiny.onnx", "tiny.onnx.data"} <= names(net.parent)
    loaded = onnx.load(net.with_suffix(".onnx"))
    assert {t.dims[0] for t in loaded.graph.initializer if len(t.dims) == 4} == {3}


def test_only_upsampling_writes_a_folder(net: Path) -> None:
    out = net.parent / "layers"
    weights = net.with_suffix(".caffemodel")
    done = upconv(
        "convert", net, "--weights", weights, "--fill-missing", "bilinear", "--only", "upsampling",
        "-o", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert names(out) == {"000_up.onnx", "index.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--opset", "12"), "opset 12"),
        (("--fill-missing", "xavier"), "--fill-missing xavier: this filler cannot be made"),
        (("--input", "data=1x2"), "data"),
        (("--input", "image=1x2x5x7"), "image"),
        (("--input", "data=1x2x5xx7"), "neither a number nor a letter"),
        (("--no-verify", "--report", "r.json"), "--report needs the proof"),
        (("--bogus",), "--bogus"),
    ],
)
def test_wrong_arguments_are_one_line(net: Path, arguments: tuple[str, ...], said: str) -> None:
    done = convert(net, *arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not net.with_suffix(".onnx").exists()


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"layer {", b"net: 'a.prototxt' base_lr: 1"])
def test_files_that_are_no_nets_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.prototxt"
    path.write_bytes(content)
    done = upconv("convert", path, "-o", tmp_path / "x.onnx")
    assert done.code == 2
    assert done.err.startswith(f"error: {path}")
    assert "Traceback" not in done.err


def test_an_output_in_no_folder_is_refused(net: Path) -> None:
    done = upconv("convert", net, "-o", net.parent / "no/such/x.onnx")
    assert done.code == 2
    assert "its folder does not exist" in done.err or "weight is missing" in done.err


def test_fillers_add_up(tmp_path: Path) -> None:
    """Of weights and biases that are missing the message names the one that is: it is added."""
    net = tmp_path / "net.prototxt"
    net.write_text(NET.replace("bias_term: false", 'bias_filler { type: "constant" value: 1 }'))
    weightless = ("convert", net, "--outputs", "up", "--inputs", "conv", "-o", tmp_path / "n.onnx")
    given = ("--input", "conv=1x3x5x7", "--fill-missing", "bilinear", "--no-verify")
    assert "--fill-missing constant" in upconv(*weightless, *given).err
    done = upconv(*weightless, *given, "--fill-missing", "constant")
    assert done.code == 0, done.err


def test_verify_with_a_foreign_file(net: Path) -> None:
    done = upconv("verify", net, ROOT / "README.md", "--fill-missing", "bilinear")
    assert done.code == 2
    assert "README.md" in done.err
    assert "Traceback" not in done.err


def test_a_model_without_inputs_is_converted_proven_and_compared(tmp_path: Path) -> None:
    """What an initialiser alone makes: the proof has nothing to give it."""
    path, made = tmp_path / "constant.onnx", tmp_path / "made.onnx"
    value = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "x")
    side = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (2, 3))
    nodes = [onnx.helper.make_node("Neg", ["x"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", [], [side], [value])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    for done in (upconv("convert", path, "-o", made), upconv("verify", path, made)):
        assert done.code == 0, done.err
    audited = upconv("audit", path, "--against", made)
    assert "It has no input: what it computes is always the same." in audited.out


def test_other_element_types_than_the_source_states_are_said(tmp_path: Path) -> None:
    """Who feeds float16 or int32 has to know; what stays as it was is not mentioned."""
    types = onnx.TensorProto
    path, made = tmp_path / "mixed.onnx", tmp_path / "made.onnx"
    table = numpy_helper.from_array(np.ones((4, 3), np.float32), "table")
    nodes = [
        onnx.helper.make_node("Gather", ["table", "places"], ["rows"]),
        onnx.helper.make_node("Neg", ["half"], ["less"]),
        onnx.helper.make_node("Neg", ["single"], ["same"]),
    ]
    sides = {"places": types.INT32, "half": types.FLOAT16, "single": types.FLOAT}
    inputs = [onnx.helper.make_tensor_value_info(name, kind, [2]) for name, kind in sides.items()]
    ends = {"rows": types.FLOAT, "less": types.FLOAT16, "same": types.FLOAT}
    outputs = [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in ends.items()]
    graph = onnx.helper.make_graph(nodes, "g", inputs, outputs, [table])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    done = upconv("convert", path, "-o", made)
    assert [line for line in done.out.splitlines() if line.startswith("note:")] == [
        "note: int64 here, int32 in the source: 'places'",
        "note: float32 here, float16 in the source: 'half', 'less'",
    ]
    again = upconv("convert", made, "-o", tmp_path / "again.onnx")
    assert (again.code, "note:" in again.out) == (0, False)
