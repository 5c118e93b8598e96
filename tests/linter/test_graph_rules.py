"""What rules say of models that declare their graph: Keras, TensorFlow and PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Origin
from upconv.linter.finding import Finding
from upconv.linter.running.engine import CheckOptions, check_model, check_path

IMAGE = ("InputLayer", {"name": "image", "batch_shape": [None, 16, 16, 3]})


def architecture(top: Path, *layers: tuple[str, dict[str, Any]], version: str = "") -> Path:
    """A Sequential in JSON, one member a line."""
    written = [
        {"module": "keras.layers", "class_name": name, "config": config} for name, config in layers
    ]
    whole: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "n", "layers": written}}
    whole |= {"keras_version": version} if version else {"module": "keras"}
    path = top / "model.json"
    path.write_text(json.dumps(whole, indent=1), "utf-8")
    return path


def findings(path: Path, code: str) -> list[Finding]:
    report = check_path(path, CheckOptions(root=path.parent))
    assert report.status == "ok"
    return [finding for finding in report.findings if finding.code == code]


def up(**words: Any) -> tuple[str, dict[str, Any]]:
    return "Conv2DTranspose", {"name": "up", "filters": 4, "strides": [2, 2], **words}


def resized(framework: str, mode: Any, coordinates: Any, after: int = 16) -> Model:
    layer = Layer(
        "resize",
        ops.Resize(mode, coordinates, (after, after)),
        ("x",),
        ("y",),
        origin=Origin("net", framework, "ResizeBilinear"),
    )
    inputs = (ModelInput("x", (1, 3, 8, 8)),)
    return Model("net", "net", framework, inputs, ("y",), (layer,))


def codes(model: Model) -> set[str]:
    return {finding.code for finding in check_model(model).findings}


@pytest.mark.parametrize(
    ("kernel", "dilation", "extra", "fails"),
    [(4, 1, 0, True), (4, 1, None, False), (3, 1, 0, False), (2, 2, 0, False), (2, 1, 1, False)],
)
def test_same_with_an_even_extent_and_no_output_padding_fails_when_called(
    tmp_path: Path, kernel: int, dilation: int, extra: int | None, fails: bool
) -> None:
    words = {"kernel_size": [kernel] * 2, "padding": "same", "output_padding": extra}
    layer = up(**words, dilation_rate=[dilation] * 2)
    path = architecture(tmp_path, IMAGE, layer)
    written = json.loads(path.read_text("utf-8")) | {"backend": "tensorflow"}
    path.write_text(json.dumps(written, indent=1), "utf-8")
    found = findings(path, "UP330")
    assert [finding.layer for finding in found] == ["up"] * fails
    for finding in found:
        assert finding.severity == "error"
        assert finding.place is not None
        line = path.read_text("utf-8").splitlines()[finding.place.line - 1]
        assert line.strip() == '"output_padding": 0,'


def test_lambda_is_code_in_the_file(tmp_path: Path) -> None:
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}
    path = architecture(tmp_path, IMAGE, ("Lambda", {"name": "twice", "function": code}))
    (finding,) = findings(path, "UP008")
    assert (finding.layer, finding.severity) == ("twice", "warning")
    assert finding.place is not None


@pytest.mark.parametrize(("version", "expected"), [("2.2.4-tf", 1), ("2.4.0", 0), ("", 0)])
def test_bilinear_that_the_version_does_not_decide(
    tmp_path: Path, version: str, expected: int
) -> None:
    layer = ("UpSampling2D", {"name": "up", "size": [2, 2], "interpolation": "bilinear"})
    found = findings(architecture(tmp_path, IMAGE, layer, version=version), "UP307")
    assert len(found) == expected
    assert all("--keras-bilinear" in finding.help for finding in found)


def test_advice_is_in_the_framework_s_words(tmp_path: Path) -> None:
    (finding,) = findings(
        architecture(tmp_path, IMAGE, up(kernel_size=[3, 3], padding="valid")), "UP111"
    )
    assert "padding='same'" in finding.help


@pytest.mark.parametrize(("kernel", "uneven"), [(4, False), (5, True)])
def test_transposed_same_is_cut_unevenly_where_the_overlap_is_odd(
    tmp_path: Path, kernel: int, uneven: bool
) -> None:
    path = architecture(tmp_path, IMAGE, up(kernel_size=[kernel] * 2, padding="same"))
    assert bool(findings(path, "UP350")) is uneven


def test_same_that_depends_on_the_size_names_the_layer_of_the_file(tmp_path: Path) -> None:
    image = ("InputLayer", {"name": "image", "batch_shape": [None, None, None, 3]})
    config = {"name": "down", "filters": 4, "kernel_size": [3, 3], "strides": [2, 2]}
    path = architecture(tmp_path, image, ("Conv2D", {**config, "padding": "same"}))
    (finding,) = findings(path, "UP350")
    assert finding.layer == "down"
    assert "depend on the input's size" in finding.message


def functional(top: Path, shape: list[int | None]) -> Path:
    """Two convolutions, of which the first makes 16x16x4, whatever `shape` says."""

    def tensor(name: str, sizes: list[int | None]) -> dict[str, Any]:
        config = {"shape": sizes, "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"args": [{"class_name": "__keras_tensor__", "config": config}], "kwargs": {}}

    def convolution(name: str, source: dict[str, Any]) -> dict[str, Any]:
        config = {"name": name, "filters": 4, "kernel_size": [3, 3], "padding": "same"}
        entry = {"module": "keras.layers", "class_name": "Conv2D", "name": name}
        return {**entry, "config": config, "inbound_nodes": [source]}

    entry = {"class_name": "InputLayer", "module": "keras.layers", "name": "image"}
    layers = [
        {**entry, "config": IMAGE[1], "inbound_nodes": []},
        convolution("a", tensor("image", [None, 16, 16, 3])),
        convolution("b", tensor("a", shape)),
    ]
    ends = {"input_layers": ["image", 0, 0], "output_layers": ["b", 0, 0]}
    config = {"name": "n", "layers": layers, **ends}
    path = top / "model.json"
    whole = {"module": "keras", "class_name": "Functional", "config": config}
    path.write_text(json.dumps(whole, indent=1), "utf-8")
    return path


def test_the_shape_that_a_file_says_is_compared(tmp_path: Path) -> None:
    assert findings(functional(tmp_path, [None, 16, 16, 4]), "UP102") == []
    assert findings(functional(tmp_path, [None, None, None, 4]), "UP102") == []
    (finding,) = findings(functional(tmp_path, [None, 14, 14, 4]), "UP102")
    assert finding.layer == "b"
    assert finding.message.startswith("the file says that 'a' is ?x14x14x4, its layers make ")
    assert finding.place is not None


@pytest.mark.parametrize(
    ("framework", "mode", "coordinates", "after", "expected"),
    [
        ("tensorflow", "linear", "align_corners", 16, {"UP301"}),
        ("pytorch", "linear", "align_corners", 16, {"UP301"}),
        ("pytorch", "linear", "align_corners", 8, set()),
        ("tensorflow", "linear", "asymmetric", 16, {"UP333"}),
        ("tensorflow", "linear", "asymmetric", 8, set()),
        ("tensorflow", "nearest", "asymmetric", 16, set()),
        ("tensorflow", "linear", "half_pixel", 16, set()),
        ("pytorch", "cubic", "asymmetric", 16, set()),
    ],
)
def test_resizes_by_another_convention(
    framework: str, mode: str, coordinates: str, after: int, expected: set[str]
) -> None:
    assert codes(resized(framework, mode, coordinates, after)) & {"UP301", "UP333"} == expected


def two_outputs(framework: str) -> Model:
    """A pooling that nothing reads, beside what its input goes on to."""

    def layer(name: str, operator: Operator) -> Layer:
        return Layer(name, operator, ("x",), (name,), origin=Origin("net", framework, "T"))

    pool = ops.Pool("max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "floor", "never", False)
    inputs = (ModelInput("x", (1, 3, 8, 8)),)
    layers = (layer("small", pool), layer("y", ops.Relu()))
    return Model("net", "net", framework, inputs, ("small", "y"), layers)


@pytest.mark.parametrize(("framework", "fires"), [("caffe", True), ("pytorch", False)])
def test_declared_outputs_are_no_dead_ends(framework: str, fires: bool) -> None:
    assert ("UP010" in codes(two_outputs(framework))) is fires


def test_an_image_made_of_a_vector_lies_on_no_input() -> None:
    up_ = ops.ConvTranspose(3, (4, 4), (2, 2), (1, 1), (0, 0), (0, 0), (0, 0))

    def generator(size: int) -> Model:
        layer = Layer("up", up_, ("z",), ("y",), origin=Origin("net", "pytorch", "T"))
        return Model(
            "net", "net", "pytorch", (ModelInput("z", (1, 8, size, size)),), ("y",), (layer,)
        )

    assert "UP116" not in codes(generator(1))
    assert "UP116" in codes(generator(8))


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_file_of_arrays_is_pointed_into_by_their_place(form: str, tmp_path: Path) -> None:
    from tests.converters.readers.keras.handmade import arrays, upsampler, write_h5, write_keras

    write = write_h5 if form == "h5" else write_keras
    zeros = {name: 0 * values for name, values in arrays().items()}
    (found,) = findings(write(tmp_path / f"m.{form}", upsampler(), zeros), "UP211")
    place = "/model_weights/up" if form == "h5" else "/layers/conv2d_transpose"
    assert found.place is None
    assert found.message.endswith(f" (stored at {place})")


def test_slices_of_channels_are_no_crops_to_a_reference() -> None:
    whole = Layer("slice", ops.Crop(1, (0,), (1,)), ("x",), ("y",))
    inputs = (ModelInput("x", (1, 3, 8, 8)),)
    assert "UP115" not in codes(Model("n", "n", "tensorflow", inputs, ("y",), (whole,)))
