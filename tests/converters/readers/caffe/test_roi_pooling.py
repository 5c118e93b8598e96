"""ROIPooling against its loops as Fast R-CNN's fork of Caffe has them."""

from __future__ import annotations

from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.caffe.lowered import only
from tests.converters.readers.caffe.support import read
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.onnx_writer import write_onnx
from upconv.service.python.calls import convert

ONE = np.float32
HEAD = 'type: "ROIPooling" bottom: "x" bottom: "r" top: "y" roi_pooling_param'


def net(regions: str, height: int, width: int, scale: float) -> str:
    return f"""
    input: "x" input_shape {{ dim: 3 dim: 2 dim: 13 dim: 17 }}
    input: "rois" input_shape {{ {regions} }}
    layer {{ name: "y" type: "ROIPooling" bottom: "x" bottom: "rois" top: "y"
      roi_pooling_param {{ pooled_h: {height} pooled_w: {width} spatial_scale: {scale} }} }}
    """


def c_round(value: Any) -> int:
    """C's round: halves away from zero."""
    return floor(float(value) + 0.5) if value >= 0 else -floor(0.5 - float(value))


def loops(x: Any, rois: Any, height: int, width: int, scale: float) -> Any:
    """roi_pooling_layer.cpp, Forward_cpu, in its own float32."""
    out = np.zeros((len(rois), x.shape[1], height, width), np.float32)
    for n, roi in enumerate(rois):
        left, top, right, bottom = (c_round(ONE(v) * ONE(scale)) for v in roi[1:])
        bin_h = ONE(max(bottom - top + 1, 1)) / ONE(height)
        bin_w = ONE(max(right - left + 1, 1)) / ONE(width)
        for c in range(x.shape[1]):
            for ph in range(height):
                for pw in range(width):
                    ends = (
                        (floor(ONE(ph) * bin_h) + top, x.shape[2]),
                        (floor(ONE(pw) * bin_w) + left, x.shape[3]),
                        (ceil(ONE(ph + 1) * bin_h) + top, x.shape[2]),
                        (ceil(ONE(pw + 1) * bin_w) + left, x.shape[3]),
                    )
                    hs, ws, he, we = (min(max(int(v), 0), size) for v, size in ends)
                    empty = he <= hs or we <= ws
                    out[n, c, ph, pw] = 0 if empty else x[int(roi[0]), c, hs:he, ws:we].max()
    return out


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(7, 7, 0.0625), (3, 5, 0.5), (6, 1, 1.0), (14, 6, 0.3)]
)
@pytest.mark.parametrize("axes", ["dim: 40 dim: 5", "dim: 40 dim: 5 dim: 1 dim: 1"])
def test_regions_inside_and_outside(
    height: int, width: int, scale: float, axes: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(height * 100 + width)
    x = rng.standard_normal((3, 2, 13, 17), np.float32)
    corners = rng.uniform(-4, 22, (40, 4)) / scale
    corners[:20] = np.round(corners[:20] * scale * 2) / (2 * scale)  # halves, and whole bins
    rois = np.column_stack([rng.integers(0, 3, 40), corners]).astype(np.float32)
    found = read(net(axes, height, width, scale))
    write_onnx(found, tmp_path / "m.onnx")
    feeds = {"x": x, "rois": rois.reshape(40, 5, *(1,) * (axes.count("dim") - 2))}
    (got,) = run_onnx(tmp_path / "m.onnx", feeds).values()
    np.testing.assert_array_equal(got, loops(x, rois, height, width, scale))


@pytest.mark.parametrize("axes", ["dim: 9 dim: 5", "dim: 9 dim: 5 dim: 1 dim: 1"])
def test_it_is_proven_on_regions_of_its_images(axes: str, tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(net(axes, 3, 4, 0.0625), "utf-8")
    done = convert(file, tmp_path / "m.onnx")
    assert done.verdict == "pass"
    assert done.proof is not None
    layer = next(one for one in done.proof.layers if one.operator == "RoiMaxPool")
    assert (layer.verdict, layer.bound) == ("pass", 0.0)


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(UnreadableError, match="pools to 0x7"):
        only(f"{HEAD} {{ pooled_w: 7 }}")
    made = only(f"{HEAD} {{ pooled_h: 2 pooled_w: 7 }}")
    assert made.operator == ops.RoiMaxPool((2, 7), 1.0)
