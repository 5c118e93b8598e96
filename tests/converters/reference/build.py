"""One-layer evaluations and seeded arrays for the tests of the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of
from upconv.converters.reference import Array, run_layer


def layer(op: ops.Operator, inputs: Any = 1, outputs: Any = 1, **weights: Any) -> Layer:
    """A layer over x0, x1, ... whose weights are these arrays, in float32."""
    names = tuple(f"x{i}" for i in range(inputs))
    stored = {
        name: weight_of(np.asarray(values, np.float32))
        for name, values in weights.items()
        if values is not None
    }
    return Layer("layer", op, names, tuple(f"y{i}" for i in range(outputs)), stored)


def run(op: ops.Operator, *inputs: Any, outputs: Any = 1, **weights: Any) -> Any:
    """The outputs of one layer; the array itself where there is one."""
    results = run_layer(layer(op, len(inputs), outputs, **weights), inputs)
    return results[0] if outputs == 1 else results


def plane(rows: Any) -> Array:
    """A nested list as (1, 1, H, W)."""
    return np.array(rows, np.float64)[None, None]


def noise(*shape: int, seed: int = 0) -> Array:
    """Standard normal values that float32 holds exactly."""
    values = np.random.default_rng(seed).standard_normal(shape)
    return values.astype(np.float32).astype(np.float64)


def torch_of(values: Any) -> Any:
    """A float64 torch tensor of the values."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float64))


def deconvolution(axes: int = 2, channels: int = 1, **given: Any) -> ops.ConvTranspose:
    """A transposed convolution record; what is not given is 1, pads and output padding 0."""
    ones, zeros = (1,) * axes, (0,) * axes
    pads = given.pop("pad", zeros)
    settings = {
        "kernel": ones,
        "stride": ones,
        "dilation": ones,
        "pads_begin": pads,
        "pads_end": pads,
        "output_padding": zeros,
    }
    return ops.ConvTranspose(channels, **(settings | given))


def convolution(axes: int = 2, channels: int = 1, **given: Any) -> ops.Conv:
    """A convolution record; what is not given is 1, pads 0."""
    ones, zeros = (1,) * axes, (0,) * axes
    pads = given.pop("pad", zeros)
    settings = {"kernel": ones, "stride": ones, "dilation": ones}
    settings |= {"pads_begin": pads, "pads_end": pads}
    return ops.Conv(channels, **(settings | given))


def pooling(kind: Any, kernel: ops.Ints, stride: ops.Ints, **given: Any) -> ops.Pool:
    """Caffe's pooling unless given otherwise: ceil, clipped if padded, padding counted."""
    pads = given.pop("pad", (0,) * len(kernel))
    settings: dict[str, Any] = {
        "dilation": (1,) * len(kernel),
        "pads_begin": pads,
        "pads_end": pads,
        "rounding": "ceil",
        "clip": "if_padded",
        "count_padding": True,
    }
    return ops.Pool(kind, kernel, stride, **(settings | given))
