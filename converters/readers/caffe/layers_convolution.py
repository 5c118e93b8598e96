"""Convolution, Deconvolution and their depthwise kin."""

from __future__ import annotations

from upconv.converters.ir.operators import Conv, ConvTranspose
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import (
    Window,
    convolution_axes,
    convolution_window,
    positive,
)
from upconv.converters.readers.caffe.weights import BlobSpec, PartialShape, filler_of, weights_of
from upconv.converters.readers.files.prototxt import Message

_CHANNEL_AXIS = 1


@lowers("Convolution", "ConvolutionSK")
def _convolution(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """Weights (num_output, C_in/group, k...); every bottom meets the same ones."""
    param = layer.field("convolution_param")
    return _lower_convolution(layer, param, positive(layer, param, "group", 1))


@lowers("ConvolutionDepthwise", "DepthwiseConvolution")
def _depthwise(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """A convolution that keeps channels apart; forks leave out its group, which is num_output."""
    param = layer.field("convolution_param")
    outputs = positive(layer, param, "num_output")
    return _lower_convolution(layer, param, positive(layer, param, "group", outputs))


@lowers("Deconvolution", "DeconvolutionDepthwise")
def _deconvolution(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """Weights (C_in, num_output/group, k...): a Convolution's with the roles exchanged."""
    param = layer.field("convolution_param")
    outputs = positive(layer, param, "num_output")
    default = outputs if layer.type == "DeconvolutionDepthwise" else 1
    group = positive(layer, param, "group", default)
    window = _window(layer, param, group)
    operator = ConvTranspose(
        outputs,
        window.kernel,
        window.stride,
        window.dilation,
        window.pad,
        window.pad_end,
        (0,) * len(window.kernel),
        group,
    )
    weights = _weights(layer, param, (None, outputs // group, *window.kernel))
    return _for_each_bottom(layer, operator, weights)


def _lower_convolution(layer: CaffeLayer, param: Message, group: int) -> tuple[Lowered, ...]:
    outputs = positive(layer, param, "num_output")
    window = _window(layer, param, group)
    operator = Conv(
        outputs, window.kernel, window.stride, window.dilation, window.pad, window.pad_end, group
    )
    weights = _weights(layer, param, (outputs, None, *window.kernel))
    return _for_each_bottom(layer, operator, weights)


def _window(layer: CaffeLayer, param: Message, group: int) -> Window:
    if param.bool("relu", False):
        raise layer.unsupported("relu: true, by which Intel's fork adds a ReLU",
                                "write the ReLU as a layer of its own")  # fmt: skip
    axes = convolution_axes(layer, param)
    _require_channel_axis(layer, param, axes + 2)
    _require_groups(layer, param, group)
    return convolution_window(layer, param, axes)


def _require_channel_axis(layer: CaffeLayer, param: Message, rank: int) -> None:
    axis = param.int("axis", _CHANNEL_AXIS)
    if axis not in (_CHANNEL_AXIS, _CHANNEL_AXIS - rank):
        raise layer.unsupported(
            f"takes axis {axis} for its channels, but only axis 1 (N, C, ...) is supported"
        )


def _require_groups(layer: CaffeLayer, param: Message, group: int) -> None:
    outputs = positive(layer, param, "num_output")
    if outputs % group:
        raise layer.invalid(f"num_output {outputs} does not divide into {group} groups")


def _weights(layer: CaffeLayer, param: Message, shape: PartialShape) -> dict[str, Weight]:
    specs = [BlobSpec("weight", shape, filler_of(param, "weight_filler"))]
    if param.bool("bias_term", True):
        outputs = positive(layer, param, "num_output")
        specs.append(BlobSpec("bias", (outputs,), filler_of(param, "bias_filler")))
    return weights_of(layer, specs)


def _for_each_bottom(
    layer: CaffeLayer, operator: Conv | ConvTranspose, weights: dict[str, Weight]
) -> tuple[Lowered, ...]:
    """One operator for each pair of bottom and top, all with the same weights."""
    if len(layer.bottoms) != len(layer.tops):
        raise layer.invalid(
            f"has {len(layer.bottoms)} bottoms and {len(layer.tops)} tops: "
            "each bottom needs a top of its own"
        )
    pairs = zip(layer.bottoms, layer.tops, strict=True)
    return tuple(
        Lowered(operator, weights, (bottom,), (top,), f"{index}" if index else "")
        for index, (bottom, top) in enumerate(pairs)
    )
