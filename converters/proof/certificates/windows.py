"""Convolutions, poolings and unpoolings: sums of products, or one of the inputs."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Comparison,
    products,
)

CERTIFICATES.register(ops.Conv, ops.ConvTranspose)(products)


@CERTIFICATES.register(ops.Pool, ops.GlobalPool)
def _pool(op: ops.Pool | ops.GlobalPool, one: Comparison) -> Allowance:
    return EXACT if op.kind == "max" else products(op, one)


@CERTIFICATES.register(ops.Unpool)
def _unpool(op: ops.Unpool, one: Comparison) -> Allowance:
    return EXACT


@CERTIFICATES.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, one: Comparison) -> Allowance:
    return EXACT if op.kind == "corner" else products(op, one)
