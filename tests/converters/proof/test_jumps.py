"""Where rounding decides a jump, either side is right; where it does not, a jump is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.jumps import with_jumps_of
from upconv.converters.proof.verify import verify

WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def quantised(jump: ops.Operator, outputs: tuple[str, ...] = ("y",)) -> Model:
    """A convolution whose values, large ones, are brought to steps."""
    conv = ops.Conv(4, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    layers = (
        Layer("conv", conv, ("x",), ("c",), {"weight": weight_of(WEIGHT)}),
        Layer("large", ops.Power(scale=100.0), ("c",), ("d",)),
        Layer("jump", jump, ("d",), ("j",)),
        Layer("small", ops.Power(scale=1 / 100), ("j",), ("y",)),
    )
    shape = (symbol("N"), 3, symbol("H"), symbol("W"))
    return Model("net", "", "pytorch", (ModelInput("x", shape),), outputs, layers)


@pytest.mark.parametrize("outputs", [("y",), ("j", "y")])
@pytest.mark.parametrize("jump", [ops.Round(), ops.Floor(), ops.Ceil(), ops.Sign()])
def test_a_net_with_steps_is_proven(
    jump: ops.Operator, outputs: tuple[str, ...], tmp_path: Path
) -> None:
    source = quantised(jump, outputs)
    write_onnx(source, tmp_path / "net.onnx")
    result = verify(source, str(tmp_path / "net.onnx"))
    assert result.verdict == "pass", result


def test_a_wrong_weight_is_not_followed(tmp_path: Path) -> None:
    """What onnxruntime rounds is far from what the reference does: following it would hide it."""
    source = quantised(ops.Round())
    path = tmp_path / "net.onnx"
    write_onnx(source, path)
    file = onnx.load(path)
    stored = next(one for one in file.graph.initializer if one.name == "conv/weight")
    stored.CopyFrom(numpy_helper.from_array(WEIGHT * np.float32(1.01), "conv/weight"))
    onnx.save(file, path)
    assert [one.verdict for one in verify(source, str(path)).outputs] == ["fail"]


JUMPS: list[tuple[ops.Operator, list[float], list[float], list[float]]] = [
    (ops.Round(), [0.49995, 0.4, 7.5], [1.0, 1.0, 7.0], [1.0, 0.0, 7.0]),
    (ops.Floor(), [1.99995, 1.9, 3.0], [2.0, 2.0, 3.5], [2.0, 1.0, 3.0]),
    (ops.Compare("greater", 0.5), [0.49995, 0.4, 9.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0]),
]


@pytest.mark.parametrize(("jump", "x", "other", "expected"), JUMPS)
def test_only_what_lies_at_a_jump_is_followed(
    jump: ops.Operator, x: Any, other: Any, expected: Any
) -> None:
    layer = Layer("jump", jump, ("x",), ("y",))
    own = {ops.Round: np.rint, ops.Floor: np.floor}.get(type(jump), lambda v: (v > 0.5) * 1.0)
    values = np.array(x)
    found = with_jumps_of(layer, [values], own(values), np.array(other), 5e-5)
    np.testing.assert_array_equal(found, expected)
