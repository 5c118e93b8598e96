"""Matrix products, attention, patches, stored tensors as values, and outputs of whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.converters.readers.torch.support import (
    AUTO,
    Function,
    compare,
    flat,
    model_of,
    run,
    values,
)
from upconv.converters.ir import operators as ops
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify

F: Any = torch.nn.functional
OPEN = ({0: AUTO, 2: AUTO, 3: AUTO},)
IMAGE = (values(2, 6, 9, 11),)
OTHERS = ((values(3, 6, 8, 14, seed=1),), (values(1, 6, 13, 10, seed=2),))
TABLE = torch.arange(12).reshape(3, 4) % 5


def tokens(x: Any) -> Any:
    return x.flatten(2).transpose(1, 2)


def heads(x: Any) -> Any:
    """(N, C, H, W) as (N, heads, pixels, C/heads)."""
    return x.reshape(x.shape[0], 2, 3, -1).transpose(2, 3)


PRODUCTS: dict[str, Any] = {
    "of two values": lambda m, x: torch.matmul(tokens(x), tokens(x).transpose(1, 2)),
    "bmm": lambda m, x: torch.bmm(x.flatten(2).softmax(2), tokens(x)),
    "of more axes": lambda m, x: m.table @ x,
    "sum and product": lambda m, x: torch.baddbmm(m.row, x[:, 0], x[:, 1].mT, beta=0.5, alpha=2),
    "attention": lambda m, x: F.scaled_dot_product_attention(heads(x), heads(x) * 2, heads(x)),
    "scale and mask": lambda m, x: F.scaled_dot_product_attention(
        x, x + 1, x, attn_mask=x.mean(1, keepdim=True) @ x.mean(1, keepdim=True).mT, scale=0.3
    ),
    "einsum": lambda m, x: torch.einsum("bchw,bkhw->bck", x, x[:, :4]),
    "einsum of every kind": lambda m, x: torch.einsum("bchw,bdhw->bhcdw", x, x[:, :2]),
    "einsum in order": lambda m, x: torch.einsum("bij,bjk->bik", x[:, 0], x[:, 1].mT),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str, tmp_path: Path) -> None:
    parts = {"table": values(4, 2, 1, 5, 9, seed=3), "row": values(9, seed=4)}
    fixed = name == "of more axes"
    module = Function(PRODUCTS[name], **parts)
    if fixed:
        compare(module, IMAGE, tmp_path)
    else:
        square = name == "sum and product"
        others = ((values(3, 6, 9, 5),),) if square else OTHERS
        compare(module, IMAGE, tmp_path, ({0: AUTO, 3: AUTO},) if square else OPEN, others)


def test_causal_attention(tmp_path: Path) -> None:
    module = Function(lambda m, x: F.scaled_dot_product_attention(x, x * 2, x, is_causal=True))
    compare(module, (values(2, 3, 5, 4),), tmp_path)


@pytest.mark.parametrize("settings", [(3, 1, 1, 1), ((2, 3), (2, 1), (1, 2), (2, 3))])
def test_windows_as_columns_and_back(settings: Any, tmp_path: Path) -> None:
    kernel, dilation, padding, stride = settings

    def both(m: Any, x: Any) -> Any:
        columns = F.unfold(x, kernel, dilation, padding, stride)
        return columns * 1, F.fold(columns, (9, 11), kernel, dilation, padding, stride)

    compare(Function(both), IMAGE, tmp_path)
    open_sizes = Function(lambda m, x: F.unfold(x, kernel, dilation, padding, stride))
    compare(open_sizes, IMAGE, tmp_path, OPEN, OTHERS)


STORED: dict[str, Any] = {
    "joined": lambda m, x: torch.cat([m.token.expand(x.shape[0], -1, -1), tokens(x)], 1),
    "indexed": lambda m, x: x[:, :4].mean(2).unsqueeze(2) * m.token[0, 0][m.index],
    "turned and repeated": lambda m, x: F.conv2d(
        x, m.kernel.flip(2, 3).repeat(6, 1, 1, 1), groups=6
    ),
    "larger than the value": lambda m, x: torch.maximum(x.mean((2, 3), True), m.rows) / m.rows,
    "empty": lambda m, x: torch.cat([torch.empty(x.shape[0], 0, *x.shape[2:]), x], 1) * 2,
}


@pytest.mark.parametrize("name", STORED)
def test_stored_tensors(name: str, tmp_path: Path) -> None:
    parts = {"token": values(1, 1, 6), "index": TABLE[0].clone(), "kernel": values(1, 1, 3, 3)}
    parts["rows"] = values(1, 6, 4, 1) + 9
    dynamic = name not in ("indexed", "turned and repeated")
    fixed = (values(2, 6, 9, 4),)
    compare(
        Function(STORED[name], **parts),
        IMAGE if dynamic else fixed,
        tmp_path,
        OPEN if dynamic else None,
        OTHERS if dynamic else (),
    )


def test_whole_numbers_leave_as_whole_numbers(tmp_path: Path) -> None:
    def places(m: Any, x: Any) -> Any:
        largest, where = x.max(1)
        _, pooled = F.max_pool2d(x, 2, return_indices=True)
        return x.argmax(1), x.argmin(2, keepdim=True), x.argmax(), largest, where, pooled

    module = Function(places)
    model = model_of(module, IMAGE, OPEN)
    assert model.integer_outputs == {
        "output", "output_1", "output_2", "output_4", "output_5"
    }  # fmt: skip
    write_onnx(model, tmp_path / "net.onnx")
    for feeds in (IMAGE, *OTHERS):
        for want, got in zip(flat(module(*feeds)), run(tmp_path / "net.onnx", feeds), strict=True):
            assert got.dtype == want.numpy().dtype
            np.testing.assert_array_equal(got, want.numpy())
    assert verify(model, str(tmp_path / "net.onnx")).verdict == "pass"


def test_products_are_certified(tmp_path: Path) -> None:
    module = Function(lambda m, x: torch.cat([m.token.expand(2, -1, -1), heads(x)[:, 0]], 1) @ m.w)
    module.register_buffer("token", values(1, 1, 3))
    module.register_buffer("w", values(2, 3, 4))
    model = model_of(module, IMAGE)
    assert {ops.Constant, ops.MatMul} <= {type(layer.operator) for layer in model.layers}
    write_onnx(model, tmp_path / "net.onnx")
    assert verify(model, str(tmp_path / "net.onnx")).verdict == "pass"


REFUSED: dict[str, Any] = {
    "multiplies with a vector": lambda x: x @ x[0, 0, 0],
    "heads share keys": lambda x: F.scaled_dot_product_attention(
        x, x[:, :3], x[:, :3], enable_gqa=True
    ),
    "takes a diagonal": lambda x: torch.einsum("bcii,bcij->bcj", x[..., :9], x[..., :9]),
    "is bool, not float32 or int64": lambda x: x > 0,
    "converts float32 to float64": lambda x: x.double().float(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message: str) -> None:
    function = REFUSED[message]
    model = model_of(Function(lambda m, x: function(x)), IMAGE)
    assert any(message in str(notice.error) for notice in model.notices)
