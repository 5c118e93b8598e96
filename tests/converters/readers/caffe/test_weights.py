from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_caffemodel import write_caffemodel
from tests.converters.readers.caffe.support import DATA, layer, notices, read, shapes
from upconv.converters.ir.model import Model

CONV = "convolution_param { num_output: 4 kernel_size: 3 }"


Blob = tuple[Sequence[int], Any]


def blob(*shape: int, first: float = 0.0) -> Blob:
    size = int(np.prod(shape))
    return shape, np.arange(first, first + size, dtype=np.float32).reshape(shape)


def with_weights(text: str, folder: Path, **layers: list[Blob]) -> Model:
    path = folder / "net.caffemodel"
    entries = [(name, "Convolution", blobs) for name, blobs in layers.items()]
    write_caffemodel(path, "net", entries)
    return read(text, weights=str(path))


def test_blobs_come_by_layer_name(tmp_path: Path) -> None:
    model = with_weights(DATA + layer("Convolution", CONV), tmp_path, x=[blob(4, 3, 3, 3), blob(4)])
    weights = model.layers[0].weights
    assert list(weights) == ["weight", "bias"]
    np.testing.assert_array_equal(weights["weight"].array(), blob(4, 3, 3, 3)[1])
    np.testing.assert_array_equal(weights["bias"].array(), [0, 1, 2, 3])
    assert notices(model) == []


def test_deconvolution_weights_have_the_input_channels_first(tmp_path: Path) -> None:
    param = "convolution_param { num_output: 6 group: 3 kernel_size: 2 bias_term: false }"
    model = with_weights(DATA + layer("Deconvolution", param), tmp_path, x=[blob(3, 2, 2, 2)])
    assert model.layers[0].weights["weight"].shape == (3, 2, 2, 2)
    assert shapes(model)["x"] == (1, 6, 11, 13)


def test_layers_the_file_lacks_stay_missing(tmp_path: Path) -> None:
    text = DATA + layer("Convolution", CONV) + layer("Convolution", CONV, name="y", top="y")
    model = with_weights(text, tmp_path, x=[blob(4, 3, 3, 3), blob(4)])
    assert model.layer("x").weights["weight"].present
    assert not model.layer("y").weights["weight"].present
    assert notices(model) == []


def test_a_wrong_number_of_blobs_is_told(tmp_path: Path) -> None:
    model = with_weights(DATA + layer("Convolution", CONV), tmp_path, x=[blob(4, 3, 3, 3)])
    assert notices(model) == [
        (
            "unreadable-part",
            "x",
            "the weights file has 1 blob for it, but it takes 2 (weight, bias)",
        )
    ]


@pytest.mark.parametrize("shape", [(5, 3, 3, 3), (4, 3, 3, 5), (4, 3, 3)])
def test_a_wrong_shape_is_told(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = with_weights(DATA + layer("Convolution", CONV), tmp_path, x=[blob(*shape), blob(4)])
    ((kind, name, message),) = notices(model)
    assert (kind, name) == ("unreadable-part", "x")
    assert "x".join(map(str, shape)) in message
    assert "4x?x3x3" in message


def test_a_file_of_another_net_is_told(tmp_path: Path) -> None:
    model = with_weights(DATA + layer("Convolution", CONV), tmp_path, z=[blob(4)])
    ((kind, _, message),) = notices(model)
    assert kind == "foreign-weights"
    assert "no layer of the weights file" in message


def test_of_two_layers_of_a_name_the_first_gets_the_blobs(tmp_path: Path) -> None:
    text = DATA + layer("Convolution", CONV) + layer("Convolution", CONV, top="y")
    model = with_weights(text, tmp_path, x=[blob(4, 3, 3, 3), blob(4)])
    assert model.layer("x").weights["weight"].present
    assert not model.layer("x@2").weights["weight"].present


SHARED = (
    DATA
    + layer("Convolution", 'param { name: "w" } param { name: "b" } ' + CONV, name="a", top="a")
    + layer("Convolution", 'param { name: "w" } param { name: "b" } ' + CONV, name="c", top="c")
)


def test_a_sharing_layer_finds_its_owners_blobs(tmp_path: Path) -> None:
    for name in ("a", "c"):
        model = with_weights(SHARED, tmp_path, **{name: [blob(4, 3, 3, 3), blob(4)]})
        for entry in model.layers:
            np.testing.assert_array_equal(entry.weights["weight"].array(), blob(4, 3, 3, 3)[1])


def test_of_shared_blobs_the_last_in_the_file_counts(tmp_path: Path) -> None:
    last = [blob(4, 3, 3, 3, first=100.0), blob(4, first=7.0)]
    model = with_weights(SHARED, tmp_path, c=[blob(4, 3, 3, 3), blob(4)], a=last)
    for entry in model.layers:
        np.testing.assert_array_equal(entry.weights["bias"].array(), [7, 8, 9, 10])


def test_a_layer_that_shares_only_its_weight_keeps_its_own_bias(tmp_path: Path) -> None:
    text = SHARED.replace('param { name: "b" } ', "")
    model = with_weights(
        text,
        tmp_path,
        a=[blob(4, 3, 3, 3), blob(4)],
        c=[blob(4, 3, 3, 3, first=9), blob(4, first=5)],
    )
    np.testing.assert_array_equal(model.layer("a").weights["bias"].array(), [0, 1, 2, 3])
    np.testing.assert_array_equal(model.layer("c").weights["bias"].array(), [5, 6, 7, 8])
    assert model.layer("a").weights["weight"].array().flat[0] == 9.0


def test_values_absent_from_the_file_are_missing(tmp_path: Path) -> None:
    model = with_weights(
        DATA + layer("Convolution", CONV), tmp_path, x=[((4, 3, 3, 3), None), blob(4)]
    )
    assert not model.layers[0].weights["weight"].present
    assert model.layers[0].weights["weight"].shape == (4, 3, 3, 3)


def test_inner_product_weights(tmp_path: Path) -> None:
    text = DATA + layer("InnerProduct", "inner_product_param { num_output: 5 transpose: true }")
    model = with_weights(text, tmp_path, x=[blob(360, 5), blob(5)])
    assert model.layers[0].weights["weight"].shape == (360, 5)
    assert shapes(model)["x"] == (1, 5)
