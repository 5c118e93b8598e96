"""Layers for images, given values of any number of axes: findings, and no failure of ours."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import upconv
from upconv.converters.ir.errors import UpconvError
from upconv.linter.running.engine import check_path

LAYERS = (
    "type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 stride: 2 }",
    "type: 'Convolution' convolution_param { num_output: 2 kernel_size: [3, 3, 3] }",
    "type: 'Deconvolution' convolution_param { num_output: 8 group: 8 kernel_size: 4 stride: 2"
    " pad: 1 bias_term: false weight_filler { type: 'bilinear' } }",
    "type: 'Pooling' pooling_param { pool: MAX kernel_size: 3 stride: 2 }",
    "type: 'Pooling' pooling_param { pool: AVE global_pooling: true }",
    "type: 'Upsample' upsample_param { scale: 2 }",
    "type: 'Upsample' bottom: 'b' upsample_param { scale: 2 }",
    "type: 'Unpooling' unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_size: 15 }",
    "type: 'Unpooling' unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 15 }",
    "type: 'Interp' interp_param { height: 10 width: 12 }",
    "type: 'Interp' interp_param { zoom_factor: 2 }",
    "type: 'LRN' lrn_param { local_size: 5 }",
    "type: 'Crop' bottom: 'b' crop_param { axis: 2 offset: 1 }",
    "type: 'Crop' bottom: 'b'",
    "type: 'Eltwise' bottom: 'b'",
    "type: 'Concat' bottom: 'b'",
    "type: 'BatchNorm'",
    "type: 'InnerProduct' inner_product_param { num_output: 3 }",
    "type: 'Reorg' reorg_param { stride: 2 }",
)


def _input(name: str, sizes: tuple[int, ...]) -> str:
    dims = " ".join(f"dim: {size}" for size in sizes)
    shape = f"input_param {{ shape {{ {dims} }} }}"
    return f"layer {{ name: '{name}' type: 'Input' top: '{name}' {shape} }}\n"


@pytest.mark.parametrize("second", [LAYERS[2], LAYERS[7]], ids=["transposed", "tiles"])
@pytest.mark.parametrize("axes", range(7))
def test_no_rule_fails_and_no_audit_does(axes: int, second: str, tmp_path: Path) -> None:
    head = _input("a", (1, 8, 7, 9, 5, 3)[:axes]) + _input("b", (1, 8, 4, 6)[: max(axes - 2, 1)])
    for first in LAYERS:
        path = tmp_path / "net.prototxt"
        path.write_text(
            f"{head}layer {{ name: 'x' bottom: 'a' top: 'x' {first} }}\n"
            f"layer {{ name: 'y' bottom: 'x' top: 'y' {second} }}\n"
        )
        crashed = [one.message for one in check_path(str(path)).findings if one.code == "UP006"]
        assert not crashed, first
        with suppress(UpconvError):
            upconv.audit(str(path))
