"""Layers that map each element alone: activations, powers, and Scale and Bias."""

from __future__ import annotations

import math
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.caffe.fields import MAX_AXES
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.vectors import channel_filler, channels_of, vectors_of
from upconv.converters.readers.caffe.weights import BlobSpec, PartialShape, filler_of, weights_of
from upconv.converters.readers.files.prototxt import Message

_PLAIN: Final[dict[str, ops.Operator]] = {
    "Sigmoid": ops.Sigmoid(),
    "TanH": ops.Tanh(),
    "AbsVal": ops.Abs(),
    "BNLL": ops.Softplus(),
    "ReLU6": ops.Clip(0.0, 6.0),
}


@lowers(*_PLAIN)
def _plain(layer: CaffeLayer) -> Lowered:
    return Lowered(_PLAIN[layer.type])


@lowers("ReLU")
def _relu(layer: CaffeLayer) -> Lowered:
    """relu_layer.cpp; Synopsys' `relu6` cuts what is above 6."""
    param = layer.field("relu_param")
    slope = param.float("negative_slope", 0.0)
    if not param.bool("relu6", False):
        return Lowered(ops.Relu(slope))
    if slope:
        raise layer.unsupported("relu6 with a negative_slope, which no operator says")
    return Lowered(ops.Clip(0.0, 6.0))


@lowers("PReLU")
def _prelu(layer: CaffeLayer) -> Lowered:
    """prelu_layer.cpp: one slope per channel, or one for all where channel_shared."""
    param = layer.field("prelu_param")
    length = 1 if param.bool("channel_shared", False) else channels_of(layer)
    slope = channel_filler(param, "filler", 0.25)
    return Lowered(ops.PRelu(), vectors_of(layer, {"slope": slope}, length))


@lowers("ELU")
def _elu(layer: CaffeLayer) -> Lowered:
    return Lowered(ops.Elu(layer.field("elu_param").float("alpha", 1.0)))


@lowers("Power")
def _power(layer: CaffeLayer) -> Lowered:
    param = layer.field("power_param")
    return Lowered(
        ops.Power(param.float("power", 1.0), param.float("scale", 1.0), param.float("shift", 0.0))
    )


@lowers("Exp")
def _exp(layer: CaffeLayer) -> Lowered:
    param = layer.field("exp_param")
    base = _base(layer, param)
    return Lowered(ops.Exp(base, param.float("scale", 1.0), param.float("shift", 0.0)))


@lowers("Log")
def _log(layer: CaffeLayer) -> Lowered:
    param = layer.field("log_param")
    base = _base(layer, param)
    return Lowered(ops.Log(base, param.float("scale", 1.0), param.float("shift", 0.0)))


def _base(layer: CaffeLayer, param: Message) -> float | None:
    """exp_layer.cpp, log_layer.cpp: -1, the default, stands for e."""
    base = param.float("base", -1.0)
    if base == -1.0:
        return None
    if not 0.0 < base < math.inf:
        raise layer.invalid(f"base is {base:g}; it must be positive, or -1 for e")
    return base


@lowers("Threshold")
def _threshold(layer: CaffeLayer) -> Lowered:
    threshold = layer.field("threshold_param").float("threshold", 0.0)
    return Lowered(ops.Compare("greater", threshold))


@lowers("Clip")
def _clip(layer: CaffeLayer) -> Lowered:
    param = layer.field("clip_param")
    for name in ("min", "max"):
        if not param.has(name):
            raise layer.invalid(f"clip_param gives no {name}, which Caffe requires", f"add {name}")
    return Lowered(ops.Clip(param.float("min", -math.inf), param.float("max", math.inf)))


@lowers("Swish")
def _swish(layer: CaffeLayer) -> Lowered:
    return Lowered(ops.Swish(layer.field("swish_param").float("beta", 1.0)))


@lowers("Scale")
def _scale(layer: CaffeLayer) -> Lowered:
    """scale_layer.cpp: the factor is bottom[1], or blob 0; with bias_term a bias follows."""
    param = layer.field("scale_param")
    given = len(layer.bottoms) == 2
    shape = _operand_shape(layer, param)
    specs = []
    if not given:
        specs.append(BlobSpec("scale", shape, channel_filler(param, "filler", 1.0)))
    if param.bool("bias_term", False):
        specs.append(BlobSpec("bias", shape, filler_of(param, "bias_filler")))
    return _affine(layer, param, "scale" if given else "none", weights_of(layer, specs))


@lowers("Bias")
def _bias(layer: CaffeLayer) -> Lowered:
    """bias_layer.cpp: the summand is bottom[1], or blob 0."""
    param = layer.field("bias_param")
    given = len(layer.bottoms) == 2
    specs = []
    if not given:
        specs = [BlobSpec("bias", _operand_shape(layer, param), filler_of(param, "filler"))]
    return _affine(layer, param, "bias" if given else "none", weights_of(layer, specs))


def _affine(
    layer: CaffeLayer,
    param: Message,
    operand: Literal["none", "scale", "bias"],
    weights: dict[str, Weight],
) -> Lowered:
    """A Scale operator; a single value, on no axis, has axis 0 wherever `axis` points."""
    second = layer.rank(1) if operand != "none" else None
    scalar = second == 0 or any(weight.shape == () for weight in weights.values())
    return Lowered(ops.Scale(0 if scalar else param.int("axis", 1), operand), weights)


def _operand_shape(layer: CaffeLayer, param: Message) -> PartialShape:
    """The shape of a Scale's or Bias's blobs: bottom[1]'s, or that of the axes it covers.

    Where not even the rank is known, the blob's own shape is taken as right.
    """
    shape = _covered(layer, param)
    if shape is not None:
        return shape
    return tuple(layer.blobs[0].shape) if layer.blobs else (None,)


def _covered(layer: CaffeLayer, param: Message) -> PartialShape | None:
    if len(layer.bottoms) == 2:
        return None if layer.rank(1) is None else _partial(layer, 1)
    axis, num_axes = param.int("axis", 1), param.int("num_axes", 1)
    if not -1 <= num_axes <= MAX_AXES:
        raise layer.invalid(f"num_axes is {num_axes}; -1 means all axes from axis on")
    rank = layer.rank()
    if num_axes == 0:
        return ()
    if rank is None:
        return None if num_axes == -1 else (None,) * num_axes
    start = axis + rank if axis < 0 else axis
    end = rank if num_axes == -1 else start + num_axes
    if not 0 <= start < rank or end > rank:
        raise layer.invalid(
            f"axis {axis} and num_axes {num_axes} reach outside its input, which has {rank} axes"
        )
    return _partial(layer, 0)[start:end]


def _partial(layer: CaffeLayer, index: int) -> PartialShape:
    return tuple(s if isinstance(s, int) else None for s in layer.shapes[index] or ())


@lowers("Axpy")
def _axpy(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """SENet's axpy_layer.cpp: a*x + y, a being (N, C) or (N, C, 1, 1)."""
    factor, x, y = layer.bottoms
    flat, scaled = (f"{layer.tops[0]}/{step}" for step in ("factor", "scaled"))
    return (
        Lowered(ops.Flatten(1), inputs=(factor,), outputs=(flat,), suffix="factor"),
        Lowered(ops.Scale(0, "scale"), inputs=(x, flat), outputs=(scaled,), suffix="scaled"),
        Lowered(ops.Eltwise("sum"), inputs=(scaled, y)),
    )
