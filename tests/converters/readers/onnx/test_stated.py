"""Shapes behind operators whose values are not represented: onnx's own inference is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.converters.ir.dims import evaluate
from upconv.converters.ir.inference import infer
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

LETTERS = {"S": 5, "B": 3}


def gates(count: int, ways: int) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "W": np.zeros((ways, count * 7, 4), np.float32),
        "R": np.zeros((ways, count * 7, 7), np.float32),
    }


WEIGHT = np.zeros((6, 2, 3, 2), np.int8)
MATRIX = np.zeros((4, 9), np.uint8)
SCALE, ZERO = np.float32(0.5), np.uint8(0)
QUANTISED = {"s": SCALE, "z": ZERO}
CASES: dict[str, tuple[str, list[Any], list[str], dict[str, Any], dict[str, Any], int]] = {
    "lstm": ("LSTM", ["S", "B", 4], ["x", "W", "R"], gates(4, 1), {"hidden_size": 7}, 3),
    "both ways": (
        "LSTM",
        ["S", "B", 4],
        ["x", "W", "R"],
        gates(4, 2),
        {"hidden_size": 7, "direction": "bidirectional"},
        3,
    ),
    "batch first": (
        "GRU",
        ["B", "S", 4],
        ["x", "W", "R"],
        gates(3, 1),
        {"hidden_size": 7, "layout": 1},
        2,
    ),
    "rnn": ("RNN", [5, "B", 4], ["x", "W", "R"], gates(1, 1), {"hidden_size": 7}, 1),
    "dynamic": ("DynamicQuantizeLinear", ["B", 2, 9, "S"], ["x"], {}, {}, 3),
    "convolution": (
        "ConvInteger",
        ["B", 4, 9, 12],
        ["x", "w"],
        {"w": WEIGHT},
        {"group": 2, "strides": [2, 1], "pads": [1, 0, 0, 2], "dilations": [1, 3]},
        1,
    ),
    "scaled convolution": (
        "QLinearConv",
        ["B", 2, 9, 12],
        ["x", "s", "z", "w", "s", "w0", "s", "z"],
        {**QUANTISED, "w": WEIGHT, "w0": np.int8(0)},
        {"strides": [1, 2]},
        1,
    ),
    "matrices": ("MatMulInteger", ["B", "S", 4], ["x", "m"], {"m": MATRIX}, {}, 1),
    "back": ("DequantizeLinear", ["B", 3], ["x", "s", "z"], QUANTISED, {}, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_shapes_are_onnxs(case: str, tmp_path: Path) -> None:
    op, shape, inputs, stored, attributes, outputs = CASES[case]
    ends = [f"y{at}" for at in range(outputs)]
    of_bytes = op not in ("LSTM", "GRU", "RNN", "DynamicQuantizeLinear")
    kind = TensorProto.UINT8 if of_bytes else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ends, "it", **attributes)],
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_empty_tensor_value_info(end) for end in ends],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    judge = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    read = open_model(str(path), ReadOptions())
    (layer,) = (one for one in read.layers if isinstance(one.operator, Unknown))
    found = [infer(read).shapes[end] for end in layer.outputs]
    for end, ours in zip(judge.graph.output, found, strict=True):
        dims = end.type.tensor_type.shape.dim
        theirs = [LETTERS.get(dim.dim_param, dim.dim_value) for dim in dims]
        assert ours is not None
        assert [evaluate(size, LETTERS) for size in ours] == theirs
