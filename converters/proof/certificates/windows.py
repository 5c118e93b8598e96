"""Convolutions, poolings and unpoolings: sums of products, or one of the inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.kernels import linear_kernel
from upconv.converters.ir.tensors import weight_of
from upconv.converters.proof.certificates.arrangement import resize_bound
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Array,
    Comparison,
    products,
)
from upconv.converters.reference import run_layer

CERTIFICATES.register(ops.Conv)(products)


@CERTIFICATES.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, one: Comparison) -> Allowance:
    """Of a layer that the writer said as a Resize, what that may differ by, of the image with zeros
    around it, and what its weights differ from the stored ones."""
    own = products(op, one)
    if one.form != "resize":
        return own
    around = [(0, 0), (0, 0), *((1, 1) for _ in op.kernel)]
    resized = resize_bound(np.pad(one.x, around))
    return Allowance("tolerance", own.bound + _apart(op, one) + resized)


def _apart(op: ops.ConvTranspose, one: Comparison) -> Array:
    """sum |x||w_emitted - w_stored|: nothing for factors that are powers of two."""
    weight = one.layer.weights["weight"].array()
    used = weight.any(axis=tuple(range(2, weight.ndim)), keepdims=True)
    apart = np.abs(weight - used * linear_kernel(op.stride))
    if not apart.any():
        return np.zeros(())
    above = np.nextafter(apart.astype(np.float32), np.float32(np.inf))
    layer = replace(one.layer, weights={"weight": weight_of(above)})
    return run_layer(layer, (np.abs(one.x), *one.inputs[1:]))[0]


@CERTIFICATES.register(ops.Pool, ops.GlobalPool)
def _pool(op: ops.Pool | ops.GlobalPool, one: Comparison) -> Allowance:
    return EXACT if op.kind == "max" else products(op, one)


@CERTIFICATES.register(ops.Unpool)
def _unpool(op: ops.Unpool, one: Comparison) -> Allowance:
    return EXACT


@CERTIFICATES.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, one: Comparison) -> Allowance:
    return EXACT if op.kind == "corner" else products(op, one)
