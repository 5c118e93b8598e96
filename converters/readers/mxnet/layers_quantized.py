"""Operators on whole numbers that stand for real ones: what they do to the real ones
(src/operator/quantization). Behind a tensor they give its least and its largest number."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from upconv.converters.ir.tensors import Filler
from upconv.converters.readers.mxnet.lowering import (
    LOWERINGS,
    Call,
    Entry,
    Made,
    Parameter,
    lowers,
)
from upconv.converters.readers.mxnet.symbol import FUSED

_SAME: Final = "_contrib_quantize _contrib_quantize_v2 _contrib_requantize _contrib_dequantize"
_REAL: Final = {
    "_contrib_quantized_conv": ("Convolution", 3),
    "_contrib_quantized_fully_connected": ("FullyConnected", 3),
    "_contrib_quantized_pooling": ("Pooling", 1),
    "_contrib_quantized_flatten": ("Flatten", 1),
    "_contrib_quantized_act": ("Activation", 1),
    "_contrib_quantized_elemwise_add": ("elemwise_add", 2),
    "_contrib_quantized_elemwise_mul": ("elemwise_mul", 2),
}
"""Operator -> the one on real numbers, and how many of its inputs are tensors at most."""


def is_quantized(op: str, quantized: str) -> bool:
    """Whether an operator computes in whole numbers; `quantized` is what it says of that."""
    return op.startswith("_contrib_quantize") or quantized.lower() in ("true", "1")


def _bounds(call: Call) -> tuple[Entry, ...]:
    return tuple(
        Parameter(f"{call.node.name}_{what}", None, (1,), Filler("unknown"))
        for what in ("min", "max")
    )


@lowers(_SAME)
def _same(call: Call) -> Made:
    call.ask.asked.update(call.node.attributes)
    return call.x, *_bounds(call)


@lowers(*(f"{family}{kind}" for family in FUSED for kind in ("conv", "fully_connected")))
def _fused(call: Call) -> Made:
    """What the graph inside made."""
    made: tuple[Entry, ...] = tuple(call.values())
    return made + _bounds(call) if call.ask.flag("quantized") else made


@lowers(*_REAL)
def _real(call: Call) -> Made:
    """Stored whole numbers are no weights of the real operator's."""
    op, most = _REAL[call.node.op]
    count = most - 1 if call.ask.flag("no_bias") and most > 2 else most
    entries = tuple(
        replace(one, data=None, shape=one.data.shape if one.data else one.shape)
        if isinstance(one, Parameter)
        else one
        for one in call.entries[:count]
    )
    inner = replace(call, node=replace(call.node, op=op), entries=entries)
    made = inner.finish(LOWERINGS[op](inner))
    return (*made, *_bounds(call))
