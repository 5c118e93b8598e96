"""Operators of Gluon's blocks (mxnet/gluon/nn/conv_layers.py)."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.readers.python_source.call import Call
from upconv.converters.readers.python_source.made import Made, Place, open_shape, unknown_weights
from upconv.converters.readers.python_source.torch_layers import Maker


def _windows(call: Call, axes: int) -> tuple[ops.Ints, ops.Ints, ops.Ints, ops.Ints]:
    """Kernel, strides, dilation, padding. Raises NotProvableError for channels last, which MXNet
    runs on GPUs alone."""
    layout = str(call.value("layout"))
    if not layout.startswith("NC"):
        raise call.not_provable(f"layout is {layout!r}")
    return (
        call.integers("kernel_size", axes, 1),
        call.integers("strides", axes, 1),
        call.integers("dilation", axes, 1),
        call.integers("padding", axes),
    )


def _convolution(call: Call, place: Place) -> Made:
    """Conv*D and Conv*DTranspose; in_channels 0 is what the first input has."""
    axes = int(call.name[4])
    kernel, stride, dilation, pad = _windows(call, axes)
    channels, inputs = call.literal_int("channels"), call.literal_int("in_channels")
    groups = call.literal_int("groups")
    operator: ops.ConvTranspose | ops.Conv
    if call.name.endswith("Transpose"):
        extra = call.integers("output_padding", axes)
        settings = (kernel, stride, dilation, pad, pad, extra, groups or 1)
        operator = ops.ConvTranspose(channels or 1, *settings)
        shape = (inputs or 0, (channels or 0) // (groups or 1), *kernel)
    else:
        operator = ops.Conv(channels or 1, kernel, stride, dilation, pad, pad, groups or 1)
        shape = (channels or 0, (inputs or 0) // (groups or 1), *kernel)
    whole = bool(channels and inputs and groups)
    bias = call.probably("use_bias", True) is not False
    weights = unknown_weights(shape if whole else None, bias, channels or 0)
    final = not (channels and groups)
    return Made(operator, weights, open_shape(inputs or None, axes), final=final)


GLUON_MAKERS: Final[dict[str, Maker]] = {
    f"mxnet.gluon.nn.Conv{axes}D{kind}": _convolution
    for axes in (1, 2, 3)
    for kind in ("", "Transpose")
}
