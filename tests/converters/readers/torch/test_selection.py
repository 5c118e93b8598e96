"""Entries repeated, picked and joined, against PyTorch: exported, and traced to TorchScript."""

from __future__ import annotations

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
MANY = tuple((7 * n + 3) % 40 for n in range(40))

FUNCTIONS: dict[str, Any] = {
    "rows": lambda m, x: x.repeat_interleave(2, dim=2),
    "both": lambda m, x: x.repeat_interleave(3, dim=-1).repeat_interleave(2, dim=-2),
    "channels": lambda m, x: x.repeat_interleave(2, dim=1),
    "batch": lambda m, x: x.repeat_interleave(2, dim=0),
    "flat": lambda m, x: x.repeat_interleave(2),
    "few axes": lambda m, x: x.mean((2, 3)).repeat_interleave(3, dim=1),
    "volume": lambda m, x: x.unsqueeze(2).repeat_interleave(2, dim=2),
    "swapped channels": lambda m, x: x[:, [2, 1, 0]],
    "runs": lambda m, x: x[:, [4, 5, 0, 1, 1, -1]] * 2,
    "index_select": lambda m, x: x.index_select(1, m.index),
    "many": lambda m, x: torch.cat([x] * 7, 1)[:, list(MANY)],
    "of a constant": lambda m, x: x * m.table.index_select(1, m.index).mean(),
    "of a constant's rows": lambda m, x: x * m.table[:, [1, 1, 4]].mean(1).sum(),
    "scalar": lambda m, x: x.mean().repeat_interleave(3) + torch.linalg.norm(x.mean()),
    "beside infinity": lambda m, x: x.clamp(min=0).log()[:, list(range(5, -1, -1))].exp(),
    "hstack": lambda m, x: torch.hstack([x, x * 2]),
    "vstack": lambda m, x: torch.vstack([x, x * 2]),
    "dstack": lambda m, x: torch.dstack([x, x * 2]),
    "stacked vectors": lambda m, x: torch.vstack([x[0, 0, 0], x[0, 1, 0]]),
    "stacked columns": lambda m, x: torch.column_stack([x[0, 0, 0], x[0, 1, 0]]),
    "stacked in depth": lambda m, x: torch.dstack([x[0, 0, 0], x[0, 1, 0]]),
    "swapaxes": lambda m, x: x.swapaxes(1, -1) + x.swapdims(3, 1),
    "erf": lambda m, x: torch.erf(x),
    "softshrink": lambda m, x: F.softshrink(x, 0.3),
    "constants": lambda m, x: x.sum() * torch.eye(3, 4) + torch.linspace(-1, 2, 4),
}
FIXED: dict[str, Any] = {
    "of whole numbers": lambda m, x: x.index_select(3, 2 * torch.linspace(0, 5, 9).long()),
    "like": lambda m, x: torch.zeros_like(x) + torch.full_like(x, 2.5) * x,
    "whole constants": lambda m, x: (
        x * torch.linspace(0, 7, 11, dtype=torch.int64)
        + x.new_full((11,), 2.7, dtype=torch.int64)
        + torch.full_like(x, -2.7, dtype=torch.int64)
    ),
    "new": lambda m, x: x.new_full((6, 1, 1), 3.0) * x + x.new_ones(11),
}


def function(call: Any) -> Function:
    index = torch.tensor([3, 0, 0, 5])
    return Function(call, index=index, table=values(2, 6, seed=3))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exported(name: str, tmp_path: Path) -> None:
    compare(function(FUNCTIONS[name]), IMAGE, tmp_path, OPEN, OTHERS)


@pytest.mark.parametrize("name", FIXED)
def test_exported_with_fixed_sizes(name: str, tmp_path: Path) -> None:
    compare(function(FIXED[name]), IMAGE, tmp_path)


@pytest.mark.parametrize("name", FUNCTIONS | FIXED)
def test_traced(name: str, tmp_path: Path) -> None:
    module, shape = function((FUNCTIONS | FIXED)[name]).eval(), tuple(IMAGE[0].shape)
    path = saved(module, "traced", IMAGE[0], tmp_path / "net.pt")
    equal(module, converted(path, {"x": shape}, tmp_path), [shape])


def test_repeated_pixels_are_an_upsampling() -> None:
    model = model_of(function(FUNCTIONS["both"]), IMAGE, OPEN)
    resizes = [one.operator for one in model.layers if isinstance(one.operator, ops.Resize)]
    assert [one.factor for one in resizes] == [(1, 3), (2, 1)]
    assert {one.mode for one in resizes} == {"nearest"}


MASK = torch.tensor([True, False, True, False, True, False])
REFUSED: dict[str, Any] = {
    "by truth values": lambda m, x: x[:, m.mask],
    "truth values": lambda m, x: x * m.table[:, m.mask].sum(),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_choices(reason: str) -> None:
    module = Function(REFUSED[reason], mask=MASK, table=values(2, 6, seed=3))
    model = model_of(module, IMAGE)
    assert any(reason in str(notice.error) for notice in model.notices), model.notices
