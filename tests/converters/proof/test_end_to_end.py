"""The untouched file against the whole reference: ties, ill conditions, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.end_to_end import run_reference
from upconv.converters.proof.verify import verify


def values(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def classifier(shift: float = 0.0) -> Model:
    """A convolution, a softmax of its scores plus `shift`, and an argmax of the scores."""
    conv = ops.Conv(5, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    layers = (
        Layer("conv", conv, ("data",), ("conv",), {"weight": weight_of(values(5, 3, 3, 3))}),
        Layer("score", ops.Power(shift=shift), ("conv",), ("score",)),
        Layer("prob", ops.Softmax(1), ("score",), ("prob",)),
        Layer("label", ops.ArgMax(1, 1, "indices"), ("score",), ("label",)),
    )
    inputs = (ModelInput("data", (2, 3, 11, 13)),)
    return Model("net", "", "caffe", inputs, ("prob", "label"), layers)


def tampered(path: Path, name: str) -> None:
    """Let the file's argmax see its scores plus `name` as a bias per class."""
    model = onnx.load(path)
    bias = np.array([0, 0, 0, 0, float(name)], np.float32).reshape(5, 1, 1)
    model.graph.initializer.append(onnx.numpy_helper.from_array(bias, "tilt"))
    at = next(i for i, node in enumerate(model.graph.node) if node.op_type == "ArgMax")
    score = model.graph.node[at].input[0]
    model.graph.node[at].input[0] = "tilted"
    model.graph.node.insert(at, helper.make_node("Add", (score, "tilt"), ("tilted",), "tilt"))
    onnx.save(model, path)


def test_an_index_output_is_judged_by_scores(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(classifier(), path)
    right = verify(classifier(), str(path))
    assert right.verdict == "pass"
    assert {one.name: one.tolerance > 1e-3 for one in right.outputs} == {
        "prob": False,  # at most 1e-4 of a probability
        "label": True,  # of a score
    }
    tampered(path, "2.5")
    wrong = {one.name: one for one in verify(classifier(), str(path)).outputs}
    assert (wrong["prob"].verdict, wrong["label"].verdict) == ("pass", "fail")
    error = wrong["label"].max_abs_error
    assert error is not None
    assert 0.1 < error <= 2.5


def test_a_softmax_of_large_values_is_given_what_rounding_takes(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    large = classifier(3e4)
    write_onnx(large, path)
    prob, _ = verify(large, str(path)).outputs
    assert prob.verdict == "pass"
    assert prob.max_abs_error is not None
    assert 1e-4 < prob.max_abs_error < prob.tolerance < 1e-2


def test_a_wrong_file_is_not_excused_by_large_values(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(classifier(3e4), path)
    model = onnx.load(path)
    weight = next(t for t in model.graph.initializer if t.name == "conv/weight")
    changed = onnx.numpy_helper.to_array(weight) * np.float32(1.05)
    weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    onnx.save(model, path)
    prob, _ = verify(classifier(3e4), str(path)).outputs
    assert prob.verdict == "fail"


@pytest.mark.parametrize("rounded", [False, True])
def test_the_reference_follows_choices(rounded: bool) -> None:
    pool = ops.Pool(
        "max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", count_padding=True
    )
    layers = (
        Layer("pool", pool, ("x",), ("small", "mask")),
        Layer("up", ops.Unpool((2, 2)), ("small", "mask"), ("y",)),
    )
    model = Model("net", "", "caffe", (ModelInput("x", (1, 1, 2, 2)),), ("y",), layers)
    tie = {"x": np.ones((1, 1, 2, 2))}
    other = {"mask": np.full((1, 1, 1, 1), 3.0)}
    assert run_reference(model, tie, rounded=rounded)["y"].ravel().tolist() == [1, 0, 0, 0]
    assert run_reference(model, tie, other, rounded)["y"].ravel().tolist() == [0, 0, 0, 1]
