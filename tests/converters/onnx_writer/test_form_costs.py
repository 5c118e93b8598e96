"""The choice of a bilinear layer's form, against what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import pytest

from fixtures.make_weights import bilinear_diagonal
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.form_costs import matmul_cost, separable_cost
from upconv.converters.proof.verify import verify

MEASURED: Final = (
    # channels, factor, input size; milliseconds of grouped, separable, matmul, a copy of the output
    (21, 2, 64, 0.738, 0.440, 0.675, 0.107),
    (64, 2, 64, 2.320, 1.440, 2.353, 0.418),
    (256, 2, 64, 9.530, 6.682, 10.897, 1.619),
    (21, 4, 64, 3.386, 1.838, 2.531, 0.652),
    (64, 4, 32, 2.542, 1.345, 1.213, 0.475),
    (21, 8, 64, 15.331, 8.725, 9.598, 2.304),
    (64, 8, 32, 10.590, 6.162, 4.283, 1.662),
    (21, 16, 32, 19.558, 11.534, 4.689, 2.212),
    (21, 32, 16, 18.163, 11.178, 2.911, 2.174),
    (64, 2, 16, 0.122, 0.101, 0.050, 0.011),
    (256, 2, 16, 0.493, 0.421, 0.191, 0.046),
    (21, 8, 16, 0.694, 0.450, 0.175, 0.056),
    (21, 2, 128, 3.100, 2.083, 5.948, 0.374),
    (64, 4, 64, 9.841, 5.404, 8.337, 1.630),
    (256, 4, 32, 9.783, 5.664, 4.938, 1.566),
    (21, 16, 16, 4.123, 2.296, 0.899, 0.506),
    (21, 32, 8, 3.349, 2.459, 0.764, 0.392),
    (3, 8, 64, 2.075, 1.225, 1.167, 0.341),
    (3, 2, 256, 1.870, 1.109, 6.041, 0.329),
)
"""Least processor time of 25 alternating rounds, one thread of an AMD EPYC, onnxruntime 1.31.1."""


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: "x".join(map(str, row[:3])))
def test_the_choice_is_within_a_tenth_of_the_fastest(row: tuple[float, ...]) -> None:
    _, factor, size, grouped, separable, matmul, copy = row
    strides, sizes = (int(factor),) * 2, (int(size),) * 2
    is_matmul = matmul_cost(sizes, strides) < separable_cost(strides)
    chosen = matmul if is_matmul else separable
    assert chosen <= 1.1 * min(grouped, separable, matmul)
    assert chosen < grouped
    if factor in (8, 32) and size > 8:
        assert chosen <= copy * {8: 4.2, 32: 1.5}[int(factor)]


def bilinear(channels: int, factor: int, sizes: tuple[Size, Size], axes: int = 2) -> Model:
    kernel, pad = bilinear_kernel_size(factor), bilinear_pad(factor)
    operator = ConvTranspose(
        channels, (kernel,) * 2, (factor,) * 2, (1, 1), (pad,) * 2, (pad,) * 2, (0, 0)
    )
    weight = weight_of(bilinear_diagonal((channels, channels, kernel, kernel)))
    layer = Layer("up", operator, ("x",), ("y",), {"weight": weight})
    return Model("up", "", "caffe", (ModelInput("x", (1, channels, *sizes)),), ("y",), (layer,))


@pytest.mark.parametrize(
    ("factor", "sizes", "nodes"),
    [
        (2, (33, 40), {"ConvTranspose"}),
        (8, (7, 5), {"MatMul", "Transpose"}),
        (8, (symbol("H"), symbol("W")), {"ConvTranspose"}),
    ],
)
def test_auto_writes_the_cheaper_form(
    factor: int, sizes: tuple[Size, Size], nodes: set[str], tmp_path: Path
) -> None:
    model, path = bilinear(3, factor, sizes), tmp_path / "up.onnx"
    write_onnx(model, path, WriteOptions(bilinear="auto"))
    assert {node.op_type for node in onnx.load(path).graph.node} == nodes
    assert verify(model, str(path)).verdict == "pass"


def test_a_dense_diagonal_is_grouped_unasked(tmp_path: Path) -> None:
    model, path = bilinear(5, 2, (6, 9)), tmp_path / "up.onnx"
    forms = write_onnx(model, path, WriteOptions()).forms
    assert forms == {"up": "grouped"}
    file = onnx.load(path)
    (tensor,) = file.graph.initializer
    assert tuple(tensor.dims) == (5, 1, 4, 4)
    assert verify(model, str(path)).verdict == "pass"
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[2, 0, 1, 1] = np.nextafter(values[2, 0, 1, 1], np.float32(2))
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(file, path)
    assert "1 of the 80 values of its grouped" in verify(model, str(path)).layers[0].reason


def test_one_weight_off_the_diagonal_keeps_a_layer_dense(tmp_path: Path) -> None:
    model, path = bilinear(5, 2, (6, 9)), tmp_path / "up.onnx"
    weight = model.layers[0].weights["weight"].array().copy()
    weight[3, 1, 0, 2] = np.float32(1e-30)
    layer = Layer("up", model.layers[0].operator, ("x",), ("y",), {"weight": weight_of(weight)})
    dense = Model("up", "", "caffe", model.inputs, ("y",), (layer,))
    assert write_onnx(dense, path, WriteOptions()).forms == {"up": "ConvTranspose"}
