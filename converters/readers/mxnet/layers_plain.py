"""Operators that are one of the representation's or a composition, on inputs as they come
(src/operator/tensor, src/operator/nn, leaky_relu-inl.h)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly import compositions as comp
from upconv.converters.readers.assembly.compositions import Composition, with_number
from upconv.converters.readers.mxnet.lowering import Call, Lowering, Made, lowers


def _by_type(call: Call, table: Mapping[str, Operator | Composition], default: str) -> Made:
    kind = call.ask.word("act_type", default)
    if kind not in table:
        raise call.ask.invalid(f"an activation of the type {kind!r}", "act_type")
    return table[kind]


_ACTIVATIONS: Final[Mapping[str, Operator | Composition]] = {
    "relu": ops.Relu(), "sigmoid": ops.Sigmoid(), "tanh": ops.Tanh(), "softrelu": ops.Softplus(),
    "softsign": comp.SOFTSIGN, "log_sigmoid": comp.LOG_SIGMOID, "mish": comp.MISH,
}  # fmt: skip


@lowers("LeakyReLU _npx_leaky_relu")
def _leaky(call: Call) -> Made:
    """rrelu's slope is random in training, and the middle of its bounds in prediction."""
    slope, low = call.ask.number("slope", 0.25), call.ask.number("lower_bound", 0.125)
    middle = (low + call.ask.number("upper_bound", 0.334)) / 2
    if call.ask.word("act_type", "leaky") == "prelu":
        weights = {"slope": call.weight(1, "gamma", (call.size(1),))}
        return call.emit(ops.PRelu(), [call.x], weights)
    known: Mapping[str, Operator | Composition] = {
        "leaky": ops.Relu(slope), "rrelu": ops.Relu(middle), "elu": ops.Elu(slope),
        "selu": comp.selu(), "gelu": ops.Gelu(), "gelu_erf": ops.Gelu(),
        "gelu_tanh": ops.Gelu(tanh=True),
    }  # fmt: skip
    return _by_type(call, known, "leaky")


def _number(call: Call) -> float:
    return call.ask.number("scalar")


def _inverse(call: Call) -> float:
    """The reciprocal of the number that is divided by."""
    number = _number(call)
    if number == 0:
        raise call.ask.unsupported("a division by zero, or of zero", "scalar")
    return 1 / number


def _to_the(call: Call) -> Made:
    base = _number(call)
    if base <= 0:
        raise call.ask.unsupported(f"the powers of {base:g}", "scalar")
    return ops.Exp(base)


def _cast(call: Call) -> Made:
    """Numbers are float32 here; to whole ones is towards 0."""
    kind = call.ask.word("dtype", "")
    if kind == "bool":
        return ops.Compare("not_equal", 0.0)
    whole = kind.startswith(("int", "uint")) and call.x not in call.work.whole
    return comp.TRUNCATED if whole else ops.Identity()


def _dropout(call: Call) -> Made:
    call.ask.text("p"), call.ask.text("axes")
    if call.ask.word("mode", "training") == "always":
        raise call.ask.unsupported("Dropout in mode always is random when the net runs", "mode")
    return ops.Identity()


def _smooth_l1(call: Call) -> Made:
    """(sx)^2 / 2 below 1/s^2, then |x| - 1/(2s^2), s the scalar."""
    s2 = call.ask.number("scalar", 1.0) ** 2 or 1.0
    return (
        comp.Part("size", ops.Abs(), (0,)),
        comp.Part("near", ops.Compare("less", 1 / s2), (1,)),
        comp.Part("square", ops.Power(2.0, (s2 / 2) ** 0.5), (0,)),
        comp.Part("line", ops.Power(shift=-0.5 / s2), (1,)),
        comp.Part("", ops.Where(), (2, 3, 4)),
    )


_PLAIN: Final[Mapping[str, Operator | Composition | Lowering]] = {
    # one tensor
    "relu _npx_relu": ops.Relu(),
    "sigmoid _npx_sigmoid LogisticRegressionOutput": ops.Sigmoid(),
    "tanh _npi_tanh": ops.Tanh(),
    "exp _npi_exp": ops.Exp(),
    "log _npi_log": ops.Log(),
    "log2": ops.Log(2.0),
    "log10": ops.Log(10.0),
    "log1p": ops.Log(shift=1.0),
    "sqrt _npi_sqrt": ops.Power(0.5),
    "rsqrt": ops.Power(-0.5),
    "square _npi_square": ops.Power(2.0),
    "reciprocal": ops.Power(-1.0),
    "negative _npi_negative": ops.Power(scale=-1.0),
    "abs _npi_absolute": ops.Abs(),
    "erf": ops.Erf(),
    "sin": ops.Sin(),
    "cos": ops.Cos(),
    "floor": ops.Floor(),
    "ceil": ops.Ceil(),
    "sign": ops.Sign(),
    "ones_like": ops.Power(0.0),
    "zeros_like": comp.ZEROS,
    "softsign": comp.SOFTSIGN,
    "expm1": comp.EXPM1,
    "trunc fix": comp.TRUNCATED,
    "identity _copy _np_copy BlockGrad stop_gradient MakeLoss make_loss": ops.Identity(),
    "LinearRegressionOutput MAERegressionOutput SVMOutput": ops.Identity(),
    "IdentityAttachKLSparseReg": ops.Identity(),
    "Flatten flatten": ops.Flatten(),
    "Activation _npx_activation": lambda c: _by_type(c, _ACTIVATIONS, ""),
    "Dropout _npx_dropout": _dropout,
    "Cast cast amp_cast _npx_cast": _cast,
    "smooth_l1": _smooth_l1,
    "clip _npi_clip": lambda c: ops.Clip(c.ask.number("a_min"), c.ask.number("a_max")),
    "hard_sigmoid": lambda c: comp.hard_sigmoid(
        c.ask.number("alpha", 0.2), c.ask.number("beta", 0.5)
    ),
    "LRN": lambda c: ops.Lrn(
        c.ask.positive("nsize"),
        c.ask.number("alpha", 1e-4),
        c.ask.number("beta", 0.75),
        c.ask.number("knorm", 2.0),
        "across",
    ),
    "depth_to_space": lambda c: ops.DepthToSpace(c.ask.positive("block_size")),
    "space_to_depth": lambda c: ops.SpaceToDepth(c.ask.positive("block_size")),
    # a tensor and a number
    "_plus_scalar _PlusScalar _npi_add_scalar": lambda c: ops.Power(shift=_number(c)),
    "_minus_scalar _MinusScalar _npi_subtract_scalar": lambda c: ops.Power(shift=-_number(c)),
    "_rminus_scalar _RMinusScalar _npi_rsubtract_scalar": lambda c: ops.Power(
        1.0, -1.0, _number(c)
    ),
    "_mul_scalar _MulScalar _npi_multiply_scalar": lambda c: ops.Power(scale=_number(c)),
    "_div_scalar _DivScalar _npi_true_divide_scalar": lambda c: ops.Power(scale=_inverse(c)),
    "_rdiv_scalar _RDivScalar _npi_rtrue_divide_scalar": lambda c: ops.Power(-1.0, _inverse(c)),
    "_power_scalar _PowerScalar _npi_power_scalar": lambda c: ops.Power(_number(c)),
    "_rpower_scalar _RPowerScalar _npi_rpower_scalar": _to_the,
    "_maximum_scalar _MaximumScalar _npi_maximum_scalar": lambda c: with_number("max", _number(c)),
    "_minimum_scalar _MinimumScalar _npi_minimum_scalar": lambda c: with_number("min", _number(c)),
    # two tensors and three
    "elemwise_add _plus _Plus _add _grad_add": ops.Eltwise("sum"),
    "elemwise_sub _minus _Minus _sub": ops.Eltwise("difference"),
    "elemwise_mul _mul _Mul": ops.Eltwise("product"),
    "elemwise_div _div _Div": ops.Eltwise("quotient"),
    "_maximum _Maximum": ops.Eltwise("max"),
    "_minimum _Minimum": ops.Eltwise("min"),
    "_power _Power": ops.Eltwise("power"),
    "_mod _Mod": ops.Eltwise("floor_mod"),
    "broadcast_add broadcast_plus _npi_add": ops.Eltwise("sum", broadcast=True),
    "broadcast_sub broadcast_minus _npi_subtract": ops.Eltwise("difference", broadcast=True),
    "broadcast_mul _npi_multiply": ops.Eltwise("product", broadcast=True),
    "broadcast_div _npi_true_divide": ops.Eltwise("quotient", broadcast=True),
    "broadcast_maximum _npi_maximum": ops.Eltwise("max", broadcast=True),
    "broadcast_minimum _npi_minimum": ops.Eltwise("min", broadcast=True),
    "broadcast_power _npi_power": ops.Eltwise("power", broadcast=True),
    "broadcast_mod _npi_mod": ops.Eltwise("floor_mod", broadcast=True),
    "where": ops.Where(),
}
for _names, _meaning in _PLAIN.items():
    _known = _meaning if callable(_meaning) else (lambda call, made=_meaning: made)
    lowers(_names)(_known)


_COMPARED: Final[Mapping[str, ops.Compare]] = {
    "equal": ops.Compare("equal"), "not_equal": ops.Compare("not_equal"),
    "greater": ops.Compare("greater"), "greater_equal": ops.Compare("greater_equal"),
    "lesser": ops.Compare("less"), "lesser_equal": ops.Compare("less_equal"),
}  # fmt: skip


@lowers(*(f"{form}_{kind}" for kind in _COMPARED for form in ("", "broadcast")))
def _compare(call: Call) -> Made:
    return _COMPARED[call.node.op.removeprefix("broadcast").lstrip("_")]


@lowers(*(f"_{kind}_scalar" for kind in _COMPARED))
def _compare_number(call: Call) -> Made:
    kind = _COMPARED[call.node.op[1:].removesuffix("_scalar")].kind
    return ops.Compare(kind, _number(call))


@lowers("add_n ElementWiseSum _sum")
def _sum(call: Call) -> str:
    several = len(call.entries) > 1
    return call.emit(ops.Eltwise("sum") if several else ops.Identity(), call.values())
