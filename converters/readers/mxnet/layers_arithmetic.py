"""Element by element: two tensors, a tensor and a number, one tensor (src/operator/tensor)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import Composition, with_number
from upconv.converters.readers.mxnet.lowering import Call, lowers

Entry = TypeVar("Entry")


def _by_name(table: Mapping[str, Entry]) -> dict[str, Entry]:
    """A table whose keys hold several names, by each of them."""
    return {name: entry for names, entry in table.items() for name in names.split()}


_PAIRS: Final[Mapping[str, Operator]] = _by_name(
    {
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
        "_equal broadcast_equal": ops.Compare("equal"),
        "_not_equal broadcast_not_equal": ops.Compare("not_equal"),
        "_greater broadcast_greater": ops.Compare("greater"),
        "_greater_equal broadcast_greater_equal": ops.Compare("greater_equal"),
        "_lesser broadcast_lesser": ops.Compare("less"),
        "_lesser_equal broadcast_lesser_equal": ops.Compare("less_equal"),
    }
)
"""Operators of two tensors."""


@lowers(*_PAIRS)
def _pair(call: Call) -> str:
    return call.emit(_PAIRS[call.node.op], call.values()[:2])


@lowers("add_n ElementWiseSum _sum")
def _sum(call: Call) -> str:
    call.attributes.text("num_args")
    values = call.values()
    return call.emit(ops.Eltwise("sum") if len(values) > 1 else ops.Identity(), values)


_NUMBERS: Final[Mapping[str, Callable[[float], Operator]]] = _by_name(
    {
        "_plus_scalar _PlusScalar _npi_add_scalar": lambda c: ops.Power(shift=c),
        "_minus_scalar _MinusScalar _npi_subtract_scalar": lambda c: ops.Power(shift=-c),
        "_rminus_scalar _RMinusScalar _npi_rsubtract_scalar": lambda c: ops.Power(1.0, -1.0, c),
        "_mul_scalar _MulScalar _npi_multiply_scalar": lambda c: ops.Power(scale=c),
        "_div_scalar _DivScalar _npi_true_divide_scalar": lambda c: ops.Power(scale=1 / c),
        "_rdiv_scalar _RDivScalar _npi_rtrue_divide_scalar": lambda c: ops.Power(-1.0, 1 / c),
        "_power_scalar _PowerScalar _npi_power_scalar": ops.Power,
        "_maximum_scalar _MaximumScalar _npi_maximum_scalar": lambda c: with_number("max", c),
        "_minimum_scalar _MinimumScalar _npi_minimum_scalar": lambda c: with_number("min", c),
        "_equal_scalar": lambda c: ops.Compare("equal", c),
        "_not_equal_scalar": lambda c: ops.Compare("not_equal", c),
        "_greater_scalar": lambda c: ops.Compare("greater", c),
        "_greater_equal_scalar": lambda c: ops.Compare("greater_equal", c),
        "_lesser_scalar": lambda c: ops.Compare("less", c),
        "_lesser_equal_scalar": lambda c: ops.Compare("less_equal", c),
    }
)
"""Operators of a tensor and a number."""


@lowers(*_NUMBERS)
def _with_number(call: Call) -> str:
    try:
        operator = _NUMBERS[call.node.op](call.attributes.number("scalar"))
    except ZeroDivisionError:
        raise call.unsupported("a division by zero, or of zero", "scalar") from None
    return call.emit(operator, [call.value()])


@lowers("_rpower_scalar _RPowerScalar _npi_rpower_scalar")
def _number_to(call: Call) -> str:
    base = call.attributes.number("scalar")
    if base <= 0:
        raise call.unsupported(f"the powers of {base:g}", "scalar")
    return call.emit(ops.Exp(base), [call.value()])


@lowers("where")
def _where(call: Call) -> str:
    return call.emit(ops.Where(), call.values()[:3])


# One tensor

_SIMPLE: Final[Mapping[str, Operator]] = _by_name(
    {
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
        "identity _copy _np_copy BlockGrad stop_gradient MakeLoss make_loss": ops.Identity(),
        "LinearRegressionOutput MAERegressionOutput SVMOutput": ops.Identity(),
        "IdentityAttachKLSparseReg": ops.Identity(),
    }
)


@lowers(*_SIMPLE)
def _simple(call: Call) -> str:
    call.attributes.text("dtype")
    return call.emit(_SIMPLE[call.node.op], [call.value()])


_COMPOSED: Final[Mapping[str, Composition]] = {
    "softsign": compositions.SOFTSIGN,
    "zeros_like": compositions.ZEROS,
    "expm1": compositions.EXPM1,
    "trunc": compositions.TRUNCATED,
    "fix": compositions.TRUNCATED,
}


@lowers(*_COMPOSED)
def _composed(call: Call) -> str:
    call.attributes.text("dtype")
    return call.compose(_COMPOSED[call.node.op], call.value())


@lowers("Cast cast amp_cast _npx_cast")
def _cast(call: Call) -> str:
    """Numbers are float32 here; to whole ones is towards 0."""
    kind, x = call.attributes.word("dtype", ""), call.value()
    if kind == "bool":
        return call.emit(ops.Compare("not_equal", 0.0), [x])
    if kind.startswith(("int", "uint")) and x not in call.work.whole:
        return call.compose(compositions.TRUNCATED, x)
    return call.emit(ops.Identity(), [x])


@lowers("Dropout _npx_dropout")
def _dropout(call: Call) -> str:
    for name in ("p", "axes"):
        call.attributes.text(name)
    if call.attributes.word("mode", "training") == "always":
        raise call.unsupported("Dropout in mode always is random when the net runs", "mode")
    return call.emit(ops.Identity(), [call.value()])


@lowers("clip _npi_clip")
def _clip(call: Call) -> str:
    low, high = (call.attributes.number(name) for name in ("a_min", "a_max"))
    return call.emit(ops.Clip(low, high), [call.value()])
