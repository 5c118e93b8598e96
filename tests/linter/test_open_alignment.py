"""What slices do to places at open sizes: what fixed sizes show is told of open ones too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.support import shared_folder
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like, symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context
from upconv.linter.rules.alignment import misaligned_merge, output_not_on_input
from upconv.linter.rules.sizes import fragile_input_size

F: Any = nn.functional
H, W = symbol("H"), symbol("W")
OPEN = ReadOptions(inputs={"x": (1, 3, H, W)})
INPUT = like("x", 2)
MORE = like("u", 2) - INPUT
"""How much longer the decoder's map is: by 2 pixels, and by 1 where the input is odd."""

CUTS: dict[str, tuple[ops.Operator, str]] = {
    "a number": (ops.Pad((0, 0, -2), (0, 0, 0)), "+1"),
    "pad by less than nothing": (ops.Pad((0, 0, -MORE), (0, 0, 0)), "+1"),
    "from a place": (ops.StridedSlice(2, MORE, INPUT, 1), "+1"),
    "to the middle": (ops.StridedSlice(2, MORE // 2, INPUT, 1), ""),
    "at the begin": (ops.StridedSlice(2, 0, INPUT, 1), "-1"),
    "no more than there is": (ops.Pad((0, 0, -1), (0, 0, 1 - MORE)), ""),
}


def decoder(cut: ops.Operator, size: Size) -> Model:
    """Strided by 2 and up again: pixel 0 of the input lies at pixel 1 of what is then cut."""
    layers = (
        Layer("down", ops.Conv(3, (2,), (2,), (1,), (0,), (0,)), ("x",), ("d",)),
        Layer("up", ops.ConvTranspose(3, (4,), (2,), (1,), (0,), (0,), (0,)), ("d",), ("u",)),
        Layer("cut", cut, ("u", "x"), ("c",)),
        Layer("add", ops.Eltwise("sum"), ("x", "c"), ("y",)),
    )
    return Model("net", "", "", (ModelInput("x", (1, 3, size)),), ("y",), layers)


def merges(model: Model) -> list[str]:
    """What is said of the first case, in which the input's size is even."""
    hits = misaligned_merge(Context("a", None, model))
    return [one.message.partition(" (with")[0] for one in hits if " 65 pixels" not in one.message]


@pytest.mark.parametrize("name", CUTS)
def test_open_sizes_show_what_fixed_ones_show(name: str) -> None:
    cut, shift = CUTS[name]
    said = f"the branches are misaligned: pixel i of 'c' lies at i{shift} of 'x'"
    assert merges(decoder(cut, 64)) == merges(decoder(cut, W)) == ([said] if shift else [])


def test_what_only_odd_sizes_show_is_told_of_them() -> None:
    (hit,) = misaligned_merge(Context("a", None, decoder(CUTS["to the middle"][0], W)))
    assert "lies at i-1 of 'x' (with an input of 65 pixels" in hit.message
    assert hit.severity == "info"


class Decoder(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 3, 2, 2)
        self.up = nn.ConvTranspose2d(3, 3, 4, 2)


class CutAtTwo(Decoder):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.up(self.down(x))
        return h[:, :, 2 : 2 + x.size(2), 2 : 2 + x.size(3)]


class FromTheEnd(Decoder):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(x))[:, :, -x.size(2) :, -x.size(3) :]


class Narrowed(Decoder):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(x)).narrow(2, 2, x.size(2)).narrow(3, 2, x.size(3))


class PaddedToSize(Decoder):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.up(self.down(x))
        return F.pad(h, [x.size(3) - h.size(3), 0, x.size(2) - h.size(2), 0])


def outputs(path: Path, options: ReadOptions) -> list[str]:
    model = open_model(str(path), options)
    return [hit.message for hit in output_not_on_input(Context("a", None, model))]


@pytest.mark.parametrize("net", [CutAtTwo, FromTheEnd, Narrowed, PaddedToSize])
def test_programs_of_open_sizes(net: type[Decoder], tmp_path: Path) -> None:
    module, x = net().eval(), torch.zeros(1, 3, 32, 48)
    traced, scripted, exported = (tmp_path / name for name in ("t.pt", "s.pt", "e.pt2"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, x).save(str(traced))
        torch.jit.script(module).save(str(scripted))
    if net is CutAtTwo:
        auto = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
        torch.export.save(torch.export.export(module, (x,), dynamic_shapes=(auto,)), str(exported))
    found = [outputs(traced, ReadOptions()), outputs(traced, OPEN), outputs(scripted, OPEN)]
    found += [outputs(exported, ReadOptions())] if exported.exists() else []
    for said in found:
        assert len(said) == 1
        assert "its pixel 0 lies at pixel 1 of 'x'" in said[0]


def test_a_slice_of_an_onnx_file_with_an_open_end(tmp_path: Path) -> None:
    make, numbers = onnx.helper, onnx.numpy_helper
    weights = {"w": np.ones((3, 3, 4)), "v": np.ones((3, 3, 2))}
    ints = {"begin": [2], "end": [2**62], "axes": [2]}
    kept = [numbers.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
    kept += [numbers.from_array(np.asarray(v, np.int64), k) for k, v in ints.items()]
    nodes = [
        make.make_node("Conv", ["x", "v"], ["d"], strides=[2]),
        make.make_node("ConvTranspose", ["d", "w"], ["u"], strides=[2]),
        make.make_node("Slice", ["u", "begin", "end", "axes"], ["c"]),
        make.make_node("Add", ["x", "c"], ["y"]),
    ]
    values = [make.make_tensor_value_info(n, 1, (1, 3, "W")) for n in "xy"]
    graph = make.make_graph(nodes, "net", values[:1], values[1:], kept)
    opset = [make.make_opsetid("", 18)]
    (tmp_path / "a.onnx").write_bytes(
        make.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )
    said = merges(open_model(str(tmp_path / "a.onnx"), ReadOptions()))
    assert said == ["the branches are misaligned: pixel i of 'c' lies at i+1 of 'x'"]


class OnlySquares(Decoder):
    """Its width is cut by what its height is too long."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.up(self.down(x))
        more = (h.size(2) - x.size(2)) // 2
        other = (h.size(3) - x.size(2)) // 2
        h = h[:, :, more : h.size(2) - more, other : h.size(3) - other]
        return torch.cat([x, h], 1)


class AsWide(Decoder):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.up(self.down(x)).transpose(2, 3)[:, :, 1:-1, 1:-1]


@pytest.mark.parametrize("net", [OnlySquares, AsWide])
def test_a_net_that_runs_for_squares_only(net: type[Decoder], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net().eval()).save(str(tmp_path / "a.pt"))
    model = open_model(str(tmp_path / "a.pt"), OPEN)
    said = [hit.message for hit in fragile_input_size(Context("a", None, model))]
    assert any("only those with W == H fit" in one for one in said)
    for sides, runs in (((64, 64), True), ((64, 66), False)):
        fits = True
        try:
            net().eval()(torch.zeros(1, 3, *sides))
        except RuntimeError:
            fits = False
        assert fits is runs


@pytest.mark.parametrize(
    ("name", "rule", "text"),
    [
        ("crop2_open_trace", output_not_on_input, "its pixel 0 lies at pixel 1 of 'x'"),
        ("square_only_trace", fragile_input_size, "only those with W == H fit"),
    ],
)
def test_shared_files(name: str, rule: Any, text: str) -> None:
    path = shared_folder() / "cases" / "alignment" / f"{name}.pt"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    hits = rule(Context("a", None, open_model(str(path), OPEN)))
    assert any(text in hit.message for hit in hits)
