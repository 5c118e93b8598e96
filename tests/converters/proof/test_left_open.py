"""What an operator leaves open is not judged: the largest of values of which one is NaN. All else
is, and an index must be a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.choices import left_open
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

NAN = np.nan


def written(path: Path, node: onnx.NodeProto, *extra: onnx.NodeProto) -> Path:
    """`node` of the logarithm of the input, a quarter of which is NaN in noise, and of its
    negative: a NaN stands in front of the others, behind them and between."""
    nodes = [helper.make_node("Log", ["shifted"], ["x"]), node, *extra]
    nodes.insert(0, helper.make_node("Add", ["data", "shift"], ["shifted"]))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [2, 6, 8, 10])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
        [
            helper.make_tensor("shift", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("k", TensorProto.INT64, [1], [3]),
            helper.make_tensor("far", TensorProto.INT64, [], [6]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def read(path: Path) -> Model:
    return open_model(str(path), ReadOptions())


NODES = {
    "argmax": helper.make_node("ArgMax", ["x"], ["y"], axis=1),
    "last": helper.make_node("ArgMax", ["x"], ["y"], axis=3, select_last_index=1),
    "argmin": helper.make_node("ArgMin", ["x"], ["y"], axis=1),
    "topk": helper.make_node("TopK", ["x", "k"], ["v", "y"], axis=1),
}


@pytest.mark.parametrize("name", NODES)
def test_a_choice_among_values_with_a_nan_is_not_judged(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", NODES[name])
    found = verify(read(path), str(path))
    assert found.verdict == "pass", str(found)
    assert 0 < found.compared < 1


@pytest.mark.parametrize("name", ["argmax", "argmin", "topk"])
def test_a_wrong_choice_among_numbers_fails_beside_them(name: str, tmp_path: Path) -> None:
    """The file takes the least where the model takes the largest, or the other way round."""
    model = read(written(tmp_path / "right.onnx", NODES[name]))
    other = onnx.NodeProto()
    other.CopyFrom(NODES[name])
    other.input[0] = "turned"
    path = written(tmp_path / "net.onnx", other)
    file = onnx.load(path)
    file.graph.node.insert(2, helper.make_node("Neg", ["x"], ["turned"]))
    onnx.save(file, path)
    assert verify(model, str(path)).verdict == "fail"


def test_an_index_that_is_no_place_fails_even_there(tmp_path: Path) -> None:
    model = read(written(tmp_path / "right.onnx", NODES["argmax"]))
    inner = helper.make_node("ArgMax", ["x"], ["near"], axis=1)
    beyond = helper.make_node("Add", ["near", "far"], ["y"])
    path = written(tmp_path / "net.onnx", inner, beyond)
    assert verify(model, str(path)).verdict == "fail"


@pytest.mark.parametrize("kernel", [(2, 3), None])
def test_a_mask_of_windows_with_a_nan_is_not_judged(
    kernel: tuple[int, int] | None, tmp_path: Path
) -> None:
    pool: ops.Operator = ops.GlobalPool("max")
    if kernel is not None:
        pool = ops.Pool("max", kernel, (2, 2), (1, 1), (0, 0), (0, 0), "floor", "if_padded", True)
    layers = (
        Layer("log", ops.Log(shift=1.0), ("data",), ("x",)),
        Layer("pool", pool, ("x",), ("small", "mask")),
    )
    inputs = (ModelInput("data", (2, 6, 8, 10)),)
    model = Model("net", "", "caffe", inputs, ("mask",), layers)
    path = tmp_path / "net.onnx"
    write_onnx(model, path)
    found = verify(model, str(path))
    assert found.verdict == "pass", str(found)
    assert 0 < found.compared < 1


def test_only_what_is_chosen_beside_a_nan_is_open() -> None:
    x = np.array([[[[1.0, NAN, 3.0, 2.0]], [[4.0, 1.0, 3.0, 2.0]]]])
    line = Layer("a", ops.ArgMax(3, 1, "indices"), ("x",), ("y",))
    got = np.array([[[[4.0]], [[0.0]]]])
    found = left_open(line, "y", [x], got)
    assert found is not None
    assert found.ravel().tolist() == [False, False]  # 4 is no place
    found = left_open(line, "y", [x], np.zeros((1, 2, 1, 1)))
    assert found is not None
    assert found.ravel().tolist() == [True, False]
    pool = ops.Pool("max", (1, 2), (1, 2), (1, 1), (0, 0), (0, 0), "floor", "if_padded", True)
    window = Layer("p", pool, ("x",), ("v", "y"))
    found = left_open(window, "v", [x], np.zeros((1, 2, 1, 2)))
    assert found is not None
    assert found.ravel().tolist() == [True, False, False, False]
    assert left_open(window, "v", [np.nan_to_num(x)], np.zeros((1, 2, 1, 2))) is None
    both = Layer("b", ops.ArgMax(None, 1, "both"), ("x",), ("y",))
    found = left_open(both, "y", [x], np.array([[[8.0], [NAN]]]))
    assert found is not None
    assert found.ravel().tolist() == [False, True]
    assert left_open(Layer("r", ops.Relu(), ("x",), ("y",)), "y", [x], x) is None
    constant = Layer("c", ops.Constant((1,)), (), ("y",))
    assert left_open(constant, "y", [], np.zeros(1)) is None
