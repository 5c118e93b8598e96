from __future__ import annotations

import pytest

from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES, is_loss, similar_types, v1_type
from upconv.converters.readers.caffe.lowering import LOWERINGS
from upconv.converters.readers.caffe.schema import (
    BVLC_MESSAGES,
    FORK_FIELDS,
    FORK_MESSAGES,
    OPEN,
    fields_of,
    is_fork_field,
    unknown_fields,
)
from upconv.converters.readers.files.prototxt import parse

SCALARS = {"int", "float", "bool", "text", "enum"}
MESSAGES = sorted({*BVLC_MESSAGES, *FORK_MESSAGES, *FORK_FIELDS})


@pytest.mark.parametrize("message", MESSAGES)
def test_every_kind_is_a_scalar_or_a_message_of_the_table(message: str) -> None:
    known = {*BVLC_MESSAGES, *FORK_MESSAGES, OPEN, *SCALARS}
    assert fields_of(message)
    assert set(fields_of(message).values()) <= known


@pytest.mark.parametrize("message", MESSAGES)
def test_no_field_stands_twice(message: str) -> None:
    names = [
        name
        for table in (BVLC_MESSAGES, FORK_MESSAGES, FORK_FIELDS)
        for section in table.get(message, "").split("|")
        for name in section.split()[1:]
    ]
    assert len(names) == len(set(names))


def found(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    root = parse(Source("net", text)).root
    return [(field.name, message, near) for field, message, near in unknown_fields(root)]


def test_unknown_fields_with_suggestions() -> None:
    text = """
    layer { name: "c" typ: "Convolution" kernel_size: 3
      convolution_param { num_outputs: 3 weight_filler { tpye: "bilinear" } }
      fancy_param { anything: 1 } }
    layers { layer { kernelsiz: 3 } }
    """
    assert found(text) == [
        ("typ", "LayerParameter", ("type",)),
        (
            "kernel_size",
            "LayerParameter",
            ("convolution_param.kernel_size", "pooling_param.kernel_size",
             "unpooling_param.kernel_size"),
        ),
        ("num_outputs", "ConvolutionParameter", ("num_output",)),
        ("tpye", "FillerParameter", ("type",)),
        ("fancy_param", "LayerParameter", ()),
        ("kernelsiz", "V0LayerParameter", ("kernelsize",)),
    ]  # fmt: skip


def test_fields_of_forks_are_known_as_such() -> None:
    assert (
        found("layer { interp_param { zoom_factor: 8 } pooling_param { ceil_mode: true } }") == []
    )
    assert is_fork_field("PoolingParameter", "ceil_mode")
    assert is_fork_field("LayerParameter", "interp_param")
    assert not is_fork_field("PoolingParameter", "kernel_size")
    assert not is_fork_field("PoolingParameter", "kernel")


def test_an_open_message_is_not_judged() -> None:
    assert found("layer { detection_output_param { whatever: 1 } }") == []


def test_every_lowered_type_is_in_the_table() -> None:
    assert {name for name in LOWERINGS if not name.isupper()} <= set(LAYER_TYPES)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("CONVOLUTION", "Convolution"),
        ("INNER_PRODUCT", "InnerProduct"),
        ("HDF5_DATA", "HDF5Data"),
        ("RELU", "ReLU"),
        ("TANH", "TanH"),
        ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
        ("SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"),
        ("MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"),
        ("WINDOW_SEG_DATA", "WindowSegData"),
        ("DENSE_CRF", "DenseCRF"),
        ("39", "Deconvolution"),
        ("77", "77"),
        ("9" * 5000, "9" * 5000),
        ("\u00b2", "\u00b2"),
        ("SOMETHING_ELSE", "SOMETHING_ELSE"),
    ],
)
def test_v1_types(written: str, expected: str) -> None:
    assert v1_type(written) == expected


def test_losses() -> None:
    losses = ("EuclideanLoss", "L1Loss", "SoftmaxWithLoss", "SmoothL1Loss", "MultiBoxLoss")
    assert all(map(is_loss, losses))
    assert not any(map(is_loss, ("Softmax", "LossyPooling", "Accuracy", "Convolution")))


def test_similar_types_ignore_case() -> None:
    assert similar_types("relu")[0] == "ReLU"
    assert similar_types("Zebra") == ()
