from __future__ import annotations

import pytest

from tests.converters.readers.caffe.support import layer, notices, read
from upconv.converters.ir.dims import Size, symbol

H, W, C, N = (symbol(f"data_{axis}") for axis in "HWCN")


def data(kind: str, param: str) -> str:
    return f'layer {{ name: "d" type: "{kind}" top: "data" {param} }}\n' + layer("ReLU")


@pytest.mark.parametrize(
    ("kind", "param", "expected"),
    [
        ("Input", "input_param { shape { dim: 1 dim: 3 dim: 8 dim: 9 } }", (1, 3, 8, 9)),
        ("Input", "input_param { shape: { dim: [1, 3] } }", (1, 3)),
        ("Input", "", None),
        ("DummyData", "dummy_data_param { shape { dim: 2 dim: 5 } }", (2, 5)),
        (
            "DummyData",
            "dummy_data_param { num: 2 channels: 3 height: 4 width: 5 }",
            (2, 3, 4, 5),
        ),
        (
            "MemoryData",
            "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }",
            (2, 3, 4, 5),
        ),
        ("MemoryData", "memory_data_param { dim: 1 dim: 1 dim: 7 dim: 8 dim: 9 }", (1, 1, 7, 8, 9)),
        ("Data", "data_param { batch_size: 4 }", (4, C, H, W)),
        (
            "Data",
            "data_param { batch_size: 4 } transform_param { crop_size: 24 }",
            (4, C, 24, 24),
        ),
        ("Data", "data_param { batch_size: 4 crop_size: 24 }", (4, C, 24, 24)),
        (
            "ImageData",
            "image_data_param { batch_size: 2 new_height: 30 new_width: 40 }",
            (2, 3, 30, 40),
        ),
        ("ImageData", "image_data_param { batch_size: 2 is_color: false }", (2, 1, H, W)),
        ("WindowData", "transform_param { crop_size: 227 }", (N, 3, 227, 227)),
        ("HDF5Data", "hdf5_data_param { batch_size: 2 }", None),
        ("Python", "python_param { layer: 'VOC' }", None),
        ("MyForkData", "", None),
    ],
)
def test_shapes_of_data_layers(kind: str, param: str, expected: tuple[Size, ...] | None) -> None:
    model = read(data(kind, param))
    (entry,) = model.inputs
    assert (entry.name, entry.shape) == ("data", expected)
    assert entry.origin.type == kind
    assert notices(model) == []


def test_one_input_layer_with_several_tops() -> None:
    tops = 'layer { name: "in" type: "Input" top: "p" top: "q" input_param { SHAPES } }\n'
    text = (
        tops
        + layer("ReLU", name="a", bottom="p", top="a")
        + layer("ReLU", name="b", bottom="q", top="b")
    )
    one = read(text.replace("SHAPES", "shape { dim: 2 dim: 3 }"))
    assert [entry.shape for entry in one.inputs] == [(2, 3), (2, 3)]
    two = read(text.replace("SHAPES", "shape { dim: 2 } shape { dim: 3 }"))
    assert [entry.shape for entry in two.inputs] == [(2,), (3,)]


def test_an_input_that_nothing_reads_stays_and_a_label_goes() -> None:
    text = 'input: "info" input_shape { dim: 3 }\n'
    text += 'layer { name: "d" type: "Data" top: "data" top: "label" }\n' + layer("ReLU")
    assert [entry.name for entry in read(text).inputs] == ["info", "data"]


def test_a_broken_data_layer_is_noticed() -> None:
    model = read(data("Input", "input_param { shape { dim: many } }"))
    ((code, name, _),) = notices(model)
    assert (code, name) == ("unreadable-part", "d")
    assert model.inputs[0].shape is None


def test_a_fork_layer_with_bottoms_is_no_input() -> None:
    text = data("Input", "input_param { shape { dim: 2 } }")
    model = read(text + layer("RandomTransform", name="t", bottom="data", top="t"))
    assert [entry.name for entry in model.inputs] == ["data"]
    assert [code for code, _, _ in notices(model)] == ["unknown-layer-type"]
