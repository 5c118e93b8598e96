"""Comparisons, choices, rounding, sampling, counts and strides, against PyTorch: exported with open
sizes, and traced."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.converters.readers.torch.script.support import converted, equal, saved
from tests.converters.readers.torch.support import AUTO, Function, compare, model_of, values
from upconv.converters.ir import operators as ops

F: Any = nn.functional
OPEN = ({0: AUTO, 2: AUTO, 3: AUTO},)
IMAGE = (values(2, 6, 9, 11),)
OTHERS = ((values(3, 6, 8, 14, seed=1),), (values(1, 6, 13, 10, seed=2),))


def places(x: Any) -> Any:
    """A grid that the network computes of its own values and sizes."""
    height, width = x.shape[2:]
    rows = torch.arange(height) / (height - 1) * 2 - 1
    columns = torch.arange(width) / (width - 1) * 2 - 1
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    return grid + 0.3 * torch.tanh(x[:, :2].permute(0, 2, 3, 1))


def mesh(height: Any, width: Any) -> Any:
    return torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")


def few(x: Any) -> Any:
    """Whole numbers from 0 to 6 that the network computes."""
    return (x.abs() * 2).long().clamp(max=6)


TRUTHS: dict[str, Any] = {
    "where": lambda x: torch.where(x > 0, x, 2 * x),
    "where numbers": lambda x: torch.where(x.abs() <= 0.5, 1.0, x) + torch.where(x < 0, x, -0.25),
    "where broadcast": lambda x: torch.where(x[:, :1] >= x.mean(), x, x[:1, :, :1]),
    "relations": lambda x: (
        (x == x.round()).float()
        + 2 * (x != x[:, :1]).float()
        + 4 * (x < x[:, 1:2]).float()
        + 8 * (x >= 0.3).float()
        + 16 * x.gt(-x).float()
    ),
    "a tenth": lambda x: torch.where(x > 0, 0.1, x).gt(0.1).float() + x,
    "both": lambda x: ((x > 0) & (x < 1) | (x < -1)).float() * x,
    "logical": lambda x: (
        torch.logical_xor(x > 0, x.round()).float() + torch.logical_not(x > 1).float()
    ),
    "not": lambda x: (~(x > 0)).float() + (x.round().bool() ^ (x > 0)).int().float(),
    "sums of truth": lambda x: ((x > 0) + (x > 1)).float() * x,
    "masked": lambda x: x.masked_fill(x > 1, -2.0) + x.exp().masked_fill_(x < 0, 0.5),
    "attention": lambda x: F.scaled_dot_product_attention(
        x.mT[..., :5],
        x.mT[..., :5],
        x.mT[..., :5],
        attn_mask=(x.mT[:, :1, :, :1] > -9) & (x[:, :1, :1, :] > -9),
    ),
    "causal rows": lambda x: (
        x.flatten(2)[:, :, :6].masked_fill(torch.ones(6, 6).triu(1).bool(), -inf).softmax(-1)
    ),
    "no numbers": lambda x: torch.isnan(x.log()).float() + x,
    "clamped": lambda x: x.clamp(min=x[:, :1], max=x[:, :1] + 1) + x.clamp(max=x[:1] * 2),
}

ROUNDED: dict[str, Any] = {
    "round": lambda x: (4 * x).round() / 4 + x.round(decimals=1),
    "floor and ceil": lambda x: (3 * x).floor() + (3 * x).ceil() + (3 * x).trunc(),
    "sign": lambda x: x.sign() * x.round().sign(),
    "waves": lambda x: torch.sin(30 * x) + torch.cos(x),
    "rests": lambda x: x % 0.75 + torch.fmod(x, -0.3) + torch.remainder(2.0, x.abs() + 1) - x % -2,
    "rests of tensors": lambda x: (
        torch.remainder(4 * x, x[:, :1].abs() + 0.5) + x.fmod(x[:, 1:2] - 7)
    ),
    "quotients": lambda x: x // 0.5 + torch.div(x, 0.3, rounding_mode="trunc"),
    "powers": lambda x: 2.0**x + x.abs() ** x[:, :1] + x.abs().pow(1.3) + torch.exp2(x),
    "whole numbers": lambda x: (5 * x).long().float() + (x > 0).long().bool().float(),
}

COUNTED: dict[str, Any] = {
    "arange": lambda x: x + torch.arange(x.shape[3]) + 0.1 * torch.arange(x.shape[2])[:, None],
    "arange of steps": lambda x: x + torch.arange(3, 3 + 2 * x.shape[3], 2) * x.shape[2],
    "arange of fractions": lambda x: x * torch.arange(0.5, x.shape[3], 1.0),
    "mesh": lambda x: x * sum(mesh(x.shape[2], x.shape[3])),
    "stored mesh": lambda x: x[..., :3, :4] * torch.stack(
        torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    ).sum(0),
    "filled": lambda x: x + torch.zeros(x.shape[2], 1) + x.new_full((x.shape[3],), 2.5)
    + torch.ones_like(x),
    "sizes": lambda x: x * x.shape[2] / (x.shape[3] - 1) + x.shape[0],
    "sums so far": lambda x: x.cumsum(1) + x.cumsum(-1),
    "spread of open sizes": lambda x: x.std((2, 3), keepdim=True) + x.var((1, 2), keepdim=True) + x,
}  # fmt: skip

MOVED: dict[str, Any] = {
    "every second channel": lambda x: x[:, ::2] + x[:, 1::2],
    "every second of the first axis": lambda x: x.permute(2, 0, 1, 3)[::2] * 2,
    "patches": lambda x: torch.cat([x[:, :, i:8:2, j:8:2] for i in (0, 1) for j in (0, 1)], 1),
    "patches, channels last": lambda x: x.permute(0, 2, 3, 1)[:, 1::2, ::2, :] * 2,
    "every third of a part": lambda x: x[..., 1:-2:3] * 2,
    "flip": lambda x: x.flip(3) + x.flip((1, 2)),
    "windows": lambda x: x.unfold(2, 3, 2).sum(-1) + x.unfold(2, 3, 2).amax(-1),
    "windows of both": lambda x: x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).mean(-1),
}

PICKED: dict[str, Any] = {
    "embedding": lambda m, x: m.part(few(x[:, :, 0, 0])).sum(1)[..., None, None] * x[:, :1],
    "stored": lambda m, x: x[..., :4] * m.part(torch.tensor([[0, 3], [6, 1]])).mean((0, 1)),
    "table computed": lambda m, x: F.embedding(few(x[:, 0, 0, :3]), x[0, :, :7].mT[0]).mean() * x,
    "computed": lambda m, x: x[:, x[0, :3, 0, 0].abs().long()],
    "computed rows": lambda m, x: x.index_select(2, (x[0, 0, 0, :4].abs() * 2).long()),
    "a table of numbers": lambda m, x: x[:, torch.tensor([[0, 1, 5], [2, -1, 3]])].sum(2),
    "of an open axis": lambda m, x: x[:, :, [0, 3, 1, 1]],
    "together": lambda m, x: x.flatten(2)[:, :, :6][:, m.left, m.right],
}

SAMPLED: dict[str, Any] = {
    "bilinear": lambda x: F.grid_sample(x, places(x), align_corners=True),
    "bicubic": lambda x: F.grid_sample(x, places(x), "bicubic", "border", align_corners=False),
    "reflection": lambda x: F.grid_sample(x, 2 * places(x), "bilinear", "reflection", False),
}

SUMS: dict[str, Any] = {
    "a letter of one tensor": lambda x: torch.einsum("bchw,bcqk->bhq", x, x[:, :, :3, :2]),
    "one tensor": lambda x: torch.einsum("bchw->wb", x) + torch.einsum("bchw->", x),
    "three tensors": lambda x: torch.einsum("bchw,bdhw,bd->bcd", x, x[:, :2], x[:, :2, 0, 0]),
    "dots": lambda x: torch.einsum("...ij,...kj->...ik", x, x[:, :, :4]),
    "implicit": lambda x: torch.einsum("bhc, ac", x[:, 0], x[0, 1, :4]),
    "outer": lambda x: torch.einsum("i,j->ij", x[0, 0, 0], x[0, 0, :, 0]),
    "distances": lambda x: torch.cdist(x[:, 0], x[:, 1]) + torch.cdist(x[:, 0], x[:, 1], p=1.0),
}

FIXED = ("three tensors",)
"""Of which torch.export fixes the sizes."""

ALL = TRUTHS | ROUNDED | COUNTED | MOVED | SAMPLED | SUMS


def with_parts(function: Any) -> Function:
    part = nn.Embedding(7, 4)
    left, right = torch.tensor([[0, 5], [3, 3]]), torch.tensor([[1], [-1]])
    return Function(function, part=part, left=left, right=right)


@pytest.mark.parametrize("name", ALL)
def test_exported_with_open_sizes(name: str, tmp_path: Path) -> None:
    module = Function(lambda m, x: ALL[name](x))
    if name in FIXED:
        compare(module, IMAGE, tmp_path)
    else:
        compare(module, IMAGE, tmp_path, OPEN, OTHERS)


@pytest.mark.parametrize("name", PICKED)
def test_picked(name: str, tmp_path: Path) -> None:
    module = with_parts(PICKED[name])
    others = OTHERS if name != "together" else ()
    compare(module, IMAGE, tmp_path, OPEN if others else None, others)


@pytest.mark.parametrize("name", PICKED | ALL)
def test_traced(name: str, tmp_path: Path) -> None:
    function = PICKED.get(name) or (lambda m, x: ALL[name](x))
    module, shape = with_parts(function).eval(), tuple(IMAGE[0].shape)
    path = saved(module, "traced", IMAGE[0], tmp_path / "net.pt")
    equal(module, converted(path, {"x": shape}, tmp_path), [shape])


def test_an_affine_grid_of_fixed_sizes(tmp_path: Path) -> None:
    def turned(m: Any, x: Any) -> Any:
        theta = torch.tanh(x[:, :6, 0, 0]).reshape(-1, 2, 3)
        grids = [F.affine_grid(theta, [2, 6, 5, 7], one) for one in (True, False)]
        return [F.grid_sample(x, grid, align_corners=True) for grid in grids]

    compare(Function(turned), IMAGE, tmp_path)


@pytest.mark.parametrize("size", [(3, 4, 5), (1, 6, 2)])
def test_sampling_of_a_volume(size: tuple[int, ...], tmp_path: Path) -> None:
    """ONNX has it from opset 20 on."""
    from upconv.converters.onnx_writer import WriteOptions, write_onnx
    from upconv.converters.proof.verify import verify

    grid = values(1, 2, 3, 4, 3, seed=4)
    module = Function(lambda m, x: F.grid_sample(x, m.grid, align_corners=False), grid=grid)
    model = model_of(module, (values(1, 2, *size),))
    write_onnx(model, tmp_path / "net.onnx", WriteOptions(opset=20))
    assert verify(model, str(tmp_path / "net.onnx")).verdict == "pass"


def test_picked_entries_are_one_layer() -> None:
    """They were a Crop for each run of entries, and an axis read backwards was a matrix."""
    turned = model_of(Function(lambda m, x: x[:, [5, 3, 1, 0]] + x.flip(1)[:, :4]), IMAGE, OPEN)
    kinds = [type(layer.operator) for layer in turned.layers]
    assert kinds.count(ops.Gather) == 1
    assert kinds.count(ops.StridedSlice) == 1
    assert ops.Linear not in kinds


REFUSED: dict[str, Any] = {
    "on the bits of whole numbers": lambda m, x: x.long() & x[:, :1].long(),
    "compares whole numbers with": lambda m, x: x * (x.long() > 2**30),
    "from the end of an axis of open size": lambda m, x: x[:, :, [0, -1]],
    "by numbers or of sizes that are not fixed": lambda m, x: x[:, :, m.left, m.right],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(reason: str) -> None:
    model = model_of(with_parts(REFUSED[reason]), IMAGE, OPEN)
    assert any(reason in str(notice.error) for notice in model.notices), model.notices
