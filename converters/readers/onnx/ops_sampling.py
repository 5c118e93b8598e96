"""GridSample, whose modes have other words since opset 20, and the pooling of regions."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.readers.onnx.entries import Entry
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.ops_resize import MODES


@lowers("GridSample", since=16)
def _grid_sample_of_images(call: Call) -> Entry:
    return _sampled(call, call.word("mode", "bilinear", "nearest", "bicubic"))


@lowers("GridSample", since=20)
def _grid_sample(call: Call) -> Entry:
    return _sampled(call, call.word("mode", "linear", "nearest", "cubic"))


def _sampled(call: Call, mode: str) -> Entry:
    padding: Literal["zeros", "border", "reflection"] = _PADDINGS[
        call.word("padding_mode", *_PADDINGS)
    ]
    operator = ops.GridSample(MODES[mode], padding, call.flag("align_corners"))
    return call.emit(operator, [call.value(0), call.value(1)])


_PADDINGS: Final[dict[str, Literal["zeros", "border", "reflection"]]] = {
    "zeros": "zeros",
    "border": "border",
    "reflection": "reflection",
}


@lowers("MaxRoiPool")
def _regions(call: Call) -> Entry:
    size = call.ints("pooled_shape")
    if size is None or len(size) != 2 or min(size) < 1:
        raise call.invalid("its pooled_shape is not that of an image")
    operator = ops.RoiMaxPool(size, call.number("spatial_scale", 1.0))
    return call.emit(operator, [call.value(0), call.value(1)])
