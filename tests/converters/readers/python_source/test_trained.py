"""A state_dict beside the code of its network: which layers get which of its tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_caffemodel import write_caffemodel
from fixtures.make_safetensors import write_safetensors
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Model
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import CheckOptions, check_path

torch = pytest.importorskip("torch")

HEAD = "from torch import nn\n\n\n"
UNET = f"""{HEAD}class UNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up1 = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 4, 3, 2, bias=False), nn.ReLU(), nn.Conv2d(4, 2, 1)
        )
        self.last = nn.ConvTranspose2d(width, width, kernel_size=2, stride=2)

    def forward(self, x):
        return self.last(self.decoder(self.up1(x)))
"""


def built(source: str) -> Any:
    """The network that the code makes, by running it: our own code, here."""
    names: dict[str, Any] = {}
    exec(source, names)
    torch.manual_seed(0)
    return names["UNet"](2)


def noise(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape, np.float32)


def read(folder: Path, source: str, weights: Path) -> Model:
    path = folder / "net.py"
    path.write_text(source, "utf-8")
    return open_model(str(path), ReadOptions(weights=str(weights)))


def said(model: Model) -> list[tuple[str, str]]:
    return [(notice.kind, notice.error.message) for notice in model.notices]


def findings(folder: Path, source: str, weights: Path) -> dict[str, str]:
    """Code -> message of what a check finds; the layers' names stand in its places."""
    path = folder / "net.py"
    path.write_text(source, "utf-8")
    report = check_path(path, CheckOptions(ReadOptions(weights=str(weights)), root=folder))
    return {finding.code: f"{finding.layer}: {finding.message}" for finding in report.findings}


def test_layers_have_what_the_module_has(tmp_path: Path) -> None:
    """Also where the code leaves the channels open: the file knows them."""
    network = built(UNET)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "net.pth")
    model = read(tmp_path, UNET, tmp_path / "net.pth")
    assert said(model) == []
    pairs = {
        "UNet.up1": network.up1,
        "UNet.decoder.0": network.decoder[0],
        "UNet.decoder.2": network.decoder[2],
        "UNet.last": network.last,
    }
    assert set(pairs) == {layer.name for layer in model.layers if layer.weights}
    for name, module in pairs.items():
        weights = model.layer(name).weights
        assert set(weights) == {n for n, value in module.named_parameters() if value is not None}
        for key, value in module.named_parameters():
            np.testing.assert_array_equal(weights[key].array(), value.detach())
    last = model.layer("UNet.last").operator
    assert isinstance(last, ops.ConvTranspose)
    assert last.out_channels == 2


def test_old_checkpoints_of_any_name_are_told_by_content(tmp_path: Path) -> None:
    network, path = built(UNET), tmp_path / "epoch=3.ckpt"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    model = read(tmp_path, UNET, path)
    assert said(model) == []
    assert model.layer("UNet.up1").weights["weight"].present


def test_weights_are_judged(tmp_path: Path) -> None:
    network = built(UNET)
    torch.nn.init.zeros_(network.up1.weight)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    found = findings(tmp_path, UNET, tmp_path / "net.pth")
    assert found["UP211"].startswith("UNet.up1: all 512 stored weights are 0")
    torch.nn.init.ones_(network.up1.weight)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    assert "UP211" not in findings(tmp_path, UNET, tmp_path / "net.pth")


def test_a_bilinear_kernel_in_the_wrong_place(tmp_path: Path) -> None:
    """A bilinear kernel of twice the size, padded by one too few."""
    source = UNET.replace("8, 4, 4, stride=2, padding=1", "4, 4, 4, stride=2, groups=4, bias=False")
    row = np.array([1, 3, 3, 1], np.float32) / 4
    kernel = np.broadcast_to(np.outer(row, row), (4, 1, 4, 4)).astype(np.float32)
    weights = write_safetensors(tmp_path / "net.safetensors", {"up1.weight": kernel})
    assert findings(tmp_path, source, weights).keys() & {"UP202", "UP213"}
    right = source.replace("groups=4", "padding=1, groups=4")
    assert not findings(tmp_path, right, weights).keys() & {"UP202", "UP213"}


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        (
            {"up1.weight": noise(8, 5, 4, 4), "up1.bias": noise(4)},
            "size mismatch for up1.weight: w.safetensors has 8x5x4x4, the code says 8x4x4x4",
        ),
        (
            {"up1.weight": noise(8, 4, 4, 4), "up1.bias": noise(5)},
            "size mismatch for up1.bias: w.safetensors has 5, the code says 4",
        ),
        (
            {"up1.weight": noise(8, 4, 4, 4)},
            "w.safetensors: missing key: up1.bias, and the code says bias=True",
        ),
        (
            {"decoder.0.weight": noise(4, 4, 3, 3), "decoder.0.bias": noise(4)},
            "w.safetensors: unexpected key: decoder.0.bias, and the code says bias=False",
        ),
        (
            {"last.weight": noise(6, 3, 3, 3), "last.bias": noise(3)},
            "size mismatch for last.weight: w.safetensors has 6x3x3x3, "
            "the code says kernel_size 2x2",
        ),
        (
            {"last.weight": noise(6, 3)},
            "size mismatch for last.weight: w.safetensors has 6x3, the code says kernel_size 2x2",
        ),
    ],
)
def test_what_contradicts_the_code_is_an_error(
    tensors: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """And the layer stays without weights, as if there were none."""
    model = read(tmp_path, UNET, write_safetensors(tmp_path / "w.safetensors", tensors))
    errors = [notice for notice in model.notices if notice.kind == "unreadable-part"]
    assert [notice.error.message for notice in errors] == [expected]
    layer = model.layer(errors[0].error.layer)
    assert not any(weight.present for weight in layer.weights.values())
    assert errors[0].error.where is not None


BLOCKS = f"""{HEAD}class Block(nn.Module):
    def __init__(self):
        self.up = nn.ConvTranspose2d(4, 4, 4, 2, 1)


class Net(nn.Module):
    def __init__(self):
        self.first, self.second = Block(), Block()
        self.last = nn.ConvTranspose2d(4, 4, 4, 2, 1)
"""


def test_one_of_several_is_not_guessed(tmp_path: Path) -> None:
    tensors = {
        f"{name}.{kind}": noise(4, 4, 4, 4) if kind == "weight" else noise(4)
        for name in ("first.up", "second.up", "last")
        for kind in ("weight", "bias")
    }
    model = read(tmp_path, BLOCKS, write_safetensors(tmp_path / "w.safetensors", tensors))
    assert said(model) == [
        (
            "unmatched-weights",
            "1 of 2 layers got no weights of w.safetensors: Block.up (2 names end in up.weight)",
        )
    ]
    assert not model.layer("Block.up").weights["weight"].present
    assert model.layer("Net.last").weights["weight"].present


def test_two_layers_do_not_share_a_name(tmp_path: Path) -> None:
    """Two classes with the same attribute: nothing says whose the one name is."""
    source = BLOCKS.replace("self.last", "self.up")
    tensors = {"net.up.weight": noise(4, 4, 4, 4), "net.up.bias": noise(4)}
    model = read(tmp_path, source, write_safetensors(tmp_path / "w.safetensors", tensors))
    assert [code for code, _ in said(model)] == ["unmatched-weights"]
    assert "2 of 2 layers" in said(model)[0][1]
    assert not any(w.present for layer in model.layers for w in layer.weights.values())


def test_part_of_a_word_is_no_name(tmp_path: Path) -> None:
    tensors = {"backup1.weight": noise(8, 4, 4, 4), "backup1.bias": noise(4)}
    model = read(tmp_path, UNET, write_safetensors(tmp_path / "w.safetensors", tensors))
    assert "UNet.up1 (no name is its own and ends in up1.weight)" in said(model)[0][1]


def test_weights_of_other_frameworks_are_not_for_code(tmp_path: Path) -> None:
    """A check of a folder has one --weights for all that is in it."""
    blob = noise(4, 4, 3, 3)
    weights = tmp_path / "net.caffemodel"
    write_caffemodel(weights, "net", [("up1", "Deconvolution", [(blob.shape, blob)])])
    assert said(read(tmp_path, UNET, weights)) == []


def test_a_broken_file_is_one_error(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"\xff\0\0\0\0\0\0\0{")
    ((code, message),) = said(read(tmp_path, UNET, weights))
    assert code == "unreadable-part"
    assert "header" in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("w.safetensors", (1 << 33).to_bytes(8, "little") + b"{}"),
        ("w.safetensors", b"\x93 nothing of the kind"),
        ("w.bin", b"nothing"),
        ("w.pth", b""),
    ],
)
def test_weights_that_are_nobodys_are_told(name: str, data: bytes, tmp_path: Path) -> None:
    weights = tmp_path / name
    weights.write_bytes(data)
    ((kind, _),) = said(read(tmp_path, UNET, weights))
    assert kind == "unreadable-part"
