"""What Keras 2 wrote otherwise: versions, numbering, wrapped values, functions in the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.converters.readers.keras.handmade import entry, layer, model, read, write_h5, write_json
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UsageError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.keras.version import KerasVersion


def bilinear() -> dict[str, Any]:
    up = layer("UpSampling2D", "up", "x", size=[2, 2], interpolation="bilinear")
    return model(entry("x", 4, 5, 2), up)


@pytest.mark.parametrize(
    ("version", "meaning"),
    [
        ("2.2.4", ""),
        ("2.2.4-tf", ""),
        ("2.3.1", ""),
        ("2.3.0-tf", "half-pixel"),
        ("2.4.0", "half-pixel"),
        ("2.15.0", "half-pixel"),
        ("3.15.1", "half-pixel"),
        ("", ""),
    ],
)
def test_what_bilinear_means(version: str, meaning: str) -> None:
    assert KerasVersion(version, 2).bilinear == meaning


def test_an_undecided_bilinear_is_checked_and_not_converted(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", bilinear(), {}, "2.2.4-tf")
    found = read(path)
    (notice,) = found.notices
    assert isinstance(notice.error, AmbiguousError)
    assert found.layer("up").operator == ops.Resize("linear", "half_pixel", factor=(2, 2))
    with pytest.raises(UnsupportedError, match="--keras-bilinear half-pixel or asymmetric"):
        write_onnx(found, tmp_path / "m.onnx")


@pytest.mark.parametrize("meaning", ["half-pixel", "asymmetric"])
def test_the_user_decides(meaning: str, tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", bilinear(), {}, "2.2.4-tf")
    found = read(path, keras_bilinear=meaning)
    assert found.notices == ()
    operator = found.layer("up").operator
    assert isinstance(operator, ops.Resize)
    assert operator.coordinate_mode == meaning.replace("-", "_")
    write_onnx(found, tmp_path / "m.onnx")


def test_calls_of_a_model_inside_are_counted_from_one(tmp_path: Path) -> None:
    inside = model(entry("y", 4, 4, 1), layer("ReLU", "relu", "y"))["config"]
    used = {"class_name": "Model", "name": "inside", "config": {**inside, "name": "inside"}}
    used["inbound_nodes"] = [[["x", 0, 0, {}]], [["inside", 1, 0, {}]]]
    outer = model(entry("x", 4, 4, 1), used, outputs=[["inside", 2, 0]])
    found = read(write_json(tmp_path / "m.json", outer))
    assert [one.name for one in found.layers] == ["inside/relu", "inside/relu@2"]
    assert found.layers[1].inputs == found.layers[0].outputs
    assert found.outputs == ("inside",)


def test_a_chain_without_an_input_layer(tmp_path: Path) -> None:
    first = layer("Conv2D", "c", filters=2, kernel_size=[3, 3], batch_input_shape=[None, 8, 8, 3])
    chain = {"class_name": "Sequential", "config": [first, layer("ReLU", "r")]}
    found = read(write_json(tmp_path / "m.json", chain))
    assert [(one.name, one.shape[1:]) for one in found.inputs] == [("c_input", (3, 8, 8))]
    assert found.outputs == ("r",)


def test_an_unbuilt_chain_has_an_input_of_unknown_shape(tmp_path: Path) -> None:
    chain = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [layer("Conv2D", "c", filters=2, kernel_size=3)]},
    }
    path = write_json(tmp_path / "m.json", chain)
    assert read(path).inputs[0].shape is None
    found = read(path, inputs={"c_input": (1, 8, 8, 3)})
    assert found.inputs[0].shape == (1, 3, 8, 8)
    assert found.layers[0].weights["weight"].shape == (2, 3, 3, 3)


def test_an_input_is_given_in_the_models_own_layout(tmp_path: Path) -> None:
    path = write_json(tmp_path / "m.json", bilinear())
    assert read(path, inputs={"x": (1, 16, 8, 2)}).inputs[0].shape == (1, 2, 16, 8)
    with pytest.raises(UsageError, match="its inputs are x"):
        read(path, inputs={"y": (1, 16, 8, 2)})
    with pytest.raises(UsageError, match="has 3 axes"):
        read(path, inputs={"x": (1, 16, 8)})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_value": {"type": "ndarray", "value": 6.0}}, ops.Clip(0.0, 6.0)),
        ({"negative_slope": {"type": "ndarray", "value": [0.25]}}, ops.Relu(0.25)),
        ({"max_value": None, "threshold": 0.0}, ops.Relu()),
    ],
)
def test_numbers_in_arrays(config: dict[str, Any], expected: ops.Operator, tmp_path: Path) -> None:
    net = model(entry("x", 4), layer("ReLU", "r", "x", **config))
    assert read(write_json(tmp_path / "m.json", net)).layer("r").operator == expected


@pytest.mark.parametrize(
    ("function", "extra", "expected"),
    [
        ("math.multiply", {"y": 2.0}, ops.Power(scale=2.0)),
        ("__operators__.add", {"y": ["x", 0, 0]}, ops.Eltwise("sum")),
        ("math.truediv", {"y": 4.0}, ops.Power(scale=0.25)),
        ("nn.relu", {}, ops.Relu()),
    ],
)
def test_functions_in_the_graph(
    function: str, extra: dict[str, Any], expected: ops.Operator, tmp_path: Path
) -> None:
    one = layer("TFOpLambda", "f", "x", function=function)
    one["inbound_nodes"] = [["x", 0, 0, extra]]
    found = read(write_json(tmp_path / "m.json", model(entry("x", 4, 4, 1), one)))
    assert found.notices == ()
    assert found.layer("f").operator == expected


def test_hard_sigmoid_was_steeper_by_version(tmp_path: Path) -> None:
    net = model(entry("x", 4), layer("Activation", "a", "x", activation="hard_sigmoid"))
    for version, slope in (("2.15.0", 0.2), ("3.0.0", 1 / 6)):
        first = read(write_h5(tmp_path / "m.h5", net, {}, version)).layers[0]
        assert first.operator == ops.Power(scale=slope, shift=0.5)


def test_a_call_in_training_mode_is_told(tmp_path: Path) -> None:
    one = layer("Dropout", "d", "x", rate=0.5)
    one["inbound_nodes"] = [[["x", 0, 0, {"training": True}]]]
    (notice,) = read(write_json(tmp_path / "m.json", model(entry("x", 4), one))).notices
    assert "training=True" in notice.error.message


def test_an_unknown_type_flows_through(tmp_path: Path) -> None:
    net = model(
        entry("x", 8, 8, 3),
        layer("Conv2DTransposed", "odd", "x"),
        layer("Conv2D", "c", "odd", filters=2, kernel_size=3),
        layer("Flatten", "f", "c"),
        layer("Reshape", "r", "f", target_shape=[4, 4]),
    )
    (notice,) = read(write_json(tmp_path / "m.json", net)).notices
    assert (notice.kind, notice.error.layer) == ("unknown-layer-type", "odd")
    assert "did you mean Conv2DTranspose" in notice.error.hint


def test_broadcast_of_rows_and_columns(tmp_path: Path) -> None:
    """A tensor whose axes of size 1 lie between others is repeated before the sum."""
    net = model(entry("x", 4, 5, 3), entry("y", 1, 5, 3), layer("Add", "sum", "x", "y"))
    net["config"]["layers"].insert(0, layer("ZeroPadding2D", "pad", "x", padding=0))
    found = read(write_json(tmp_path / "m.json", net))
    kinds = [type(one.operator).__name__ for one in found.layers]
    assert kinds == ["Pad", "Tile", "Eltwise"]
