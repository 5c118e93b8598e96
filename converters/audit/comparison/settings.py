"""What decides the numbers of an operator, in words that do not depend on how it is written.

Sizes are not among them: output shapes are compared as functions of the input's size. So an end
pad of zeros counts only where it changes a size or a mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Like, leaves
from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable

Settings = Mapping[str, object]

SETTINGS: OperatorTable[Callable[[Any, int], Settings]] = OperatorTable("settings")
"""Operators whose settings are not simply their fields; asked with the rank of the input."""

SIZES: Final = frozenset(
    ("size", "sizes", "target", "dims", "tiles", "groups", "out_channels", "out_features", "shape")
)
"""Fields that shapes and weights already tell."""


def settings_of(layer: Layer, rank: int) -> Settings:
    """Name -> value of all that decides what a layer computes, its weights and sizes apart."""
    op = layer.operator
    if type(op) in SETTINGS:
        return SETTINGS[type(op)](op, rank)
    return plain(op, rank)


def plain(op: Any, rank: int) -> dict[str, object]:
    """An operator's fields but those that say sizes; axes counted from the front."""
    found = {f.name: getattr(op, f.name) for f in fields(op) if f.name not in SIZES}
    if isinstance(found.get("axis"), int) and rank:
        found["axis"] = found["axis"] % rank
    return found


@SETTINGS.register(ops.Conv)
def _conv(op: ops.Conv, rank: int) -> Settings:
    return _window(op)


@SETTINGS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, rank: int) -> Settings:
    return _window(op)


def _window(op: ops.Conv | ops.ConvTranspose | ops.Pool) -> dict[str, object]:
    dilation = tuple(1 if k == 1 else d for k, d in zip(op.kernel, op.dilation, strict=True))
    return {"kernel": op.kernel, "stride": op.stride, "dilation": dilation, "pad": op.pads_begin}


@SETTINGS.register(ops.Pool)
def _pool(op: ops.Pool, rank: int) -> Settings:
    found = {"kind": op.kind, **_window(op)}
    if op.kind == "average" and (any(op.pads_begin + op.pads_end) or op.rounding == "ceil"):
        found |= {"count_padding": op.count_padding, "pads_end": op.pads_end}
    return found


@SETTINGS.register(ops.Resize)
def _resize(op: ops.Resize, rank: int) -> Settings:
    found = plain(op, rank)
    found.pop("factor")  # the output's size tells it
    for name, mode in (("nearest_mode", "nearest"), ("cubic_a", "cubic")):
        if op.mode != mode:
            found.pop(name)
    return found


@SETTINGS.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, rank: int) -> Settings:
    return {"kind": op.kind, "coefficients": op.coefficients}


@SETTINGS.register(ops.Crop)
def _crop(op: ops.Crop, rank: int) -> Settings:
    """The offset of each axis that it moves; how much is kept is the output's size."""
    start = op.axis % rank if rank else op.axis
    moved = {start + i: _written(offset) for i, offset in enumerate(op.offsets) if offset != 0}
    return {"offsets": moved}


@SETTINGS.register(ops.Pad)
def _pad(op: ops.Pad, rank: int) -> Settings:
    value = op.value if op.mode == "constant" else 0.0
    return {"mode": op.mode, "value": value, "begin": tuple(map(_written, op.begin))}


def _written(size: object) -> object:
    """A size without the names of the values that it is like, which differ between models."""
    named = isinstance(size, Dim) and any(isinstance(leaf, Like) for leaf in leaves(size))
    return "?" if named else size


@SETTINGS.register(ops.Reshape, ops.Flatten, ops.Expand, ops.Tile, ops.Arange, ops.SizeOf)
def _shape_only(op: object, rank: int) -> Settings:
    return {}


@SETTINGS.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, rank: int) -> Settings:
    return plain(op, rank) | {"start": _written(op.start)}


@SETTINGS.register(ops.Slice)
def _slice(op: ops.Slice, rank: int) -> Settings:
    """Where it is cut is the sizes of the parts."""
    return {"axis": op.axis % rank if rank else op.axis}


@SETTINGS.register(ops.Log)
def _log(op: ops.Log, rank: int) -> Settings:
    """By the natural logarithm of its base, which is what files store."""
    divisor = 1.0 if op.base is None else math.log(op.base)
    return {"divisor": divisor, "scale": op.scale, "shift": op.shift}


@SETTINGS.register(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, rank: int) -> Settings:
    """Its axes one by one, to the last one where none is said."""
    first = op.axis % rank if rank else op.axis
    end = rank if op.num_axes == -1 else first + op.num_axes
    return {"axes": tuple(range(first, end)), "epsilon": op.epsilon}


@SETTINGS.register(ops.MeanVarianceNorm)
def _mean_variance(op: ops.MeanVarianceNorm, rank: int) -> Settings:
    """What is added to a deviation counts where there is one."""
    return plain(op, rank) | {"epsilon": op.epsilon if op.normalize_variance else 0.0}


@SETTINGS.register(ops.Linear)
def _linear(op: ops.Linear, rank: int) -> Settings:
    return {"axis": op.axis % rank if rank else op.axis}
