"""Unpooling as PyTorch's exporter and our own writer say it: indices, arithmetic and scatters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.readers.onnx.support import (
    assert_close,
    computed,
    meant,
    node,
    noise,
    proto,
    read,
    unknown,
)
from upconv.converters.ir import operators as ops
from upconv.converters.proof.verify import verify

ROW = np.array([-1])


def pooled(axes: int, **words: Any) -> list[Any]:
    """A pooling whose indices count in each plane, as torch.onnx writes it."""
    words = {"kernel_shape": [2] * axes, "strides": [2] * axes, **words}
    ones = {"kernel_shape": [1] * axes, "strides": [1] * axes}
    return [
        node("MaxPool", ["x"], "p", "flat", **words),
        node("MaxPool", ["x"], "each", "all", **ones),
        node("Slice", ["all", "zeros", "ones", "axes"], "first"),
        node("Sub", ["flat", "first"], "places"),
    ]


def scattered(into: str = "canvas") -> list[Any]:
    """Values and places as rows, and the scatter into zeros."""
    zero = numpy_helper.from_array(np.zeros(1, np.float32))
    return [
        node("Add", ["places", "before"], "counted"),
        node("Reshape", ["counted", "row"], "index"),
        node("ConstantOfShape", [into], "zero", value=zero),
        node("Reshape", ["zero", "row"], "empty"),
        node("Sin", ["p"], "v"),
        node("Reshape", ["v", "row"], "updates"),
        node("Unsqueeze", ["index", "row"], "column"),
        node("ScatterND", ["empty", "column", "updates"], "filled"),
        node("Reshape", ["filled", into], "y"),
    ]


def stored(shape: Sequence[int], size: Sequence[int]) -> dict[str, Any]:
    axes = len(size)
    return {
        "zeros": np.zeros(axes, np.int64),
        "ones": np.ones(axes, np.int64),
        "axes": np.arange(2, 2 + axes),
        "row": ROW,
        "canvas": np.array([*shape[:2], *size]),
    }


def before(shape: Sequence[int], size: Sequence[int]) -> Any:
    """How many places stand before each plane."""
    front = (*shape[:2], *(1 for _ in size))
    return (np.arange(np.prod(shape[:2])) * np.prod(size)).reshape(front).astype(np.int64)


FIXED = {
    "a row": (2, 3, 7),
    "a plane": (2, 3, 5, 8),
    "one image": (1, 4, 6, 3),
    "one plane": (1, 1, 5, 4),
    "a volume": (2, 2, 4, 6, 5),
}


@pytest.mark.parametrize("case", FIXED)
def test_a_scatter_of_fixed_sizes_is_an_unpooling(case: str, tmp_path: Path) -> None:
    shape = FIXED[case]
    size = shape[2:]
    values = {**stored(shape, size), "before": before(shape, size)}
    model = proto([*pooled(len(size)), *scattered()], {"x": shape}, values)
    made = read(model, tmp_path)
    assert [layer.operator for layer in made.layers][1:] == [ops.Sin(), ops.Unpool(size)]
    assert made.layers[-1].inputs == ("v", "places")
    x = noise(*shape)
    np.testing.assert_array_equal(made.layers[0].outputs, ["p", "places"])
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def dynamic() -> list[Any]:
    """The sizes of x as torch takes them, and what stands before each plane from them."""
    one = [node("Shape", ["x"], f"s{at}", start=at, end=at + 1) for at in (0, 2, 3)]
    return [
        *one,
        *(node("Squeeze", [f"s{at}"], f"n{at}") for at in (0, 2, 3)),
        node("Mul", ["n0", "channels"], "count"),
        node("Mul", ["n2", "n3"], "plane"),
        node("Range", ["zero0", "count", "one0"], "numbers"),
        node("Reshape", ["numbers", "planes"], "each_plane"),
        node("Mul", ["each_plane", "plane"], "before"),
        node("Concat", ["s0", "channel", "s2", "s3"], "size", axis=0),
    ]


def test_a_scatter_of_open_sizes_is_an_unpooling(tmp_path: Path) -> None:
    """At other sizes than the first, and by the proof of the file alone."""
    values = {
        **stored((1, 3), (1, 1)),
        "channels": np.array(3),
        "zero0": np.array(0),
        "one0": np.array(1),
        "planes": np.array([-1, 3, 1, 1]),
        "channel": np.array([3]),
    }
    nodes = [*dynamic(), *pooled(2), *scattered("size")]
    model = proto(nodes, {"x": ["N", 3, "H", "W"]}, values)
    made = read(model, tmp_path)
    assert [type(layer.operator) for layer in made.layers] == [ops.Pool, ops.Sin, ops.Unpool]
    for shape in ((1, 3, 5, 8), (3, 3, 9, 2)):
        x = noise(*shape)
        assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])
    proof = verify(made, str(tmp_path / "net.onnx"))
    assert (proof.verdict, len(proof.layers)) == ("pass", 3)


def _spoiled(what: str) -> tuple[list[Any], dict[str, Any], tuple[int, ...]]:
    shape, size = (2, 3, 4, 6), (4, 6)
    nodes, values = [*pooled(2), *scattered()], stored(shape, size)
    values["before"] = before(shape, size)
    if what == "another first place":
        values["zeros"] = np.array([0, 1])
        values["ones"] = np.array([1, 2])
    elif what == "windows of two":
        nodes[1] = node("MaxPool", ["x"], "each", "all", kernel_shape=[2, 2], strides=[1, 1])
    elif what == "uneven planes":
        values["before"][1, 1] += 1
    elif what == "smaller planes":
        size = (4, 4)
        values |= {"before": before(shape, size), "canvas": np.array([2, 3, 4, 4])}
    elif what == "sums":
        nodes[-2] = node("ScatterND", ["empty", "column", "updates"], "filled", reduction="add")
    else:
        nodes[6] = node("ConstantOfShape", ["canvas"], "zero",
                        value=numpy_helper.from_array(np.ones(1, np.float32)))  # fmt: skip
    return nodes, values, shape


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("another first place", "the indices of a pooling"),
        ("windows of two", "the indices of a pooling"),
        ("uneven planes", "no unpooling"),
        ("smaller planes", "planes of 16 by indices that count through planes of 24"),
        ("sums", "no unpooling"),
        ("ones", "no unpooling"),
    ],
)
def test_what_is_almost_an_unpooling_is_none(what: str, why: str, tmp_path: Path) -> None:
    nodes, values, shape = _spoiled(what)
    found = unknown(read(proto(nodes, {"x": shape}, values), tmp_path))
    assert why in next(iter(found.values()))


def test_larger_planes_are_filled_in_part(tmp_path: Path) -> None:
    """The indices count through the plane that was pooled, in rows of another length."""
    shape, size = (2, 2, 4, 6), (5, 7)
    values = {**stored(shape, size), "before": before(shape, size)}
    model = proto([*pooled(2), *scattered()], {"x": shape}, values)
    made = read(model, tmp_path)
    assert made.layers[-1].operator == ops.Unpool(size)
    x = noise(*shape)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_a_row_that_is_read_as_such_stays(tmp_path: Path) -> None:
    """What is not brought into planes is an unpooling of rows, and a row again."""
    shape, size = (2, 3, 4, 6), (4, 6)
    values = {**stored(shape, size), "before": before(shape, size)}
    nodes = [*pooled(2), *scattered()[:-1], node("Cos", ["filled"], "y")]
    model = proto(nodes, {"x": shape}, values)
    made = read(model, tmp_path)
    assert [type(layer.operator) for layer in made.layers][-3:] == [
        ops.Unpool,
        ops.Reshape,
        ops.Cos,
    ]
    x = noise(*shape)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


@pytest.mark.parametrize("by_channels", [False, True])
def test_rows_of_planes_are_scattered_along_their_axis(by_channels: bool, tmp_path: Path) -> None:
    """ScatterElements into (N, C, H*W), as our writer has it, and places through a modulo."""
    values = {
        "plane": np.array(24),
        "rows": np.array([0, 0, -1]),
        "canvas": np.array([2, 3, 24]),
        "size": np.array([2, 3, 4, 6]) if by_channels else np.array([0, 0, 4, -1]),
    }
    zero = helper.make_tensor("value", TensorProto.FLOAT, (1,), (0.0,))
    nodes = [
        node("MaxPool", ["x"], "p", "flat", kernel_shape=[2, 2], strides=[2, 2]),
        node("Mod", ["flat", "plane"], "places"),
        node("ConstantOfShape", ["canvas"], "zero", value=zero),
        node("Reshape", ["p", "rows"], "updates"),
        node("Reshape", ["places", "rows"], "index"),
        node("ScatterElements", ["zero", "index", "updates"], "filled", axis=2),
        node("Reshape", ["filled", "size"], "y"),
    ]
    model = proto(nodes, {"x": [2, 3, 4, 6]}, values)
    made = read(model, tmp_path)
    assert [type(layer.operator) for layer in made.layers] == [ops.Pool, ops.Unpool]
    assert made.layers[1].operator == ops.Unpool((4, 6))
    x = noise(2, 3, 4, 6)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])
