"""What converts is what the outputs need; what checks is everything."""

from __future__ import annotations

from pathlib import Path

import onnx

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Layer, Model, ModelInput, Notice
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.passes.live import live
from upconv.converters.proof.verify import verify

POWER = ops.Power(scale=2.0)


def labelled() -> Model:
    """A score, and a Slice of labels that only dropped losses read; one of its layers unknown."""
    layers = (
        Layer("score", POWER, ("data",), ("score",)),
        Layer("parts", ops.Slice(1), ("label",), ("first", "second")),
        Layer("magic", ops.Unknown("Magic"), ("first",), ("third",)),
    )
    inputs = tuple(ModelInput(name, (1, 2, 3, 4)) for name in ("data", "label", "unread"))
    notice = Notice("unreadable-part", UpconvError("has no meaning", layer="magic"))
    return Model("net", "net.prototxt", "caffe", inputs, ("score",), layers, (notice,))


def test_what_reaches_no_output_goes_with_its_inputs_and_notices() -> None:
    model = live(labelled())
    assert [layer.name for layer in model.layers] == ["score"]
    assert [entry.name for entry in model.inputs] == ["data", "unread"]
    assert model.notices == ()


def test_a_model_without_dead_parts_is_the_same() -> None:
    model = live(labelled())
    assert live(model) is model


def test_dead_parts_neither_convert_nor_refuse(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(labelled(), path)
    graph = onnx.load(path).graph
    assert [entry.name for entry in graph.input] == ["data", "unread"]
    assert [node.op_type for node in graph.node] == ["Mul"]
    assert verify(labelled(), str(path)).verdict == "pass"
