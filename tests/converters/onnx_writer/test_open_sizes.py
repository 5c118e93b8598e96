"""Operators that take sizes as numbers: one file serves every size."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.converters.onnx_writer.support import (
    TOLERANCE,
    assert_close,
    check_valid,
    letters,
    model,
    run_onnx,
    values,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import ceil_div, like
from upconv.converters.ir.model import Layer, Model
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.reference import run_model

H, W = like("x", 2), like("x", 3)
SIZES = ((1, 2, 1, 2), (2, 2, 4, 7), (1, 2, 9, 6))


def net(*layers: Layer) -> Model:
    return model(layers, {"x": letters((1, 2, 1, 1), "NHW")}, [layers[-1].outputs[0]])


def one(operator: ops.Operator) -> Model:
    return net(Layer("layer", operator, ("x",), ("y",)))


MESH = (
    Layer("rows", ops.Arange(H, 0.5), ("x",), ("rows",)),
    Layer("columns", ops.Arange(W, 0.5), ("x",), ("columns",)),
    Layer("standing", ops.Reshape((0, 1)), ("rows",), ("standing",)),
    Layer("rows of all", ops.Expand((H, W)), ("standing", "x"), ("y",)),
    Layer("columns of all", ops.Expand((H, W)), ("columns", "x"), ("z",)),
    Layer("grid", ops.Eltwise("sum", (100.0, 1.0)), ("y", "z"), ("grid",)),
)
"""What torch.meshgrid of two open sizes comes to."""

NETS = {
    "backwards": one(ops.StridedSlice(3, W - 1, W, -1)),
    "every second": one(ops.StridedSlice(3, 0, ceil_div(W, 2), 2)),
    "every second but the first": one(ops.StridedSlice(3, 1, W // 2, 2)),
    "every third backwards": one(ops.StridedSlice(2, H - 1, ceil_div(H, 3), -3)),
    "from the middle backwards": one(ops.StridedSlice(3, W // 2, W // 2 + 1, -1)),
    "whole numbers": one(ops.Arange(H * W, -3.0, 2.0)),
    "fractions": one(ops.Arange(W + 1, 0.1, 0.3)),
    "a size": one(ops.SizeOf(H * 3 - W // 2)),
    "grid": net(*MESH),
    "last row": net(
        Layer("rows", ops.Arange(H, 0.0), ("x",), ("rows",)),
        Layer("turned", ops.StridedSlice(0, H - 1, H, -1), ("rows", "x"), ("turned",)),
        Layer("picked", ops.Gather(2), ("x", "turned"), ("y",)),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_one_file_serves_every_size(name: str, tmp_path: Path) -> None:
    source = NETS[name]
    for opset in (13, 22):
        path = tmp_path / f"{opset}.onnx"
        write_onnx(source, path, WriteOptions(opset=opset))
        check_valid(path)
        for size in SIZES:
            feeds = {"x": values(*size)}
            want = run_model(source, feeds, keep=source.outputs)
            for optimized in (False, True):
                for output, value in run_onnx(path, feeds, optimized).items():
                    assert_close(value, want[output], TOLERANCE, f"{opset} {size}")
    assert verify(source, str(tmp_path / "22.onnx")).verdict == "pass"


def test_counted_places_are_indices_without_a_cast(tmp_path: Path) -> None:
    layers = (
        Layer("rows", ops.Arange(H, 0.0), ("x",), ("rows",)),
        Layer("picked", ops.Gather(2), ("x", "rows"), ("y",)),
    )
    written = write_onnx(net(*layers), tmp_path / "m.onnx")
    kinds = [node.op_type for node in onnx.load(written.path).graph.node]
    assert "Cast" not in kinds
