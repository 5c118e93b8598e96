"""ONNX files whose inputs are of other types than float: a proof fills them as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

WHOLE = ("INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "BOOL")


def file(path: Path, kind: str, op: str = "Cast", result: str = "FLOAT") -> str:
    """y is x through one operator; a hundred values of each axis, so that all of a type are met."""
    x, y = (
        helper.make_tensor_value_info(name, getattr(TensorProto, one), (2, 3, 7, 11))
        for name, one in (("x", kind), ("y", result))
    )
    more: dict[str, Any] = {"to": TensorProto.FLOAT} if op == "Cast" else {}
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], **more)], "g", [x], [y])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path
    )
    return str(path)


@pytest.mark.parametrize("kind", [*WHOLE, "DOUBLE", "FLOAT"])
def test_a_file_is_proven_in_its_own_types(kind: str, tmp_path: Path) -> None:
    path = file(tmp_path / "cast.onnx", kind)
    proof = verify(open_model(path, ReadOptions()), path)
    assert (proof.verdict, proof.reasons) == ("pass", ())
    assert proof.compared == 1.0


@pytest.mark.parametrize("kind", ["INT32", "INT64"])
def test_whole_numbers_that_leave_are_compared_layer_by_layer(kind: str, tmp_path: Path) -> None:
    path = file(tmp_path / "neg.onnx", kind, "Neg", kind)
    proof = verify(open_model(path, ReadOptions()), path)
    assert [(one.layer, one.verdict) for one in proof.layers] == [("Neg#0", "pass")]


def test_half_precision_is_refused_by_name(tmp_path: Path) -> None:
    """Its rounding is no bound's."""
    path = file(tmp_path / "half.onnx", "FLOAT16", "Relu", "FLOAT16")
    with pytest.raises(UnsupportedError, match="its input 'x' is of the type float16"):
        verify(open_model(path, ReadOptions()), path)


def test_values_that_a_type_does_not_hold_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "byte.onnx", "UINT8")
    np.save(tmp_path / "x.npy", np.full((2, 3, 7, 11), 300))
    with pytest.raises(UnsupportedError, match="does not hold all values given"):
        verify(open_model(path, ReadOptions()), path, data=str(tmp_path / "x.npy"))
