"""One net in PyTorch, TorchScript, Keras and Caffe: the same to a comparison, and what a port gets
wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.converters.audit.nets import conv, deconv, merge, pool
from upconv.converters.audit.comparison import compare
from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source
from upconv.converters.ir.tensors import weight_of
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks, as they save


class Net(nn.Module):  # type: ignore[misc]
    """Convolution, BatchNorm, ReLU, pooling, transposed convolution, join and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.down = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.head = nn.Conv2d(8, 2, 1)
        for name in ("running_mean", "weight", "bias"):
            getattr(self.norm, name).data.normal_()
        self.norm.running_var.uniform_(0.5, 2.0)

    def forward(self, x: Any) -> Any:
        skip = torch.relu(self.norm(self.down(x)))
        up = self.up(torch.max_pool2d(skip, 2))
        return self.head(torch.cat((skip, up), 1))


@pytest.fixture(scope="module")
def net() -> Net:
    made = Net()
    made.eval()
    return made


@pytest.fixture(scope="module")
def exported(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 32, 48),)), path)
    return open_model(str(path), ReadOptions())


def _numbers(net: Net) -> dict[str, Any]:
    return {name: value.detach().numpy() for name, value in net.state_dict().items()}


def _caffe(net: Net, folded: bool) -> Model:
    """The same in Caffe's words; folded, its normalisation is in the convolution."""
    values = _numbers(net)
    scale = values["norm.weight"] / np.sqrt(values["norm.running_var"] + np.float32(1e-5))
    text = 'input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 48 }\n'
    words = "kernel_size: 3 pad: 1" + ("" if folded else " bias_term: false")
    text += conv("down", "data", words, out=4)
    if not folded:
        text += 'layer { name: "norm" type: "BatchNorm" bottom: "down" top: "norm" }\n'
        words = "scale_param { bias_term: true }"
        text += f'layer {{ name: "scale" type: "Scale" bottom: "norm" top: "scale" {words} }}\n'
    before = "down" if folded else "scale"
    text += f'layer {{ name: "relu" type: "ReLU" bottom: "{before}" top: "relu" }}\n'
    text += pool("pool", "relu", "kernel_size: 2 stride: 2 round_mode: FLOOR")
    text += deconv("up", "pool", "kernel_size: 4 stride: 2 pad: 1", out=4)
    text += merge("join", "relu up", "Concat") + conv("head", "join", "kernel_size: 1")
    model = read_caffe_source(Source("net.prototxt", text), ReadOptions())
    down = values["down.weight"]
    weights: dict[str, dict[str, Any]] = {
        "down": {"weight": down},
        "norm": {"mean": values["norm.running_mean"], "variance": values["norm.running_var"]},
        "scale": {"scale": values["norm.weight"], "bias": values["norm.bias"]},
        "up": {"weight": values["up.weight"], "bias": values["up.bias"]},
        "head": {"weight": values["head.weight"], "bias": values["head.bias"]},
    }
    if folded:
        moved = values["norm.bias"] - values["norm.running_mean"] * scale
        weights["down"] = {"weight": down * scale[:, None, None, None], "bias": moved}
    layers = (
        replace(one, weights={n: weight_of(v) for n, v in weights.get(one.name, {}).items()})
        for one in model.layers
    )
    return replace(model, layers=tuple(layers))


@pytest.mark.parametrize("folded", [False, True])
def test_caffe_beside_pytorch(net: Net, exported: Model, folded: bool) -> None:
    found = compare(_caffe(net, folded), exported)
    assert list(map(str, found.differences)) == []
    assert found.same
    assert not found.bit_equal  # the normalisation was folded to compare


def test_torchscript_beside_an_export(net: Net, exported: Model, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.trace(net, torch.zeros(1, 3, 32, 48)).save(str(path))
    assert list(map(str, compare(open_model(str(path), ReadOptions()), exported).differences)) == []


@pytest.fixture(scope="module")
def keras_file(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = pytest.importorskip("keras")
    values = _numbers(net)
    x = keras.Input((32, 48, 3), name="x")
    down = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="down")(x)
    norm = keras.layers.BatchNormalization(epsilon=1e-5, name="norm")(down)
    skip = keras.layers.ReLU(name="skip")(norm)
    low = keras.layers.MaxPooling2D(2, name="low")(skip)
    up = keras.layers.Conv2DTranspose(4, 4, strides=2, padding="same", name="up")(low)
    joined = keras.layers.Concatenate(name="joined")([skip, up])
    model = keras.Model(x, keras.layers.Conv2D(2, 1, name="head")(joined))
    by_layer = {
        "down": [values["down.weight"].transpose(2, 3, 1, 0)],
        "norm": [values[f"norm.{n}"] for n in ("weight", "bias", "running_mean", "running_var")],
        "up": [values["up.weight"].transpose(2, 3, 1, 0), values["up.bias"]],
        "head": [values["head.weight"].transpose(2, 3, 1, 0), values["head.bias"]],
    }
    for name, stored in by_layer.items():
        model.get_layer(name).set_weights(stored)
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    model.save(path)
    return Path(path)


def test_keras_beside_pytorch(keras_file: Path, exported: Model) -> None:
    found = compare(open_model(str(keras_file), ReadOptions()), exported)
    assert found.same
    assert list(map(str, found.differences)) == [
        "'x': axis 0 of the input is 1 in B, and free in the other"
    ]


def test_what_a_port_gets_wrong_is_named(net: Net, exported: Model, keras_file: Path) -> None:
    keras = open_model(str(keras_file), ReadOptions())
    net.norm.eps = 1e-3  # Keras' default
    path = keras_file.parent / "eps.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 32, 48),)), path)
    net.norm.eps = 1e-5
    other = open_model(str(path), ReadOptions())
    found = compare(keras, other)
    assert not found.same
    (declared, weights, *rest) = found.differences
    assert (declared.kind, weights.kind) == ("input", "weights")
    assert weights.left == "down' + 'norm"
    assert all(one.left == weights.left for one in rest)
