"""Keras models against Keras: right ones pass, a reader's mistake is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.converters.proof.source.support import against_source, compare, shifted
from tests.converters.readers.keras.nets import NETS, seeded
from tests.converters.readers.keras.support import FORMATS, import_keras, save
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.proof.source import run_source
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")
keras = import_keras()
L = keras.layers


def upsampler() -> Any:
    """Two inputs in an order that is not the alphabet's, two outputs, strides that pad unevenly."""
    low = keras.Input((None, None, 3), name="low")
    high = keras.Input((None, None, 4), name="high")
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up")(low)
    return seeded(keras.Model([low, high], [L.Add(name="sum")([x, high]), x]))


@pytest.mark.parametrize("form", FORMATS)
def test_every_kind_of_file_passes(form: str, tmp_path: Path) -> None:
    path, options = save(upsampler(), tmp_path, form)
    sizes: Any = {"low": (2, 5, 7, 3), "high": (2, 10, 14, 4)}
    result = against_source(path, ReadOptions(weights=options.weights, inputs=sizes))
    assert result.verdict == "pass"
    assert [(one.name, one.shape) for one in result.outputs] == [
        ("sum", (2, 10, 14, 4)),
        ("up", (2, 10, 14, 4)),
    ]
    assert result.source is not None
    assert (result.source.framework, result.source.version) == ("Keras", keras.__version__)


@pytest.mark.parametrize("name", NETS)
def test_nets_pass(name: str, tmp_path: Path) -> None:
    path, options = save(seeded(NETS[name][0]()), tmp_path, "keras")
    result = against_source(path, options)
    assert result.verdict == "pass"
    assert result.outputs


def test_a_mistake_of_the_reader_fails(tmp_path: Path) -> None:
    entry = keras.Input((None, None, 3), name="image")
    net = keras.Model(entry, L.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(entry))
    path, options = save(seeded(net), tmp_path, "h5")
    result = against_source(path, options, shifted)
    assert result.verdict == "fail"
    (output,) = result.outputs
    assert output.max_abs_error is not None
    assert output.max_abs_error > 100 * output.tolerance


def test_weights_of_another_training_fail(tmp_path: Path) -> None:
    """Where the framework is given the weights that the conversion was not."""
    path, _ = save(upsampler(), tmp_path, "keras")
    sizes: Any = {"low": (1, 5, 7, 3), "high": (1, 10, 14, 4)}
    result = against_source(path, ReadOptions(inputs=sizes))
    assert result.verdict == "pass"
    other = upsampler()
    other.set_weights([2 * one for one in other.get_weights()])
    weights = tmp_path / "other.weights.h5"
    other.save_weights(weights)
    options = ReadOptions(weights=str(weights), inputs=sizes)
    changed = compare(open_model(str(path), options), path.with_suffix(".onnx"), options)
    assert changed.verdict == "fail"


def test_code_is_not_given_to_keras(tmp_path: Path) -> None:
    entry = keras.Input((4, 4, 3))
    net = keras.Model(entry, L.Lambda(lambda x: x + 1)(entry))
    for form in ("keras", "h5"):
        path, options = save(net, tmp_path, form)
        model = open_model(str(path), options)
        with pytest.raises(UnsupportedError, match="Lambda"):
            run_source(model, options, {})


@pytest.mark.parametrize("module", ["os.path", "keras_of_another"])
def test_classes_of_others_are_not_given_to_keras(module: str, tmp_path: Path) -> None:
    """Not even as what makes a layer's first weights: Keras would import them."""
    path, options = save(upsampler(), tmp_path, "json")
    text = path.read_text("utf-8").replace(
        '"module": "keras.initializers", "class_name": "GlorotUniform"',
        f'"module": "{module}", "class_name": "GlorotUniform"',
    )
    assert module in text
    path.write_text(text, "utf-8")
    sizes: Any = {"low": (2, 5, 7, 3), "high": (2, 10, 14, 4)}
    options = ReadOptions(weights=options.weights, inputs=sizes)
    with pytest.raises(UnsupportedError, match=f"not given to Keras: .*GlorotUniform.*{module}"):
        run_source(open_model(str(path), options), options, {})


def test_weights_that_are_missing_are_not_made_at_random(tmp_path: Path) -> None:
    path, _ = save(upsampler(), tmp_path, "json")
    options = ReadOptions(inputs={"low": (2, 5, 7, 3), "high": (2, 10, 14, 4)})
    with pytest.raises(UnsupportedError, match="weight is missing"):
        run_source(open_model(str(path), options), options, {})


def test_what_keras_refuses_is_one_line(tmp_path: Path) -> None:
    path, options = save(upsampler(), tmp_path, "json")
    text = path.read_text("utf-8")
    path.write_text(text.replace('"output_padding": null', '"colour": 1'), "utf-8")
    options = ReadOptions(
        weights=options.weights, inputs={"low": (2, 5, 7, 3), "high": (2, 10, 14, 4)}
    )
    with pytest.raises(UnreadableError, match=r"Keras refuses it: .*colour") as caught:
        run_source(open_model(str(path), options), options, {})
    assert "\n" not in str(caught.value)


def test_a_keras_that_computes_something_else_is_not_asked(tmp_path: Path) -> None:
    path, options = save(upsampler(), tmp_path, "h5")
    options = ReadOptions(
        keras_bilinear="asymmetric", inputs={"low": (2, 5, 7, 3), "high": (2, 10, 14, 4)}
    )
    with pytest.raises(UnsupportedError, match="half-pixel"):
        run_source(open_model(str(path), options), options, {})
