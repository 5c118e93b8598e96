"""Inputs of whole numbers are fed places that there are, so that a proof runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.places import DEFAULT, whole_numbers
from upconv.converters.proof.verify import verify

TABLE = {"table": weight_of(np.arange(15, dtype=np.float32).reshape(5, 3))}
CASES = {
    "embedding": ((Layer("e", ops.Embedding(5, 3), ("i",), ("y",), TABLE),), 5),
    "gather": ((Layer("g", ops.Gather(2), ("x", "i"), ("y",)),), 45),
    "unpool": ((Layer("u", ops.Unpool((60, 70)), ("x", "i"), ("y",)),), 4200),
    "moved": (
        (
            Layer("c", ops.Crop(2, (1,), (3,)), ("i",), ("part",)),
            Layer("r", ops.Flatten(0, -1), ("part",), ("flat",)),
            Layer("g", ops.Gather(1), ("x", "flat"), ("few",)),
            Layer("h", ops.Gather(2), ("x", "i"), ("y",)),
        ),
        2,
    ),
    "a number": ((Layer("p", ops.Power(2.0), ("i",), ("y",)),), DEFAULT),
}


@pytest.mark.parametrize("name", CASES)
def test_a_net_with_whole_numbers_is_proven(name: str, tmp_path: Path) -> None:
    layers, count = CASES[name]
    shape = (1, 2, symbol("H"), symbol("W"))
    inputs = (ModelInput("x", shape), ModelInput("i", shape, integer=True))
    outputs = ("y", "few") if name == "moved" else ("y",)
    model = Model("net", "", "onnx", inputs, outputs, layers)
    fixed = {"x": (1, 2, 45, 61), "i": (1, 2, 45, 61)}
    assert whole_numbers(model, fixed) == {"i": count}
    write_onnx(model, tmp_path / "net.onnx")
    result = verify(model, str(tmp_path / "net.onnx"))
    assert result.verdict == "pass"
    assert [one.layer for one in result.layers] == [layer.name for layer in layers]
