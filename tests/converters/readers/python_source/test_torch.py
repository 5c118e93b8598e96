"""What is read of PyTorch's calls, against what PyTorch makes of the same text."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from tests.converters.readers.python_source.support import TORCH, read
from upconv.converters.ir.dims import Symbol, substitute
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.shapes import Shape

CASES = [
    f"nn.ConvTranspose{axes}d(4, 6, {kernel}, {stride}, {pad}, {extra}, 2, True, {dilation})"
    for axes, kernel, stride, pad, dilation in product((1, 2, 3), (2, 3), (1, 2), (0, 1), (1, 2))
    for extra in range(max(stride, dilation))
] + [
    "nn.Upsample(scale_factor=3)",
    "nn.Upsample((7, 9), mode='bilinear')",
    "nn.Upsample(None, 1.5, 'bilinear', True)",
    "nn.Upsample(scale_factor=(2.5, 0.75), mode='bicubic')",
    "nn.Upsample(scale_factor=2, mode='nearest-exact')",
    "nn.Upsample(scale_factor=0.5, recompute_scale_factor=True)",
    "nn.UpsamplingBilinear2d(scale_factor=2)",
    "nn.UpsamplingNearest2d((5, 6))",
    "nn.PixelShuffle(2)",
    "nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),"
    " nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2),"
    " nn.Sequential(nn.Conv2d(4, 12, 3, padding='same'), nn.PixelShuffle(2)), nn.Tanh())",
    "nn.Sequential(nn.Conv2d(4, 8, 3, dilation=2), nn.AvgPool2d(3, 2, 1, ceil_mode=True),"
    " nn.InstanceNorm2d(8), nn.ConvTranspose2d(8, 2, 3, 2), nn.Flatten(), nn.Dropout(0.1))",
    "nn.Sequential(*[nn.ReflectionPad2d((1, 2, 3, 0)), nn.utils.parametrizations.spectral_norm("
    "nn.ConvTranspose2d(4, 8, 4, 2, 1)), nn.GroupNorm(2, 8)], nn.ZeroPad2d(1),"
    " nn.InstanceNorm2d(8, affine=True), nn.ConstantPad2d((0, -1, 2, 3), 0.5),"
    " nn.ReplicationPad2d(2))",
]


def output_shape(model: Model, sizes: Shape) -> Shape:
    """The shape of the last layer's output for an input of these sizes, (N, C, spatial...)."""
    (entry,) = model.inputs
    assert entry.shape is not None
    known: Mapping[str, Any] = {
        str(name): size for name, size in zip(entry.shape, sizes, strict=True)
    } | {"C": sizes[1] // (4 if str(entry.shape[1]) == "4*C" else 1)}
    inference = infer(model)
    assert inference.errors == ()
    found = inference.shapes[model.layers[-1].outputs[0]]
    assert found is not None

    def value(leaf: object) -> int:
        assert isinstance(leaf, Symbol)
        return int(known[leaf.name])

    return tuple(substitute(size, value) for size in found)


@pytest.mark.parametrize("text", CASES)
def test_output_sizes_are_torchs(text: str) -> None:
    module: nn.Module = eval(text, {"nn": nn})
    axes = next((int(letter) for letter in text.split("(", maxsplit=1)[0] if letter.isdigit()), 2)
    model = read(f"{TORCH}up = {text}")
    for spatial in ((8, 11, 9)[:axes], (5, 13, 4)[:axes]):
        sizes = (2, 4, *(n + 8 for n in spatial))
        with torch.no_grad():
            expected = tuple(module.eval()(torch.zeros(sizes)).shape)
        assert output_shape(model, sizes) == expected, text


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unpooling_has_torchs_size(axes: int) -> None:
    text = f"nn.MaxUnpool{axes}d(3, 2, 1)"
    pool = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}[axes](3, 2, 1, return_indices=True)
    x = torch.rand((1, 2, 9, 7, 11)[: axes + 2])
    y, indices = pool(x)
    expected = tuple(eval(text, {"nn": nn})(y, indices).shape)
    (layer,) = read(f"{TORCH}up = {text}").layers
    assert len(layer.inputs) == 2
    from upconv.converters.ir.inference import layer_shapes

    known = {value: tuple(y.shape) for value in layer.inputs}
    assert layer_shapes(layer, known) == (expected,)


def test_a_chain_breaks_at_what_is_not_read() -> None:
    code = TORCH + (
        "net = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), Own(4),"
        " nn.ConvTranspose2d(4, c, 4, 2, 1), nn.Conv2d(4, 2, 1))"
    )
    layers = {layer.name: layer.inputs for layer in read(code).layers}
    assert layers == {
        "net.0": ("net.0.input",),
        "net.2": ("net.2.input",),
        "net.3": ("net.3.input",),
    }


def test_chains_of_named_layers_and_lists() -> None:
    code = TORCH + (
        "from collections import OrderedDict\n"
        "net = nn.Sequential(OrderedDict([('up', nn.Upsample(scale_factor=2)),"
        " ('act', nn.ReLU())]))\n"
        "rest = nn.Sequential(*[nn.Upsample(scale_factor=2)])\n"
        "plain = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU())\n"
    )
    names = [layer.name for layer in read(code).layers]
    assert names[:2] == ["net.up", "net.act"]
    assert len(names) == 3, "a Sequential without upsampling is no net of ours"


def test_a_list_that_is_spread_is_a_chain_where_it_is_whole() -> None:
    head = TORCH + "parts = [nn.ConvTranspose2d(8, 4, 2, 2), nn.ReLU()]\n"
    tail = "net = nn.Sequential(*parts, nn.BatchNorm2d(4))\n"
    assert [layer.inputs for layer in read(head + tail).layers][1:] == [("net.0",), ("net.1",)]
    grown = read(head + "parts.append(own())\n" + tail)
    assert [layer.name for layer in grown.layers] == ["ConvTranspose2d"]


@pytest.mark.parametrize(
    "layer", ["BatchNorm2d(8)", "GroupNorm(2, 8)", "InstanceNorm2d(8, 0.1, 0.1, True)"]
)
def test_norms_of_other_channels_are_contradictions(layer: str) -> None:
    code = f"{TORCH}net = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.{layer})"
    (error,) = infer(read(code)).errors
    assert error.layer == "net.1"


def test_channels_that_do_not_fit_in_a_chain_are_contradictions() -> None:
    code = TORCH + "net = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.BatchNorm2d(8))"
    (error,) = infer(read(code)).errors
    assert error.layer == "net.1"
