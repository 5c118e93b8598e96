"""Every operator and what its ONNX file says: the same, and another setting of it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import one_layer, values
from tests.converters.operator_cases import MAKERS, RECORDS, weights_for
from upconv.converters.audit.comparison import compare
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions


def weighted(op: ops.Operator, shapes: tuple[tuple[int, ...], ...], outputs: int = 1) -> Model:
    """A layer with weights that are not all alike."""
    shaped = weights_for(op, shapes[0] if shapes else ())
    drawn = {name: values(*one.shape, seed=len(name)) for name, one in shaped.items()}
    if "variance" in drawn:
        drawn["variance"] = np.abs(drawn["variance"]) + np.float32(0.5)
    return one_layer(op, *shapes, outputs=outputs, **drawn)


def as_onnx(model: Model, folder: Path) -> Model:
    path = folder / "net.onnx"
    write_onnx(model, path, WriteOptions(opset=20))
    return open_model(str(path), ReadOptions())


def changing(left: Model, right: Model) -> list[str]:
    found = compare(left, right, free=False)
    return [str(one) for one in found.differences if one.changes_numbers]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_any_setting_of_an_operator(record: type, tmp_path: Path) -> None:
    @settings(
        max_examples=6,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: Any) -> None:
        op, shapes, outputs = MAKERS[record](data.draw)
        model = weighted(op, shapes, outputs)
        try:
            again = as_onnx(model, tmp_path)
        except UnsupportedError:
            return  # ONNX has no such setting
        assert not changing(model, again)

    check()


IMAGE = (2, 4, 6, 5)
OTHER = (2, 4, 7, 9)


def resize(*words: Any) -> ops.Resize:
    return ops.Resize(words[0], words[1], (9, 8), nearest_mode=words[2])


PAIRS: dict[str, tuple[ops.Operator, ops.Operator, tuple[tuple[int, ...], ...]]] = {
    "row": (ops.Arange(4, 1.0, 2.0), ops.Arange(4, 1.0, 3.0), ()),
    "row as long as an axis": (
        *(ops.Arange(like("x0", 2)), ops.Arange(like("x0", 2), 1.0)),
        (IMAGE,),
    ),
    "size": (ops.SizeOf(like("x0", 2)), ops.SizeOf(like("x0", 3)), (IMAGE,)),
    "largest of an axis": (
        *(ops.ArgMax(1, 2, "indices", "last"), ops.ArgMax(1, 2, "indices", "first")),
        (IMAGE,),
    ),
    "largest values": (ops.ArgMax(1, 2, "values"), ops.ArgMax(2, 4, "values"), (IMAGE,)),
    "largest of all": (
        *(ops.ArgMax(None, 2, "both"), ops.ArgMax(None, 2, "both", "first")),
        (IMAGE,),
    ),
    "difference of three": (
        *(ops.Eltwise("difference"), ops.Eltwise("quotient")),
        (IMAGE, IMAGE, IMAGE),
    ),
    "floored rest": (
        *(ops.Eltwise("floor_mod"), ops.Eltwise("trunc_mod")),
        (IMAGE, IMAGE),
    ),
    "picked": (ops.Gather(2, (0, 3, 1)), ops.Gather(2, (0, 1, 3)), (IMAGE,)),
    "picked by numbers": (ops.Gather(0), ops.Gather(1), ((4, 4, 5), (3,))),
    "gelu": (ops.Gelu(), ops.Gelu(tanh=True), (IMAGE,)),
    "gelu by tanh": (ops.Gelu(tanh=True), ops.Swish(1.702), (IMAGE,)),
    "less than no margin": (
        *(ops.Pad((0, 0, -1, 2), (0, 0, 1, -1)), ops.Pad((0, 0, -2, 2), (0, 0, 2, -1))),
        (IMAGE,),
    ),
    "mirrored margin": (
        *(ops.Pad((0, 0, 2, 1), (0, 0, 1, 0), "symmetric"),),
        *(ops.Pad((0, 0, 2, 1), (0, 0, 1, 0), "reflect"), (IMAGE,)),
    ),
    "nearest": (
        *(resize("nearest", "align_corners", "floor"),),
        *(resize("nearest", "asymmetric", "floor"), (IMAGE,)),
    ),
    "cubic line": (
        *(ops.Resize("cubic", "half_pixel", (9,)), ops.Resize("cubic", "align_corners", (9,))),
        ((2, 4, 6),),
    ),
    "as large as another": (
        *(ops.Resize("linear", "half_pixel", (like("x1", 2), like("x1", 3))),),
        *(ops.Resize("linear", "asymmetric", (like("x1", 2), like("x1", 3))), (IMAGE, OTHER)),
    ),
    "regions": (ops.RoiMaxPool((2, 2), 0.5), ops.RoiMaxPool((2, 2), 0.25), (IMAGE, (3, 5))),
    "scale by a vector": (ops.Scale(1, "scale"), ops.Scale(1, "bias"), (IMAGE, (4,))),
    "scale by channel": (ops.Scale(0, "scale"), ops.Scale(0, "bias"), (IMAGE, (2, 4))),
    "backwards": (
        *(ops.StridedSlice(2, 5, 3, -2), ops.StridedSlice(2, 4, 3, -2)),
        (IMAGE,),
    ),
    "repeated": (ops.Tile(2, like("x1", 2)), ops.Tile(2, 8), (IMAGE, OTHER)),
    "filled windows": (
        *(ops.WindowUnpool("tile", (3, 2), (2, 2), (1, 0), (11, 10)),),
        *(ops.WindowUnpool("corner", (3, 2), (2, 2), (1, 0), (11, 10)), (IMAGE,)),
    ),
    "shared windows": (
        *(ops.WindowUnpool("average", (3, 2), (2, 2), (1, 0), (11, 10)),),
        *(ops.WindowUnpool("tile", (3, 2), (2, 2), (1, 0), (11, 10)), (IMAGE,)),
    ),
}
"""What it is -> an operator, one that is another, and the shapes of what both read."""


@pytest.mark.parametrize("name", PAIRS)
def test_another_setting_is_told(name: str, tmp_path: Path) -> None:
    op, other, shapes = PAIRS[name]
    again = as_onnx(weighted(op, shapes), tmp_path)
    assert not changing(weighted(op, shapes), again)
    assert changing(weighted(other, shapes), again)
    assert changing(weighted(op, shapes), as_onnx(weighted(other, shapes), tmp_path))


def test_what_is_split_and_what_is_left_of_it(tmp_path: Path) -> None:
    """A value that goes two ways, the largest with its place, an axis cut into equal parts."""
    for op, outputs in ((ops.Identity(), 2), (ops.GlobalPool("max"), 2), (ops.Slice(1), 2)):
        model = weighted(op, (IMAGE,), outputs)
        assert not changing(model, as_onnx(model, tmp_path)), op
    parts = weighted(ops.Slice(1, (1,)), (IMAGE,), 2)
    assert changing(parts, as_onnx(weighted(ops.Slice(1), (IMAGE,), 2), tmp_path))
