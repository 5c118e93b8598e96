"""Our own ONNX, read back, is the same model up to names, and so is what that writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.converters.readers.onnx.support import computed
from tests.converters.readers.torch.nets import NETS, initialised
from tests.support import ROOT, shared_folder
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Identity, Operator, Unknown
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.passes.fill import fill_missing
from upconv.converters.passes.live import live
from upconv.converters.proof.end_to_end import in_source_layout
from upconv.converters.proof.stimuli import fixed_shapes
from upconv.converters.proof.stimuli import stimuli as make_stimuli
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.live import from_module

SPLIT = {
    "blocks_a",
    "dcgan_mini",
    "fcn32s_mini",
    "fcn8s_mini",
    "pool_ceil",
    "unet_mini",
    "v1_style",
}
"""Golden nets that mean the same and are not the same records, for what the writer makes of them at
their fixed sizes. A pooling that rounds up has the pads that this comes to, a crop to the size of a
skip is a slice to that number, dense weights that keep channels apart are grouped, a batch norm of
Caffe's has a scale behind it, and what ONNX has no operator for (LRN within channels, Exp to a
base of its own, MVN, Swish with a factor) is several nodes."""

Part = tuple[Operator, tuple[int, ...], Mapping[str, Any]]


def parts(model: Model) -> Iterator[Part]:
    """Operators, numbers for the values they read, and weights; identities are their inputs."""
    model = live(model)
    number = {entry.name: at for at, entry in enumerate(model.inputs)}
    free = count(len(number))
    for layer in model.layers:
        if isinstance(layer.operator, Identity):
            number[layer.outputs[0]] = number[layer.inputs[0]]
            continue
        yield layer.operator, tuple(number[value] for value in layer.inputs), layer.weights
        number.update((value, next(free)) for value in layer.outputs)


def assert_same(left: Model, right: Model) -> None:
    """Equal layer by layer, weights bit for bit."""
    ours, theirs = list(parts(left)), list(parts(right))
    assert [type(op) for op, _, _ in ours] == [type(op) for op, _, _ in theirs]
    for (op, read, weights), (other, others_read, others_weights) in zip(ours, theirs, strict=True):
        assert (op, read) == (other, others_read)
        assert weights.keys() == others_weights.keys()
        for name, weight in weights.items():
            other_values = others_weights[name].array()
            np.testing.assert_array_equal(weight.array(), other_values, strict=True)


def round_trip(model: Model, folder: Path) -> tuple[Model, Model]:
    """The model read back from its file, and from the file that this makes."""
    found = []
    for name in ("first.onnx", "second.onnx"):
        write_onnx(model, folder / name, WriteOptions())
        model = open_model(str(folder / name), ReadOptions())
        assert not [one for one in model.layers if isinstance(one.operator, Unknown)]
        found.append(model)
    return found[0], found[1]


def goldens() -> list[str]:
    return sorted(net.parent.name for net in shared_folder().glob("goldens/caffe/*/net.prototxt"))


@pytest.mark.parametrize("name", goldens())
def test_golden_nets(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "goldens/caffe" / name
    weights = folder / "net.caffemodel"
    given = str(weights) if weights.exists() else ""
    model = open_model(str(folder / "net.prototxt"), ReadOptions(weights=given))
    first, second = round_trip(model, tmp_path)
    assert [entry.name for entry in first.inputs] == [entry.name for entry in model.inputs]
    assert first.outputs == model.outputs
    assert_same(first, second)
    if name not in SPLIT:
        assert_same(model, first)


def assert_same_numbers(model: Model, folder: Path) -> None:
    """What the two files of a round trip compute in onnxruntime, on noise."""
    feeds = make_stimuli(model, fixed_shapes(model), 0)["noise"]
    fed = in_source_layout(model, feeds)
    first, second = (computed(str(folder / name), fed) for name in ("first.onnx", "second.onnx"))
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("name", ["UP103", "UP106", "UP112", "UP204", "UP213", "UP301", "UP308"])
def test_nets_of_rules(name: str, tmp_path: Path) -> None:
    path = ROOT / "fixtures/rules" / name / "good.prototxt"
    model = fill_missing(open_model(str(path), ReadOptions()), ("bilinear", "constant"))
    assert_same(*round_trip(model, tmp_path))
    assert_same_numbers(model, tmp_path)


@pytest.mark.parametrize("path", sorted(ROOT.glob("fixtures/keras2/*.keras")), ids=lambda p: p.stem)
def test_keras_nets(path: Path, tmp_path: Path) -> None:
    model = open_model(str(path), ReadOptions())
    round_trip(model, tmp_path)
    assert_same_numbers(model, tmp_path)


GROWING = {"fpn"}
"""A net whose nearest pixels are written as arithmetic on numbers, which reads back as layers."""


@pytest.mark.parametrize("name", NETS)
def test_torch_nets(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    model = from_module(initialised(net), (torch.zeros(net.example),), net.dynamic or None)
    first, second = round_trip(model, tmp_path)
    if name not in GROWING:
        assert_same(first, second)
    assert_same_numbers(model, tmp_path)
