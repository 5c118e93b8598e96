"""Operators on each element alone."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.compositions import (
    LOG_SIGMOID,
    MISH,
    TRUNCATED,
    Composition,
    celu,
    composed,
    hard_sigmoid,
    hard_swish,
    selu,
    soft_shrink,
    softplus,
)
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

PLAIN: Final[dict[str, Callable[[AtenCall], ops.Operator]]] = {
    "relu": lambda call: ops.Relu(),
    "relu6": lambda call: ops.Clip(0.0, 6.0),
    "leaky_relu": lambda call: ops.Relu(float(call.number("negative_slope", 0.01))),
    "sigmoid": lambda call: ops.Sigmoid(),
    "tanh": lambda call: ops.Tanh(),
    "silu": lambda call: ops.Swish(),
    "erf": lambda call: ops.Erf(),
    "gelu": lambda call: ops.Gelu(tanh=call.get("approximate", "none") == "tanh"),
    "hardtanh": lambda call: _clip(call, "min_val", "max_val", -1.0, 1.0),
    "clamp": lambda call: _clip(call, "min", "max", -inf, inf),
    "clip": lambda call: _clip(call, "min", "max", -inf, inf),
    "clamp_min": lambda call: _clip(call, "min", "", -inf, inf),
    "clamp_max": lambda call: _clip(call, "", "max", -inf, inf),
    "exp": lambda call: ops.Exp(),
    "log": lambda call: ops.Log(),
    "log2": lambda call: ops.Log(base=2.0),
    "log10": lambda call: ops.Log(base=10.0),
    "log1p": lambda call: ops.Log(shift=1.0),
    "abs": lambda call: ops.Abs(),
    "positive": lambda call: ops.Identity(),
    "neg": lambda call: ops.Power(scale=-1.0),
    "sqrt": lambda call: ops.Power(0.5),
    "rsqrt": lambda call: ops.Power(-0.5),
    "square": lambda call: ops.Power(2.0),
    "reciprocal": lambda call: ops.Power(-1.0),
    "exp2": lambda call: ops.Exp(base=2.0),
    "sin": lambda call: ops.Sin(),
    "cos": lambda call: ops.Cos(),
    "round": lambda call: ops.Round(),
    "floor": lambda call: ops.Floor(),
    "ceil": lambda call: ops.Ceil(),
    "sign": lambda call: ops.Sign(),
}
IN_PLACE: Final = tuple(name for name in PLAIN if name != "positive")


@lowers(
    *(f"{name}.default" for name in PLAIN),
    *(f"{name}_.default" for name in IN_PLACE),
)
def _plain(call: AtenCall) -> None:
    name = call.node.target.split(".")[1].removesuffix("_")
    call.emit(PLAIN[name](call), [call.value("self")])


def _clip(call: AtenCall, low: str, high: str, lowest: float, highest: float) -> ops.Clip:
    bounds = [
        fallback if not name or call.get(name) is None else float(call.number(name, fallback))
        for name, fallback in ((low, lowest), (high, highest))
    ]
    return ops.Clip(*bounds)


def _soft_shrink(call: AtenCall) -> Composition:
    bound = float(call.number("lambd", 0.5))
    if bound < 0:
        raise UnsupportedError(f"its lambd is {bound:g}")
    return soft_shrink(bound)


def _softplus(call: AtenCall) -> Composition:
    """torch's threshold only guards against overflow."""
    if call.number("threshold", 20.0) < 20.0:
        raise UnsupportedError("it becomes linear early, by its threshold")
    return softplus(call.divisor("beta", 1.0))


COMPOSED: Final[dict[str, Callable[[AtenCall], Composition]]] = {
    "selu": lambda call: selu(),
    "celu": lambda call: celu(call.divisor("alpha", 1.0)),
    "hardsigmoid": lambda call: hard_sigmoid(),
    "hardswish": lambda call: hard_swish(),
    "mish": lambda call: MISH,
    "log_sigmoid": lambda call: LOG_SIGMOID,
    "softshrink": _soft_shrink,
    "softplus": _softplus,
}
COMPOSED_IN_PLACE: Final = ("selu", "hardsigmoid", "hardswish", "mish")


@lowers(
    *(f"{name}.default" for name in COMPOSED),
    *(f"{name}_.default" for name in COMPOSED_IN_PLACE),
)
def _composed(call: AtenCall) -> None:
    name = call.node.target.split(".")[1].removesuffix("_")
    call.compose(COMPOSED[name](call))


@lowers("elu.default", "elu_.default")
def _elu(call: AtenCall) -> None:
    """scale * (max(x, 0) + alpha * (exp(input_scale * min(x, 0)) - 1))."""
    if call.number("scale", 1.0) != 1.0 or call.number("input_scale", 1.0) != 1.0:
        raise UnsupportedError("it scales its input or output")
    call.emit(ops.Elu(call.number("alpha", 1.0)), [call.value("self")])


@lowers("prelu.default", "_prelu_kernel.default")
def _prelu(call: AtenCall) -> None:
    weight = call.weight("weight")
    if call.rank() == 0:
        raise UnsupportedError("it works on a number without axes")
    slope = Weight((weight.size,), weight.data)
    call.emit(ops.PRelu(), [call.value("self")], {"slope": slope})


@lowers("glu.default")
def _glu(call: AtenCall) -> None:
    """The first half of an axis times the sigmoid of the second."""
    axis = call.axis("dim", -1)
    half, value = call.shape()[axis] // 2, call.value("self")
    first = call.step(ops.Crop(axis, (0,), (half,)), [value], "first")
    second = call.step(ops.Crop(axis, (half,), (half,)), [value], "second")
    gate = call.step(ops.Sigmoid(), [second], "gate")
    call.emit(ops.Eltwise("product"), [first, gate])


@lowers("softmax.int", "_softmax.default", "log_softmax.int", "_log_softmax.default")
def _softmax(call: AtenCall) -> None:
    log = "log" in call.node.target
    call.emit(ops.Softmax(call.fixed("dim", -1), log), [call.value("self")])


@lowers("pow.Tensor_Scalar", "pow_.Scalar")
def _power(call: AtenCall) -> None:
    call.emit(ops.Power(float(call.number("exponent", 1.0))), [call.value("self")])


MAX_DECIMALS: Final = 38
"""float32 has no number with more digits in front of its point, or behind it."""


@lowers("round.decimals")
def _round_decimals(call: AtenCall) -> None:
    """round(x * 10^d) / 10^d."""
    decimals = call.fixed("decimals", 0)
    if abs(decimals) > MAX_DECIMALS:
        raise UnsupportedError(f"it rounds to {decimals} decimals")
    scale = 10.0**decimals
    large = call.step(ops.Power(scale=scale), [call.value("self")], "large")
    whole = call.step(ops.Round(), [large], "whole")
    call.emit(ops.Power(scale=1 / scale), [whole])


@lowers("trunc.default", "fix.default")
def _trunc(call: AtenCall) -> None:
    call.emit(ops.Identity(), [truncated(call, call.value("self"))])


def truncated(call: AtenCall, value: str) -> str:
    """Whole numbers towards 0."""
    return composed(
        TRUNCATED,
        value,
        lambda operator, inputs, what: call.step(operator, inputs, what or "truncated"),
    )
