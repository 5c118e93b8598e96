"""Truth values: booleans where they only decide, numbers where anybody computes with them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.converters.onnx_writer.support import convert_and_compare, letters, model, values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.proof.verify import verify

SHAPE = (2, 3, 5, 6)


@pytest.mark.parametrize(
    ("kind", "read", "nodes"),
    [
        ("greater", "no", ["Greater", "Where"]),
        ("not_equal", "no", ["Equal", "Not", "Where"]),
        ("greater", "by a sum", ["Greater", "Cast", "Where", "Add"]),
        ("less", "as an output", ["Less", "Cast", "Where"]),
        ("equal", "as both", ["Equal", "Cast", "Where"]),
    ],
)
def test_a_condition_is_a_boolean(kind: str, read: str, nodes: list[str], tmp_path: Path) -> None:
    chosen = ("mask", "mask", "b") if read == "as both" else ("mask", "a", "b")
    layers = [
        Layer("mask", ops.Compare(kind), ("a", "b"), ("mask",)),  # type: ignore[arg-type]
        Layer("where", ops.Where(), chosen, ("y",)),
    ]
    outputs = ["y"]
    if read == "by a sum":
        layers.append(Layer("sum", ops.Eltwise("sum"), ("mask", "a"), ("z",)))
        outputs.append("z")
    elif read == "as an output":
        outputs.append("mask")
    shape = letters(SHAPE, "NHW")
    source = model(layers, {"a": shape, "b": shape}, outputs)
    feeds = {"a": values(*SHAPE).round(), "b": values(*SHAPE, seed=1).round()}
    written = convert_and_compare(source, feeds, tmp_path, tolerance=0)
    assert [node.op_type for node in onnx.load(written.path).graph.node] == nodes
    assert verify(source, str(written.path)).verdict == "pass"


def test_a_condition_that_is_no_comparison_is_cast(tmp_path: Path) -> None:
    layers = [
        Layer("same", ops.Identity(), ("a",), ("copy",)),
        Layer("where", ops.Where(1.0, 0.0), ("copy",), ("y",)),
    ]
    source = model(layers, {"a": SHAPE}, ["y"])
    written = convert_and_compare(source, {"a": values(*SHAPE).round()}, tmp_path, tolerance=0)
    assert [node.op_type for node in onnx.load(written.path).graph.node] == ["Cast", "Where"]
