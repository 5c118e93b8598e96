from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import (
    ALL_OPSETS,
    compare_one,
    convert_and_compare,
    letters,
    model,
    one_layer,
    values,
)
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.geometry import effective_kernel, pool_size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import GlobalPool, Identity, Pad, Pool, Relu, Unpool
from upconv.converters.onnx_writer import write_onnx


def pool(kind: Literal["max", "average"], k: int, s: int, p: int, **more: Any) -> Pool:
    """Caffe's pooling of a square window."""
    settings: dict[str, Any] = {
        "dilation": (1, 1),
        "pads_begin": (p, p),
        "pads_end": (p, p),
        "rounding": "ceil",
        "clip": "if_padded",
        "count_padding": True,
    }
    return Pool(kind, (k, k), (s, s), **(settings | more))


@pytest.mark.parametrize("opset", ALL_OPSETS)
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("dynamic", ["", "NHW"])
def test_caffe_windows(
    opset: int, kind: Literal["max", "average"], dynamic: str, tmp_path: Path
) -> None:
    for k, s, p in ((2, 2, 0), (3, 2, 0), (3, 2, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (2, 1, 1)):
        x = values(2, 2, 7, 6, seed=k)
        compare_one(pool(kind, k, s, p), tmp_path, x, dynamic=dynamic, opsets=(opset,))


@st.composite
def pools(draw: Any) -> tuple[Pool, tuple[int, ...]]:
    axes = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["max", "average"]))
    rounding = draw(st.sampled_from(["floor", "ceil"]))
    clip = draw(st.sampled_from(["never", "if_padded", "always"]))
    rows = []
    for _ in range(axes):
        kernel = draw(st.integers(1, 4))
        dilation = draw(st.integers(1, 2)) if kind == "max" else 1
        pads = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
        size = draw(st.integers(max(effective_kernel(kernel, dilation) - sum(pads), 1), 8))
        rows.append((size, kernel, draw(st.integers(1, 4)), dilation, *pads))
    sizes, kernel, stride, dilation, begin, end = zip(*rows, strict=True)
    clips = clip == "always" or (clip == "if_padded" and any(begin + end))
    for size, *window in rows:
        assume(pool_size(size, *window, rounding=rounding, clip=clips) > 0)
    operator = Pool(kind, kernel, stride, dilation, begin, end, rounding, clip, draw(st.booleans()))
    return operator, (1, 2, *sizes)


@given(pools(), st.sampled_from(ALL_OPSETS), st.sampled_from(["", "DHW"]))
@settings(max_examples=150)
def test_any_window(case: Any, opset: int, dynamic: str) -> None:
    operator, shape = case
    with tempfile.TemporaryDirectory() as folder:
        try:
            compare_one(operator, Path(folder), values(*shape), dynamic=dynamic, opsets=(opset,))
        except UnsupportedError as error:
            assert operator.kind == "average"
            assert "outside its input" in str(error)
            assert operator.rounding == "ceil"


@pytest.mark.parametrize("dynamic", ["", "HW"])
def test_windows_outside_are_the_lowest_float(dynamic: str, tmp_path: Path) -> None:
    """Caffe: stride > kernel without padding lets a ceil window start at the edge."""
    x = values(2, 1, 4, 6)
    for k, s in ((1, 2), (1, 3), (2, 4)):
        written = compare_one(pool("max", k, s, 0), tmp_path, x, dynamic=dynamic)
        assert written.forms["layer"] == "MaxPool+Pad"


@pytest.mark.parametrize("opset", ALL_OPSETS)
def test_windows_dropped_on_one_axis_and_appended_on_the_other(opset: int, tmp_path: Path) -> None:
    """A dilated window reaches past the largest pad, so the node must round up by itself."""
    operator = Pool("max", (1, 2), (3, 3), (1, 2), (0, 0), (0, 0), "ceil", "never", True)
    written = compare_one(operator, tmp_path, values(1, 2, 3, 4), opsets=(opset,), tolerance=0)
    assert written.forms["layer"] == "MaxPool+Slice+Pad"


def test_average_of_windows_outside_is_not_a_number(tmp_path: Path) -> None:
    x = values(1, 1, 6, 8)
    written = compare_one(pool("average", 1, 3, 0), tmp_path, x)
    assert written.forms["layer"] == "AveragePool+Pad+Mul"
    source = one_layer(pool("average", 1, 3, 0), letters(x.shape, "HW"))
    with pytest.raises(UnsupportedError, match=r"may lie outside its input.*fixed input sizes"):
        write_onnx(source, tmp_path / "m.onnx")


def test_static_sizes_need_no_rounding_mode(tmp_path: Path) -> None:
    """One window too many is the commonest porting error: the pads say it."""
    import onnx

    written = write_onnx(one_layer(pool("max", 3, 2, 0), (1, 1, 7, 8)), tmp_path / "m.onnx")
    (node,) = onnx.load(written.path).graph.node
    found = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    assert (found["ceil_mode"], found["pads"]) == (0, [0, 0, 0, 1])


@pytest.mark.parametrize("dynamic", ["", "NHW"])
@pytest.mark.parametrize("kind", ["max", "average"])
def test_global(kind: Literal["max", "average"], dynamic: str, tmp_path: Path) -> None:
    compare_one(GlobalPool(kind), tmp_path, values(2, 3, 5, 4), dynamic=dynamic)


def test_global_maximum_with_its_place(tmp_path: Path) -> None:
    compare_one(GlobalPool("max"), tmp_path, values(2, 3, 5, 4), outputs=2, tolerance=0)


@pytest.mark.parametrize("dynamic", ["", "NHW"])
@pytest.mark.parametrize(("k", "s", "p"), [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_indices_count_within_each_plane(
    k: int, s: int, p: int, dynamic: str, tmp_path: Path
) -> None:
    x = values(2, 3, 6, 7).round(1)  # with equal maxima
    compare_one(pool("max", k, s, p), tmp_path, x, dynamic=dynamic, outputs=2, tolerance=0)


@pytest.mark.parametrize("dynamic", ["", "NHW"])
@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("through", [None, Identity(), Relu()])
def test_segnet_unpooling(dynamic: str, shown: bool, through: Any, tmp_path: Path) -> None:
    """Overlapping windows choose one place twice: the last write wins."""
    size = (like("x", 2), like("x", 3))
    layers = [Layer("pool", pool("max", 3, 2, 0), ("x",), ("small", "mask"))]
    if through is not None:
        layers.append(Layer("middle", through, ("mask",), ("mask2",)))
    mask = "mask" if through is None else "mask2"
    layers.append(Layer("unpool", Unpool(size), ("small", mask, "x"), ("y",)))
    x = values(2, 3, 7, 8)
    source = model(layers, {"x": letters(x.shape, dynamic)}, ["y", "mask"] if shown else ["y"])
    convert_and_compare(source, {"x": x}, tmp_path, tolerance=0)


@pytest.mark.parametrize("dynamic", ["", "NCHW"])
def test_unpooling_by_floats_from_outside(dynamic: str, tmp_path: Path) -> None:
    x = values(2, 2, 3, 4)
    index = np.random.default_rng(1).integers(0, 5 * 9, x.shape).astype(np.float32)
    written = compare_one(Unpool((5, 9)), tmp_path, x, index, dynamic=dynamic, tolerance=0)
    assert written.forms["layer"] == "ScatterElements"


def test_unpooling_known_example(tmp_path: Path) -> None:
    """[[1,2],[3,4]] into the places of the maxima of a 4x4 image."""
    image = np.array([[1, 2, 4, 1], [3, 4, 2, 3], [1, 4, 1, 2], [2, 3, 4, 3]], np.float32)
    layers = [
        Layer("pool", pool("max", 2, 2, 0), ("image",), ("top", "mask")),
        Layer("unpool", Unpool((4, 4)), ("x", "mask"), ("y",)),
    ]
    source = model(layers, {"image": (1, 1, 4, 4), "x": (1, 1, 2, 2)}, ["y"])
    feeds = {"image": image[None, None], "x": np.array([[[[1, 2], [3, 4]]]], np.float32)}
    convert_and_compare(source, feeds, tmp_path, tolerance=0)


@pytest.mark.parametrize("dynamic", ["", "HW"])
@pytest.mark.parametrize("between", [False, True])
def test_zeros_around_a_max_pooling_win_over_negative_pixels(
    between: bool, dynamic: str, tmp_path: Path
) -> None:
    """onnxruntime folds a Pad into the pooling behind it, whose own pads never win."""
    pad = Pad((0, 0, 2, 1), (0, 0, 1, 1))
    layers = [Layer("pad", pad, ("x",), ("padded",))]
    layers += [Layer("same", Identity(), ("padded",), ("passed",))] if between else []
    layers += [Layer("pool", pool("max", 3, 2, 0), ("passed" if between else "padded",), ("y",))]
    x = -1 - np.abs(values(2, 3, 6, 9))
    source = model(layers, {"x": letters(x.shape, dynamic)}, ["y"])
    convert_and_compare(source, {"x": x}, tmp_path, tolerance=0)
