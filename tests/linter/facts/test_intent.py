from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from upconv.converters.ir.geometry import bilinear_taps
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.origin import Origin, Source
from upconv.converters.ir.tensors import missing, weight_of
from upconv.converters.readers.caffe.written import written_layer
from upconv.converters.readers.files.prototxt import parse
from upconv.linter.facts.intent import Training, intent_of, training_of

TRAINS = Training(True, "it has a loss")
DEPLOYED = Training(False, "it has no loss layer")


def layer(words: str, values: NDArray[np.float32] | None = None, groups: int = 2) -> Layer:
    node = parse(Source("a", words)).root
    op = ConvTranspose(2, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0), groups)
    weight = missing(None) if values is None else weight_of(values)
    origin = Origin("a", "caffe", written=written_layer(node, "Deconvolution"))
    return Layer("up", op, ("x",), ("y",), {"weight": weight}, origin)


def filler(words: str) -> str:
    return f"convolution_param {{ weight_filler {{ {words} }} }}"


FROZEN = "param { lr_mult: 0 } "


@pytest.mark.parametrize(
    ("words", "training", "kind", "reason"),
    [
        (filler('type: "bilinear"'), TRAINS, "interpolation", "weight_filler is bilinear"),
        (filler('type: "xavier"'), TRAINS, "learned", "weight_filler is xavier"),
        (FROZEN + filler('type: "gaussian"'), TRAINS, "learned", "weight_filler is gaussian"),
        (filler('type: "MSRA"'), DEPLOYED, "learned", "weight_filler is msra"),
        (filler('type: "constant" value: 1'), TRAINS, "undecidable", "the constant 1"),
        (FROZEN, TRAINS, "interpolation", "lr_mult is 0"),
        ("param { lr_mult: 10 }", TRAINS, "learned", "lr_mult is 10"),
        ("", TRAINS, "learned", "lr_mult is 1"),
        ("", DEPLOYED, "undecidable", "it has no loss layer"),
    ],
)
def test_intent_from_words(words: str, training: Training, kind: str, reason: str) -> None:
    intent = intent_of(layer(words), training)
    assert intent.kind == kind
    assert reason in intent.reason


def bilinear(shape: tuple[int, ...]) -> NDArray[np.float32]:
    numerators, double = bilinear_taps(shape[-1])
    row = np.array(numerators) / double
    return np.broadcast_to(np.outer(row, row), shape).astype(np.float32)


NOISE = np.random.default_rng(0).standard_normal((2, 1, 4, 4)).astype(np.float32)
DIAGONAL = bilinear((2, 2, 4, 4)) * np.eye(2, dtype=np.float32)[:, :, None, None]


@pytest.mark.parametrize(
    ("words", "values", "groups", "kind"),
    [
        ("", bilinear((2, 1, 4, 4)), 2, "interpolation"),
        ("", DIAGONAL, 1, "interpolation"),
        (filler('type: "xavier"'), bilinear((2, 1, 4, 4)), 2, "interpolation"),
        (filler('type: "bilinear"'), NOISE, 2, "learned"),
        (FROZEN + filler('type: "bilinear"'), NOISE, 2, "interpolation"),
        (FROZEN, NOISE, 2, "learned"),
        (FROZEN + filler('type: "constant" value: 1'), NOISE, 2, "undecidable"),
        ("", NOISE * 0, 2, "undecidable"),
        ("", -NOISE * 0, 2, "undecidable"),
    ],
)
def test_stored_weights_decide(
    words: str, values: NDArray[np.float32], groups: int, kind: str
) -> None:
    assert intent_of(layer(words, values, groups), DEPLOYED).kind == kind


def test_nearly_bilinear_is_learned() -> None:
    values = bilinear((2, 1, 4, 4)).copy()
    values[1, 0, 2, 2] += np.float32(1e-4)
    assert intent_of(layer("", values), DEPLOYED).kind == "learned"


@pytest.mark.parametrize(
    ("text", "trains"),
    [
        ('layer { name: "l" type: "SoftmaxWithLoss" }', True),
        ("layers { type: EUCLIDEAN_LOSS }", True),
        ("layer { type: 'SigmoidCrossEntropyLoss' }", True),
        ('layer { name: "loss" type: "Softmax" }', False),
        ("", False),
    ],
)
def test_training_nets_have_a_loss(text: str, trains: bool) -> None:
    model = Model("net", "a", "caffe", (), (), ())
    assert training_of(model, Source("a", text)).trains is trains


def test_phase_train_trains() -> None:
    model = Model("net", "a", "caffe", (), (), (), phase="TRAIN")
    assert training_of(model, None).trains
