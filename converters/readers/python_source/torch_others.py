"""The layers that stand between upsampling layers of an nn.Sequential."""

from __future__ import annotations

from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.tensors import Weight, missing
from upconv.converters.readers.python_source.call import Call
from upconv.converters.readers.python_source.made import (
    INITIAL,
    Made,
    Place,
    open_shape,
    unknown_weights,
)
from upconv.converters.readers.python_source.torch_layers import Maker


def _conv(call: Call, place: Place) -> Made:
    axes = int(call.name[-2])
    kernel, stride = call.integers("kernel_size", axes, 1), call.integers("stride", axes, 1)
    dilation = call.integers("dilation", axes, 1)
    begin, end = _padding(call, kernel, dilation, axes)
    inputs, outputs = call.integer("in_channels", 1), call.integer("out_channels", 1)
    groups = call.integer("groups", 1)
    bias = call.value("bias") is not False
    weights = unknown_weights((outputs, inputs // groups, *kernel), bias, outputs)
    operator = ops.Conv(outputs, kernel, stride, dilation, begin, end, groups)
    return Made(operator, weights, open_shape(inputs, axes))


def _padding(
    call: Call, kernel: ops.Ints, dilation: ops.Ints, axes: int
) -> tuple[ops.Ints, ops.Ints]:
    padding = call.value("padding")
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
    amounts = (0,) * axes if padding == "valid" else call.integers("padding", axes)
    return amounts, amounts


def _batch_norm(call: Call, place: Place) -> Made:
    channels = call.integer("num_features", 1)
    names = ("mean", "variance", "scale", "bias")
    weights = {name: missing((channels,), INITIAL) for name in names}
    return Made(ops.BatchNorm(1e-5), weights)


def _instance_norm(call: Call, place: Place) -> Made:
    """Without scale and bias PyTorch only warns of another number of channels."""
    channels = call.integer("num_features", 1)
    return Made(ops.GroupNorm(channels, 1e-5), _affine(channels) if call.value("affine") else {})


def _group_norm(call: Call, place: Place) -> Made:
    groups, channels = call.integer("num_groups", 1), call.integer("num_channels", 1)
    return Made(ops.GroupNorm(groups, 1e-5), _affine(channels) if call.value("affine") else {})


def _affine(channels: int) -> dict[str, Weight]:
    return {name: missing((channels,), INITIAL) for name in ("scale", "bias")}


def _pad(call: Call, place: Place) -> Made:
    """nn.{Zero,Constant,Reflection,Replication}PadNd; amounts begin with the last axis."""
    axes = int(call.name[-2])
    value = call.value("padding")
    amounts = value if isinstance(value, tuple) else (value,) * 2 * axes
    if len(amounts) != 2 * axes or not all(isinstance(one, int) for one in amounts):
        raise call.not_provable(f"padding is {value!r}")
    begin, end = amounts[-2::-2], amounts[::-2]
    mode = _PAD_MODES[call.name[:-5]]
    return Made(ops.Pad((0, 0, *begin), (0, 0, *end), mode), shape=open_shape(None, axes))


_PAD_MODES: Final[dict[str, Literal["constant", "reflect", "edge"]]] = {
    "Zero": "constant",
    "Constant": "constant",
    "Reflection": "reflect",
    "Replication": "edge",
}


def _pool(call: Call, place: Place) -> Made:
    axes = int(call.name[-2])
    kernel = call.integers("kernel_size", axes, 1)
    given = call.value("stride") is not None
    stride = call.integers("stride", axes, 1) if given else kernel
    padding = call.integers("padding", axes)
    average = call.name.startswith("Avg")
    dilation = (1,) * axes if average else call.integers("dilation", axes, 1)
    if not average and call.value("return_indices"):
        raise call.not_provable("return_indices gives two values")
    operator = ops.Pool(
        "average" if average else "max",
        kernel,
        stride,
        dilation,
        padding,
        padding,
        "ceil" if call.value("ceil_mode") else "floor",
        "always",
        bool(call.value("count_include_pad")) if average else False,
    )
    return Made(operator)


def _linear(call: Call, place: Place) -> Made:
    inputs, outputs = call.integer("in_features", 1), call.integer("out_features", 1)
    weights = unknown_weights((outputs, inputs), call.value("bias") is not False, outputs)
    shape: tuple[Size, ...] = (symbol("N"), inputs)
    return Made(ops.Linear(outputs, -1), weights, shape)


def _flatten(call: Call, place: Place) -> Made:
    return Made(ops.Flatten(_axis(call, "start_dim"), _axis(call, "end_dim")))


def _axis(call: Call, name: str) -> int:
    value = call.value(name)
    if not isinstance(value, int) or not -8 < value < 8:
        raise call.not_provable(f"{name} is {value!r}")
    return value


def _unflatten(call: Call, place: Place) -> Made:
    size = call.value("unflattened_size")
    if not isinstance(size, tuple) or not all(isinstance(n, int) and n > 0 for n in size):
        raise call.not_provable(f"unflattened_size is {size!r}")
    return Made(ops.Reshape(size, _axis(call, "dim"), 1))


def _leaky(call: Call, place: Place) -> Made:
    slope = call.value("negative_slope")
    if not isinstance(slope, int | float):
        raise call.not_provable("negative_slope is no number")
    return Made(ops.Relu(float(slope)))


def _pointwise(operator: Any) -> Maker:
    return lambda call, place: Made(operator)


OTHER_MAKERS: Final[dict[str, Maker]] = {
    **{f"torch.nn.Conv{n}d": _conv for n in (1, 2, 3)},
    **{f"torch.nn.BatchNorm{n}d": _batch_norm for n in (1, 2, 3)},
    **{f"torch.nn.InstanceNorm{n}d": _instance_norm for n in (1, 2, 3)},
    **{f"torch.nn.{kind}Pool{n}d": _pool for n in (1, 2, 3) for kind in ("Max", "Avg")},
    **{f"torch.nn.Dropout{n}": _pointwise(ops.Identity()) for n in ("", "1d", "2d", "3d")},
    "torch.nn.GroupNorm": _group_norm,
    **{f"torch.nn.{kind}Pad{n}d": _pad for n in (1, 2, 3) for kind in _PAD_MODES},
    "torch.nn.Identity": _pointwise(ops.Identity()),
    "torch.nn.ReLU": _pointwise(ops.Relu()),
    "torch.nn.ReLU6": _pointwise(ops.Clip(0.0, 6.0)),
    "torch.nn.LeakyReLU": _leaky,
    "torch.nn.ELU": _pointwise(ops.Elu()),
    "torch.nn.Sigmoid": _pointwise(ops.Sigmoid()),
    "torch.nn.Tanh": _pointwise(ops.Tanh()),
    "torch.nn.SiLU": _pointwise(ops.Swish()),
    "torch.nn.GELU": _pointwise(ops.Gelu()),
    "torch.nn.PReLU": _pointwise(ops.PRelu()),
    "torch.nn.Linear": _linear,
    "torch.nn.Flatten": _flatten,
    "torch.nn.Unflatten": _unflatten,
    "torch.nn.PixelUnshuffle": lambda call, place: Made(
        ops.SpaceToDepth(call.integer("downscale_factor", 1), "CRD")
    ),
}
