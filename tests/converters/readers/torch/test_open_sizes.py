"""One file serves every size: programs of open height and width are what PyTorch computes at three
sizes each, or they are refused when they are converted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.converters.readers.torch.script.nets import KINDS
from tests.converters.readers.torch.support import TOLERANCE, run
from tests.support import shared_folder
from upconv.converters.ir.dims import Size, evaluate, leaves, symbol
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

F: Any = nn.functional
H, W = symbol("H"), symbol("W")
AUTO = torch.export.Dim.AUTO
SIZES = ((12, 17), (16, 16), (21, 14))


class Head(nn.Module):  # type: ignore[misc]
    """What all of these have: a convolution in front, and layers to choose from."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 1, 1)
        self.down = nn.Conv2d(4, 4, 2, 2)
        self.up = nn.ConvTranspose2d(4, 4, 4, 2)
        self.to_three = nn.Conv2d(4, 12, 1)
        self.wide = nn.Linear(8, 4)
        self.register_buffer("token", torch.linspace(-1, 1, 4).reshape(1, 1, 4))


class Readout(Head):
    """A token beside those of the pixels, joined with each of them; a resize to the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.down(self.first(x))
        n, c, h, w = y.shape
        t = torch.cat((self.token.expand(n, -1, -1), y.flatten(2).transpose(1, 2)), 1)
        rest = t[:, 1:]
        t = self.wide(torch.cat((rest, t[:, 0].unsqueeze(1).expand_as(rest)), -1))
        y = t.transpose(1, 2).reshape(n, c, h, w)
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True).squeeze(1)


class Rows(Head):
    """Rows cut one by one: repeated, squeezed, taken away."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        y = y[:, :, 1:] - y[:, :, :-1]
        middle = y.size(2) // 2
        y = torch.cat([y, y[:, :, -1:].expand(-1, -1, 2, -1)], 2)
        y = y + y[:, :, :1].squeeze(2).unsqueeze(2)
        return y * y[:, :, middle : middle + 1].expand_as(y)


class FromTheEnd(Head):
    """Begins that are negative at every size, and at some."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.up(self.down(self.first(x)))
        begin = (x.size(3) - x.size(2)) // 4
        y = y[:, :, -x.size(2) :, -x.size(3) + 2 :]
        return y[:, :, -3:] * x[:, :1, begin:][:, :, :1, :1] + y.narrow(2, -2, 1)


class ToTheMiddle(Head):
    """A skip that is cut to the middle, by less than nothing at odd sizes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = self.first(x)
        y = self.up(self.down(skip))
        for axis in (2, 3):
            begin = (y.size(axis) - skip.size(axis)) // 2
            y = y.narrow(axis, begin, skip.size(axis))
        return torch.cat([skip, y], 1)


class Windows(Head):
    """Padded to whole windows, attention within each, and cut to size again."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[2:]
        y = self.first(F.pad(x, (0, 4 - w % 4, 0, (4 - h % 4) % 4), "reflect"))
        n, c, rows, columns = y.shape
        q = self.to_three(y).view(n, 3, c, rows // 4, 4, columns // 4, 4)
        q, k, v = q.permute(1, 0, 3, 5, 4, 6, 2).reshape(3, -1, 16, c).unbind(0)
        y = torch.softmax(q @ k.transpose(-2, -1), -1) @ v
        y = y.view(n, rows // 4, columns // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4)
        return y.reshape(n, c, rows, columns)[:, :, :h, :w]


class InPlace(Head):
    """Dropout that does nothing gives its own input, which is then changed in place."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        z = F.dropout(y, 0.5, self.training)
        z.relu_()
        return self.down(y) + self.down(z * 2)


class Joined(Head):
    """A stored tensor joined with itself and tiled before it is a weight."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = self.wide(torch.cat([self.token[0], self.token[0] * 0.5], -1).repeat(2, 1))
        return self.first(x) + bias[:1].unsqueeze(2).unsqueeze(3)


NETS = (Readout, Rows, FromTheEnd, ToTheMiddle, Windows, InPlace, Joined)


def noise(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape, np.float32))


def require_equal(program: Any, model: Model, path: Path, feeds: list[Any]) -> None:
    assert not model.notices, [str(notice.error) for notice in model.notices]
    write_onnx(model, path)
    for x in feeds:
        with torch.no_grad():
            want = program(x).numpy()
        (got,) = run(path, [x])
        assert got.shape == want.shape, x.shape
        limit = TOLERANCE * float(np.abs(want).max())
        np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=str(x.shape))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("kind", ["traced", "scripted"])
def test_torchscript(net: type[Head], kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, path = net().eval(), tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KINDS[kind](module, noise(1, 3, *SIZES[0])).save(str(path))
        program = torch.jit.load(str(path))
    model = open_model(str(path), ReadOptions(inputs={"x": (2, 3, H, W)}))
    require_equal(program, model, tmp_path / "net.onnx", [noise(2, 3, *size) for size in SIZES])


@pytest.mark.parametrize("net", [FromTheEnd, Readout])
def test_exported(net: type[Head], tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "net.pt2"
    shapes = ({2: AUTO, 3: AUTO},)
    example = (noise(2, 3, 20, 28),)
    torch.export.save(torch.export.export(net().eval(), example, dynamic_shapes=shapes), str(path))
    feeds = [noise(2, 3, *size) for size in ((20, 28), (24, 30), (22, 26))]
    program = torch.export.load(str(path)).module()
    require_equal(program, open_model(str(path), ReadOptions()), tmp_path / "net.onnx", feeds)


@pytest.mark.parametrize("side", ["2*h", "4*h"])
def test_sizes_that_are_multiples_of_a_letter(side: str, tmp_path: Path) -> None:
    """An input's axis is 2*h long: h itself, which a view and a normalisation ask for, is none."""

    class Net(Head):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.down(self.first(x))
            n, c, h, w = y.shape
            y = F.instance_norm(y.flatten(2).transpose(1, 2).transpose(1, 2).view(n, c, h, w))
            return F.interpolate(y, scale_factor=2.0) + self.first(x)

    times, path = int(side[0]), tmp_path / "net.pt2"
    dims = {2: times * torch.export.Dim("h", min=2), 3: times * torch.export.Dim("w", min=2)}
    example = (noise(1, 3, 24, 32),)
    exported = torch.export.export(Net().eval(), example, dynamic_shapes=(dims,))
    torch.export.save(exported, str(path))
    feeds = [noise(1, 3, *size) for size in ((24, 32), (8, 20), (40, 16))]
    model = open_model(str(path), ReadOptions())
    require_equal(exported.module(), model, tmp_path / "net.onnx", feeds)


CASES = {
    "models/derived_dim_instance_norm.pt2": "",
    "models/dropout_inplace.pt": "input",
    "models/open_expand_cat.pt": "x",
    "models/open_slice_squeeze.pt": "x",
    "models/refused_bool_mask_const.pt2": "",
    "models/refused_embedding_const.pt2": "",
    "models/refused_grid_sample.pt2": "",
    "models/refused_meshgrid.pt2": "",
    "models/refused_sin_cos.pt2": "",
    "models/refused_step_slice_axis1.pt2": "",
    "models/refused_tensor_unfold.pt2": "",
    "models/refused_where.pt2": "",
    "models/trace_const_cat.pt": "x",
    "models/trace_pad_modulo.pt": "x",
    "refused/derived_dims_view.pt2": "",
}
"""Files that were refused, or differed at another size; the name of a TorchScript's input."""


@pytest.mark.parametrize("name", CASES)
def test_shared_files(name: str, tmp_path: Path) -> None:
    path = shared_folder() / "cases" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    opened: dict[str, tuple[Size, ...]] = {CASES[name]: (2, 3, H, W)} if CASES[name] else {}
    model = open_model(str(path), ReadOptions(inputs=opened))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load = torch.jit.load if opened else lambda file: torch.export.load(file).module()
        program = load(str(path))
    (entry,) = model.inputs
    assert entry.shape is not None
    letters = {str(leaf) for size in entry.shape for leaf in leaves(size)}
    feeds = []
    for side in (3, 5, 11):
        at = {name: 4 * side + 3 * index for index, name in enumerate(sorted(letters))}
        feeds.append(noise(*(evaluate(size, at) for size in entry.shape)))
    require_equal(program, model, tmp_path / "net.onnx", feeds)
