"""The sizes that files of PyTorch, ONNX and Keras accept, against running them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.converters.audit.test_input_sizes import one
from upconv.converters.audit.input_sizes import InputSizes, input_sizes
from upconv.converters.audit.size_sets import NONE
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks, as they save


class UNet(nn.Module):  # type: ignore[misc]
    """A U-Net; joins by concatenation or, repeating axes of 1, by sums."""

    def __init__(self, depth: int, ceil: bool, sums: bool) -> None:
        super().__init__()
        self.sums = sums
        self.pools = nn.ModuleList(nn.MaxPool2d(2, ceil_mode=ceil) for _ in range(depth))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(1, 1, 2, stride=2) for _ in range(depth))
        self.head = nn.Conv2d(2, 1, 1)

    def forward(self, x: Any) -> Any:
        skips = []
        for pool in self.pools:
            skips.append(x)
            x = pool(x)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(x)
            x = x + skip if self.sums else self.head(torch.cat((x, skip), 1))
        return x


class VNet(nn.Module):  # type: ignore[misc]
    """Strided convolutions down, transposed ones up, in three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv3d(1, 1, 2, stride=2) for _ in range(3))
        self.up = nn.ModuleList(nn.ConvTranspose3d(1, 1, 2, stride=2) for _ in range(3))
        self.join = nn.ModuleList(nn.Conv3d(2, 1, 5, padding=2) for _ in range(3))

    def forward(self, x: Any) -> Any:
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = join(torch.cat((up(x), skip), 1))
        return x


def fits(net: nn.Module, shape: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether the net runs on an input of this shape, and whether its output is as large."""
    with torch.no_grad():
        try:
            result = net.to("meta")(torch.zeros(shape, device="meta"))
        except RuntimeError:
            return False, False
    return True, tuple(result.shape[2:]) == shape[2:]


def audited(path: Path, name: str, *shape: Size) -> InputSizes:
    return input_sizes(open_model(str(path), ReadOptions(inputs={name: shape})))


H, W, D = symbol("H"), symbol("W"), symbol("D")
NETS: dict[str, Callable[[], nn.Module]] = {
    "floor": lambda: UNet(3, ceil=False, sums=False),
    "ceil": lambda: UNet(2, ceil=True, sums=False),
    "sums": lambda: UNet(2, ceil=True, sums=True),
}


@pytest.mark.parametrize("name", NETS)
def test_torchscript_u_nets(name: str, tmp_path: Path) -> None:
    net = NETS[name]().eval()
    path = tmp_path / "net.pt"
    torch.jit.trace(net, torch.zeros(1, 1, 32, 32)).save(str(path))
    axis = one(audited(path, "x", 1, 1, H, W), "H")
    assert axis.runs is not None
    assert axis.same_size is not None
    for size in range(1, 129):
        runs, same = fits(net, (1, 1, size, 32))
        assert (size in axis.runs, size in axis.same_size) == (runs, same), size


def test_a_traced_v_net_has_three_axes(tmp_path: Path) -> None:
    net = VNet().eval()
    path = tmp_path / "net.pt"
    torch.jit.trace(net, torch.zeros(1, 1, 16, 16, 16)).save(str(path))
    found = audited(path, "x", 1, 1, D, H, W)
    for letter, place in (("D", 2), ("H", 3), ("W", 4)):
        axis = one(found, letter)
        for size in range(1, 64):
            shape = [1, 1, 16, 16, 16]
            shape[place] = size
            assert fits(net, tuple(shape))[0] is (size in (axis.runs or NONE)), (letter, size)


def test_an_export_with_open_sizes(tmp_path: Path) -> None:
    """torch.export suggests a multiple; the rule is what runs."""
    net = UNet(2, ceil=False, sums=False).eval()
    height, width = torch.export.Dim("h", min=2, max=64), torch.export.Dim("w", min=2, max=64)
    shapes = {"x": {2: 4 * height, 3: 4 * width}}
    path = tmp_path / "net.pt2"
    program = torch.export.export(net, (torch.zeros(1, 1, 32, 32),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    axis = one(audited(path, "x", 1, 1, H, W), "H")
    assert axis.runs is not None
    assert [fits(net, (1, 1, n, 32))[0] for n in range(1, 100)] == [
        n in axis.runs for n in range(1, 100)
    ]


@pytest.mark.parametrize("name", ["floor", "ceil"])
def test_onnx_files_in_onnxruntime(name: str, tmp_path: Path) -> None:
    import onnxruntime

    source = tmp_path / "net.pt"
    torch.jit.trace(NETS[name]().eval(), torch.zeros(1, 1, 32, 32)).save(str(source))
    path = tmp_path / "net.onnx"
    write_onnx(open_model(str(source), ReadOptions(inputs={"x": (1, 1, H, W)})), path)
    axis = one(audited(path, "x", 1, 1, H, W), "H")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    assert axis.runs is not None
    assert axis.same_size is not None
    for size in range(1, 97):
        image = np.zeros((1, 1, size, 32), np.float32)
        try:
            made: Any = session.run(None, {"x": image})[0]
        except Exception:  # whatever onnxruntime raises
            made = None
        assert (made is not None) is (size in axis.runs), size
        if made is not None:
            assert (made.shape == image.shape) is (size in axis.same_size)


def test_keras_files_in_keras(tmp_path: Path) -> None:
    """Keras builds the model for each size, and refuses those at which its joins do not fit."""
    import keras
    from keras import layers

    def built(height: int | None, width: int | None) -> Any:
        x = keras.Input((height, width, 1))
        skips, y = [], x
        for _ in range(2):
            skips.append(y)
            y = layers.MaxPooling2D(2)(y)
        for skip in reversed(skips):
            y = layers.Conv2DTranspose(1, 3, strides=2, padding="same")(y)
            y = layers.Concatenate()([y, skip])
        return keras.Model(x, y)

    path = tmp_path / "net.keras"
    built(None, None).save(path)
    name = open_model(str(path), ReadOptions()).inputs[0].name
    axis = one(audited(path, name, 1, H, W, 1), "H")
    assert axis.runs is not None
    for size in (*range(4, 21), 223, 224, 226):
        try:
            fitting = built(size, 16).output_shape[1] == size
        except ValueError:
            fitting = False
        assert fitting is (size in axis.runs), size
