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
from upconv.converters.onnx_writer.form_costs import cheapest
from upconv.converters.proof.verify import verify

MEASURED: Final = (
    # channels, factor, input size; milliseconds of grouped, separable, matmul, resize, a copy
    (21, 2, 64, 0.757, 0.672, 0.804, 0.674, 0.191),
    (64, 2, 64, 2.565, 1.748, 2.523, 2.088, 0.456),
    (256, 2, 64, 9.887, 6.758, 11.039, 8.019, 1.664),
    (21, 4, 64, 3.439, 2.062, 2.609, 2.590, 0.655),
    (64, 4, 32, 2.734, 1.506, 1.224, 1.994, 0.482),
    (21, 8, 64, 15.331, 8.725, 9.598, 10.091, 2.304),
    (64, 8, 32, 11.048, 6.316, 4.236, 8.006, 1.568),
    (21, 16, 32, 19.855, 11.118, 4.681, 9.882, 2.324),
    (21, 32, 16, 19.177, 11.457, 2.954, 10.218, 2.302),
    (64, 2, 16, 0.124, 0.103, 0.053, 0.113, 0.013),
    (256, 2, 16, 0.519, 0.429, 0.220, 0.432, 0.056),
    (21, 8, 16, 0.773, 0.482, 0.220, 0.626, 0.115),
    (21, 2, 128, 3.084, 2.060, 6.394, 2.827, 0.548),
    (64, 4, 64, 10.268, 5.479, 8.423, 8.008, 1.630),
    (256, 4, 32, 10.172, 5.676, 5.133, 7.912, 1.851),
    (21, 16, 16, 4.100, 2.323, 0.928, 2.509, 0.560),
    (21, 32, 8, 3.410, 2.370, 0.741, 2.558, 0.599),
    (3, 8, 64, 2.181, 1.327, 1.261, 1.491, 0.385),
    (3, 2, 256, 1.878, 1.185, 6.328, 1.552, 0.295),
    (21, 32, 32, 132.639, 73.071, 17.515, 39.046, 8.936),
    (3, 16, 64, 17.797, 7.186, 4.854, 6.133, 1.153),
)
"""Least processor time of alternating rounds, one thread of an AMD EPYC, onnxruntime 1.31.1."""

LINES: Final = (
    # channels, factor, input size; milliseconds of the node, matmul, resize
    (64, 2, 1024, 0.233, 4.095, 0.572),
    (64, 8, 256, 0.204, 0.901, 0.464),
    (256, 4, 128, 0.212, 0.325, 0.441),
    (21, 32, 64, 0.072, 0.081, 0.154),
    (64, 2, 64, 0.028, 0.016, 0.036),
)
VOLUMES: Final = (
    # channels, factor, input size; milliseconds of grouped, separable, matmul, resize
    (16, 2, 16, 5.088, 2.118, 0.653, 1.893),
    (32, 2, 24, 26.596, 12.180, 4.714, 13.081),
    (8, 4, 16, 24.816, 6.671, 1.952, 7.692),
    (4, 8, 8, 14.868, 3.670, 0.846, 3.894),
    (64, 2, 8, 2.849, 1.570, 0.423, 0.975),
    (2, 4, 24, 21.866, 5.589, 2.082, 6.624),
)
FORMS: Final = ("separable", "matmul", "resize")


def chosen(axes: int, factor: float, size: float) -> str:
    return cheapest((int(factor),) * axes, (int(size),) * axes, FORMS)


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: "x".join(map(str, row[:3])))
def test_the_choice_is_within_a_tenth_of_the_fastest(row: tuple[float, ...]) -> None:
    _, factor, size, grouped, *forms, copy = row
    taken = dict(zip(FORMS, forms, strict=True))[chosen(2, factor, size)]
    assert taken <= 1.1 * min(grouped, *forms)
    assert taken < grouped
    if factor in (8, 32) and size > 8 and (factor, size) != (32, 32):
        assert taken <= copy * {8: 4.2, 32: 1.5}[int(factor)]


@pytest.mark.parametrize("row", LINES + VOLUMES, ids=lambda row: "x".join(map(str, row[:3])))
def test_so_it_is_of_one_axis_and_of_three(row: tuple[float, ...]) -> None:
    _, factor, size, *times = row
    forms = times if len(times) == len(FORMS) else times[1:]
    taken = dict(zip(FORMS, forms, strict=True))[chosen(1 if forms is times else 3, factor, size)]
    assert taken <= 1.1 * min(times)


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
        (
            32,
            (symbol("H"), 2),
            {"Resize", "Mul", "Expand"},
        ),
    ],
)
def test_auto_writes_the_cheaper_form(
    factor: int, sizes: tuple[Size, Size], nodes: set[str], tmp_path: Path
) -> None:
    model, path = bilinear(3, factor, sizes), tmp_path / "up.onnx"
    write_onnx(model, path, WriteOptions(bilinear="auto"))
    assert {node.op_type for node in onnx.load(path).graph.node} >= nodes
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
