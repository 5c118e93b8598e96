"""Operators on each element alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import Composition
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.onnx.entries import Entry, Value
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.ops_shape import extended
from upconv.converters.readers.onnx.refusals import TrainingModeError
from upconv.converters.readers.onnx.tensors import dtype_of

PLAIN: Final[Mapping[str, Callable[[Call], ops.Operator]]] = {
    "Identity": lambda call: ops.Identity(),
    "Relu": lambda call: ops.Relu(),
    "LeakyRelu": lambda call: ops.Relu(call.number("alpha", 0.01)),
    "Elu": lambda call: ops.Elu(call.number("alpha", 1.0)),
    "Sigmoid": lambda call: ops.Sigmoid(),
    "Tanh": lambda call: ops.Tanh(),
    "Softplus": lambda call: ops.Softplus(),
    "Gelu": lambda call: ops.Gelu(call.word("approximate", "none", "tanh") == "tanh"),
    "Swish": lambda call: ops.Swish(call.number("alpha", 1.0)),
    "Erf": lambda call: ops.Erf(),
    "Exp": lambda call: ops.Exp(),
    "Log": lambda call: ops.Log(),
    "Sqrt": lambda call: ops.Power(0.5),
    "Reciprocal": lambda call: ops.Power(-1.0),
    "Neg": lambda call: ops.Power(scale=-1.0),
    "Abs": lambda call: ops.Abs(),
    "Floor": lambda call: ops.Floor(),
    "Ceil": lambda call: ops.Ceil(),
    "Round": lambda call: ops.Round(),
    "Sign": lambda call: ops.Sign(),
    "Sin": lambda call: ops.Sin(),
    "Cos": lambda call: ops.Cos(),
    "Not": lambda call: ops.Compare("equal", 0.0),
}

COMPOSED: Final[Mapping[str, Callable[[Call], Composition]]] = {
    "Selu": lambda call: compositions.selu(
        call.number("alpha", compositions.SELU_ALPHA), call.number("gamma", compositions.SELU_SCALE)
    ),
    "Celu": lambda call: compositions.celu(call.number("alpha", 1.0)),
    "HardSigmoid": lambda call: compositions.hard_sigmoid(
        call.number("alpha", 0.2), call.number("beta", 0.5)
    ),
    "HardSwish": lambda call: compositions.hard_swish(),
    "Mish": lambda call: compositions.MISH,
    "Softsign": lambda call: compositions.SOFTSIGN,
}


@lowers(*PLAIN)
def _plain(call: Call) -> Entry:
    return call.emit(PLAIN[call.node.op](call), [call.value()])


@lowers(*COMPOSED)
def _composed(call: Call) -> Entry:
    return call.compose(COMPOSED[call.node.op](call), call.value())


@lowers("Dropout")
def _dropout(call: Call) -> Entry:
    """At inference the same values; its mask is not there."""
    if call.has(2) and call.array(2, "training_mode").any():
        raise call.unsupported("a Dropout in training mode", kind=TrainingModeError)
    return call.emit(ops.Identity(), [call.value()])


@lowers("ThresholdedRelu")
def _thresholded(call: Call) -> Entry:
    x = call.value()
    above = call.step(ops.Compare("greater", call.number("alpha", 1.0)), [x], "above")
    return call.emit(ops.Where(otherwise=0.0), [above, x])


@lowers("Shrink")
def _shrink(call: Call) -> Entry:
    """x + bias below -lambd, x - bias above lambd, 0 in between."""
    x, bias, bound = call.value(), call.number("bias", 0.0), call.number("lambd", 0.5)
    below = call.step(ops.Compare("less", -bound), [x], "below")
    above = call.step(ops.Compare("greater", bound), [x], "above")
    more = call.step(ops.Power(shift=bias), [x], "more")
    less = call.step(ops.Power(shift=-bias), [x], "less")
    rest = call.step(ops.Where(otherwise=0.0), [above, less], "rest")
    return call.emit(ops.Where(), [below, more, rest])


@lowers("PRelu")
def _prelu_by_channel(call: Call) -> Entry:
    """Up to opset 6 a row of slopes lies along the channels."""
    x = call.value()
    slope = call.entry(1)
    own = len(slope.shape) if isinstance(slope, Known) else call.rank(call.value(1))
    return _prelu_of(call, x, extended(call, 1, call.rank(x) - 2 if own == 1 else 0))


@lowers("PRelu", since=7)
def _prelu(call: Call) -> Entry:
    return _prelu_of(call, call.value(), call.entry(1))


def _prelu_of(call: Call, x: str, slope: Entry) -> Entry:
    """One slope, or one per channel (C, 1, 1), is the representation's own."""
    rank = call.rank(x)
    if isinstance(slope, Known) and not slope.is_symbolic:
        aligned = (1,) * (rank - len(slope.shape)) + slope.shape
        per_channel = rank > 1 and all(n == 1 for at, n in enumerate(aligned) if at != 1)
        if len(slope.shape) <= rank and per_channel:
            flat = (lambda old: (aligned[1],), lambda values: values.reshape(-1))
            weight = call.weight_of(slope, flat, "flat")
            return call.emit(ops.PRelu(), [x], {"slope": weight})
    negative = call.step(ops.Clip(-inf, 0.0), [x], "negative")
    product = ops.Eltwise("product", broadcast=True)
    below = call.step(product, [negative, call.operand(slope, "input1")], "below")
    above = call.step(ops.Relu(), [x], "above")
    return call.emit(ops.Eltwise("sum"), [above, below])


@lowers("Clip")
def _clip_by_attributes(call: Call) -> Entry:
    low, high = call.number("min", -inf), call.number("max", inf)
    return call.emit(ops.Clip(low, high), [call.value()])


@lowers("Clip", since=11)
def _clip(call: Call) -> Entry:
    """Bounds that the network computes are maxima and minima."""
    x, bounds = call.value(), [-inf, inf]
    for index, kind in ((1, "max"), (2, "min")):
        if call.is_known(index) and not call.known(index, "bound").is_symbolic:
            bounds[index - 1] = call.scalar(index, "bound")
        elif call.has(index):
            operator = ops.Eltwise("max" if kind == "max" else "min", broadcast=True)
            x = call.step(operator, [x, call.value(index)], kind)
    return call.emit(ops.Clip(*bounds), [x])


@lowers("Cast")
def _cast(call: Call) -> Entry:
    """Truth values and whole numbers are floats here already. Types of floats are all one: the
    reference knows no rounding to 16 bits."""
    target = dtype_of(call.integer("to", 1))
    return cast(call, target.kind, target.name)


@lowers("CastLike")
def _cast_like(call: Call) -> Entry:
    return cast(call, call.kind(1), "int64")


def cast(call: Call, kind: str, name: str) -> Value:
    """The input as numbers of a kind."""
    x, before = call.value(), call.kind()
    if kind == "bool" and before != "bool":
        return call.emit(ops.Compare("not_equal", 0.0), [x], kind="bool")
    if kind == "float" or kind == before == "bool":
        return call.emit(ops.Identity(), [x], kind="float" if kind == "float" else "bool")
    if kind != "int" or name not in ("int64", "int32"):
        raise call.unsupported(f"converts numbers to {name}")
    if before != "float":
        return call.emit(ops.Identity(), [x], kind="int")
    return call.emit(ops.Identity(), [truncated(call, x)], kind="int")


def truncated(call: Call, x: str) -> str:
    """Rounded to 0."""
    size = call.step(ops.Floor(), [call.step(ops.Abs(), [x], "size")], "whole")
    sign = call.step(ops.Sign(), [x], "sign")
    return call.step(ops.Eltwise("product"), [sign, size], "truncated")
