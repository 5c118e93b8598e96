"""Verification: it passes what is right, and every way of being wrong is caught and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like, symbol
from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.report import PIECE
from upconv.converters.proof.stimuli import IMPULSES, fixed_shapes, impulses, noise, other_shapes
from upconv.converters.proof.verify import as_json, verify, worst_element


def random(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def network(height: object = 13, width: object = 9) -> Model:
    """Convolution, pooling, an upsampling layer, a crop to the input, an argmax."""
    conv = ops.Conv(6, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    pool = ops.Pool(
        "max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", count_padding=True
    )
    up = ops.ConvTranspose(4, (4, 5), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
    crop = ops.Crop(2, (0, 0), (like("data", 2), like("data", 3)))
    layers = (
        Layer("conv", conv, ("data",), ("conv",), {"weight": weight_of(random(6, 3, 3, 3))}),
        Layer("relu", ops.Relu(), ("conv",), ("relu",)),
        Layer("drop", ops.Identity(), ("relu",), ("drop",)),
        Layer("pool", pool, ("drop",), ("pool",)),
        Layer(
            "up",
            up,
            ("pool",),
            ("up",),
            {"weight": weight_of(random(6, 4, 4, 5)), "bias": weight_of(random(4))},
        ),
        Layer("crop", crop, ("up", "data"), ("score",)),
        Layer("best", ops.ArgMax(1, 1, "indices"), ("score",), ("label",)),
    )
    shape = (1, 3, height, width)
    return Model("net", "", "caffe", (ModelInput("data", shape),), ("score", "label"), layers)  # type: ignore[arg-type]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    write_onnx(network(), path, WriteOptions())
    return path


def test_a_right_file_passes(written: Path) -> None:
    result = verify(network(), str(written))
    assert result.verdict == "pass"
    assert {one.layer: one.kind for one in result.layers} == {
        "conv": "bound",
        "relu": "exact",
        "drop": "exact",
        "pool": "exact",
        "up": "bound",
        "crop": "exact",
        "best": "exact",
    }
    assert [one.name for one in result.outputs] == ["score", "label"]
    report = as_json(result)
    assert report["verdict"] == "pass"
    assert all(0 <= layer["ratio"] <= 1 for layer in report["layers"])


def test_dynamic_sizes_pass(tmp_path: Path) -> None:
    model = network(symbol("H"), symbol("W"))
    write_onnx(model, tmp_path / "net.onnx", WriteOptions())
    result = verify(model, str(tmp_path / "net.onnx"))
    assert result.verdict == "pass"
    assert result.outputs[0].shape == (1, 4, 45, 61)


def test_a_file_that_is_right_at_one_size_only_is_not_right(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    model = network(symbol("H"), symbol("W"))
    write_onnx(network(45, 61), path, WriteOptions())
    file = onnx.load(path)
    for axis in (2, 3):
        file.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    for output in file.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(file, path)
    assert verify(network(45, 61), str(path)).verdict == "pass"
    result = verify(model, str(path))
    assert [one.layer for one in result.layers if one.verdict == "fail"] == ["crop"]


def test_other_shapes_differ_where_they_can() -> None:
    n, h, w = map(symbol, "NHW")
    inputs: dict[tuple[Size, ...], object] = {
        (1, 3, 13, 9): None,
        (1, 3, h, w): {"data": (1, 3, 38, 50)},
        (n, 3, 13, 9): {"data": (1, 3, 13, 9)},
        (n, 3, h, w): {"data": (1, 3, 38, 50)},
    }
    for shape, others in inputs.items():
        model = replace(network(), inputs=(ModelInput("data", shape),))
        assert other_shapes(model) == others


def _weight(model: onnx.ModelProto, node: onnx.NodeProto) -> onnx.TensorProto:
    found: onnx.TensorProto = next(t for t in model.graph.initializer if t.name == node.input[1])
    return found


def _up(model: onnx.ModelProto) -> onnx.NodeProto:
    found: onnx.NodeProto = next(n for n in model.graph.node if n.op_type == "ConvTranspose")
    return found


def shift_pads(model: onnx.ModelProto) -> None:
    pads = next(a for a in _up(model).attribute if a.name == "pads")
    pads.ints[:] = [pads.ints[0] + 1, pads.ints[1], pads.ints[2] - 1, pads.ints[3]]


def nudge_a_weight(model: onnx.ModelProto) -> None:
    tensor = _weight(model, _up(model))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[17] *= 1 + 1e-4
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def drop_the_bias(model: onnx.ModelProto) -> None:
    del _up(model).input[2:]


def flip_the_kernel(model: onnx.ModelProto) -> None:
    tensor = _weight(model, _up(model))
    values = numpy_helper.to_array(tensor)[:, :, ::-1, :]
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


@pytest.mark.parametrize("wrong", [shift_pads, nudge_a_weight, drop_the_bias, flip_the_kernel])
def test_a_wrong_layer_fails_by_name(
    written: Path, wrong: Callable[[onnx.ModelProto], None]
) -> None:
    model = onnx.load(written)
    wrong(model)
    onnx.save(model, written)
    result = verify(network(), str(written))
    assert result.verdict == "fail"
    assert [one.layer for one in result.layers if one.verdict == "fail"] == ["up"]


def test_a_shift_hidden_from_smooth_inputs_is_caught_by_impulses(written: Path) -> None:
    shapes = {"data": (1, 3, 13, 9)}
    values = impulses(shapes, 0)["data"]
    assert set(np.unique(values)) <= {0, 1, *IMPULSES}
    assert {-64, 16} <= set(np.unique(values))
    assert np.count_nonzero(values) <= 4 + len(IMPULSES)
    assert values[0, 0, 12, 8] == 1
    assert not np.array_equal(noise(shapes, 0)["data"], noise(shapes, 1)["data"])


def test_a_missing_output_is_incomplete(written: Path) -> None:
    model = onnx.load(written)
    del model.graph.output[1]
    onnx.save(model, written)
    result = verify(network(), str(written))
    assert result.verdict == "incomplete"
    assert "the output 'label' of the model is not an output of the ONNX file" in result.reasons


def test_other_inputs_are_a_usage_error(written: Path) -> None:
    other = replace(network(), inputs=(ModelInput("image", (1, 3, 13, 9)),), layers=(), outputs=())
    with pytest.raises(UsageError, match=r"its inputs are \['data'\], the model's are \['image'\]"):
        verify(other, str(written))


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"layer { }"])
def test_a_file_that_is_no_onnx_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(UnreadableError):
        verify(network(), str(path))


def test_nothing_stays_beside_the_file(written: Path) -> None:
    verify(network(), str(written))
    assert [path.name for path in written.parent.iterdir()] == ["net.onnx"]


def test_unknown_input_shapes_ask_for_input() -> None:
    model = replace(network(), inputs=(ModelInput("data", None),))
    with pytest.raises(UsageError, match="--input data=1x3x224x224"):
        fixed_shapes(model)


def test_the_first_size_that_fits_is_taken() -> None:
    add = Layer("add", ops.Eltwise("sum"), ("score", "data"), ("sum",))
    base = network(symbol("H"), symbol("W"))
    halves = replace(
        base, layers=(*base.layers[:5], replace(add, inputs=("up", "up"))), outputs=("sum",)
    )
    assert fixed_shapes(halves) == {"data": (1, 3, 45, 61)}


@pytest.mark.parametrize(
    ("want", "got", "bound", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], [0.1, 1.0], (0.5, 1.0, 0.5)),
        ([np.nan, 1.0], [np.nan, 1.0], [0.0, 0.0], (0.0, 0.0, 0.0)),
        ([np.inf], [np.inf], [0.0], (0.0, 0.0, 0.0)),
        ([1.0], [np.nan], [1.0], (None, 1.0, None)),
        ([1.0], [1.5], [0.0], (0.5, 0.0, None)),
        ([1.0, 2.0], [1.5, 2.1], [np.inf, 0.2], (0.5, None, None)),
        ([1.0, 2.0], [1.5, 2.5], [np.inf, 0.2], (0.5, 0.2, 2.5)),
        ([1.0, 2.0], [1.0, 2.5], [np.inf, 1.0], (0.5, 1.0, 0.5)),
        ([0.0, 2.0], [0.0, 2.0], [np.inf, 1.0], (0.0, 0.0, 0.0)),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.5]], 0.5, (0.5, 0.5, 1.0)),
        ([1.0, 2.0], [1.0, 2.0], 3.0, (0.0, 3.0, 0.0)),
    ],
)
def test_the_worst_element(
    want: list[float], got: list[float], bound: list[float], expected: tuple[object, ...]
) -> None:
    assert worst_element(np.array(want), np.array(got), np.array(bound)) == pytest.approx(expected)


def test_the_worst_element_is_found_in_every_piece() -> None:
    want = np.zeros((3, PIECE))
    for place in ((0, 0), (1, PIECE - 1), (2, 5)):
        got = np.zeros((3, PIECE), np.float32)
        got[place] = 0.5
        assert worst_element(want, got, np.asarray(0.25)) == (0.5, 0.25, 2.0)


def unpooling() -> Model:
    """A max pooling whose indices place values again, and are an output."""
    pool = ops.Pool("max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", True)
    layers = (
        Layer("pool", pool, ("data",), ("small", "mask")),
        Layer(
            "up",
            ops.Unpool((like("data", 2), like("data", 3))),
            ("small", "mask", "data"),
            ("up",),
        ),
    )
    return Model("net", "", "caffe", (ModelInput("data", (1, 3, 9, 12)),), ("up",), layers)


def test_what_a_wrong_file_feeds_a_layer_is_not_blamed_on_the_model(tmp_path: Path) -> None:
    """Indices that point nowhere: the layer that makes them fails, the one that reads them cannot
    be compared, and the verification goes on."""
    path = tmp_path / "net.onnx"
    write_onnx(unpooling(), path)
    file = onnx.load(path)
    mask = next(node for node in file.graph.node if "mask" in node.output)
    mask.output[0] = "right"
    file.graph.initializer.append(numpy_helper.from_array(np.array(1000, np.int64), "far"))
    add = onnx.helper.make_node("Add", ["right", "far"], ["mask"])
    for reader in file.graph.node:
        reader.input[:] = ["right" if name == "mask" else name for name in reader.input]
    file.graph.node.insert(list(file.graph.node).index(mask) + 1, add)
    onnx.save(file, path)
    result = verify(unpooling(), str(path))
    verdicts = {one.layer: one.verdict for one in result.layers}
    assert verdicts == {"pool": "fail", "up": "incomplete"}
    reason = next(one.reason for one in result.layers if one.layer == "up")
    assert reason.startswith("it is fed what it cannot take: the index 10")
    assert [one.verdict for one in result.outputs] == ["pass"]
