"""Element by element: two tensors, a tensor and a number, one tensor (src/operator/tensor)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import Composition, with_number
from upconv.converters.readers.mxnet.lowering import Call, lowers

Relation: TypeAlias = Literal[
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal"
]
Pair: TypeAlias = Literal[
    "sum", "difference", "product", "quotient", "max", "min", "power", "floor_mod"
]

_PAIRS: Final[Mapping[Pair, str]] = {
    "sum": "elemwise_add _plus _Plus _add broadcast_add broadcast_plus _npi_add _grad_add",
    "difference": "elemwise_sub _minus _Minus _sub broadcast_sub broadcast_minus _npi_subtract",
    "product": "elemwise_mul _mul _Mul broadcast_mul _npi_multiply",
    "quotient": "elemwise_div _div _Div broadcast_div _npi_true_divide",
    "max": "_maximum _Maximum broadcast_maximum _npi_maximum",
    "min": "_minimum _Minimum broadcast_minimum _npi_minimum",
    "power": "_power _Power broadcast_power _npi_power",
    "floor_mod": "_mod _Mod broadcast_mod _npi_mod",
}
_PAIR_OF: Final = {name: kind for kind, names in _PAIRS.items() for name in names.split()}


@lowers(*_PAIR_OF)
def _pair(call: Call) -> str:
    op = call.node.op
    broadcast = op.startswith(("broadcast", "_npi"))
    return call.emit(ops.Eltwise(_PAIR_OF[op], broadcast=broadcast), call.values()[:2])


@lowers("add_n ElementWiseSum _sum")
def _sum(call: Call) -> str:
    call.attributes.text("num_args")
    values = call.values()
    return call.emit(ops.Eltwise("sum") if len(values) > 1 else ops.Identity(), values)


_NUMBERS: Final[Mapping[Literal["sum", "difference", "product", "max", "min"], str]] = {
    "sum": "_plus_scalar _PlusScalar _npi_add_scalar",
    "difference": "_minus_scalar _MinusScalar _npi_subtract_scalar",
    "product": "_mul_scalar _MulScalar _npi_multiply_scalar",
    "max": "_maximum_scalar _MaximumScalar _npi_maximum_scalar",
    "min": "_minimum_scalar _MinimumScalar _npi_minimum_scalar",
}
_NUMBER_OF: Final = {name: kind for kind, names in _NUMBERS.items() for name in names.split()}


@lowers(*_NUMBER_OF)
def _with_number(call: Call) -> str:
    number = call.attributes.number("scalar")
    return call.emit(with_number(_NUMBER_OF[call.node.op], number), [call.value()])


@lowers("_div_scalar _DivScalar _npi_true_divide_scalar")
def _over_number(call: Call) -> str:
    number = call.attributes.number("scalar")
    if number == 0:
        raise call.unsupported("a division by zero", "scalar")
    return call.emit(with_number("quotient", number), [call.value()])


@lowers("_rminus_scalar _RMinusScalar _npi_rsubtract_scalar")
def _from_number(call: Call) -> str:
    return call.emit(ops.Power(1.0, -1.0, call.attributes.number("scalar")), [call.value()])


@lowers("_rdiv_scalar _RDivScalar _npi_rtrue_divide_scalar")
def _number_over(call: Call) -> str:
    inverse = call.step(ops.Power(-1.0), [call.value()], "inverse")
    return call.emit(ops.Power(scale=call.attributes.number("scalar")), [inverse])


@lowers("_power_scalar _PowerScalar _npi_power_scalar")
def _to_number(call: Call) -> str:
    return call.emit(ops.Power(call.attributes.number("scalar")), [call.value()])


@lowers("_rpower_scalar _RPowerScalar _npi_rpower_scalar")
def _number_to(call: Call) -> str:
    base = call.attributes.number("scalar")
    if base <= 0:
        raise call.unsupported(f"the powers of {base:g}", "scalar")
    return call.emit(ops.Exp(base), [call.value()])


_RELATIONS: Final[Mapping[str, Relation]] = {
    "equal": "equal",
    "not_equal": "not_equal",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "lesser": "less",
    "lesser_equal": "less_equal",
}
_COMPARED: Final = {f"{head}{name}": name for name in _RELATIONS for head in ("_", "broadcast_")}
_COMPARED_TO: Final = {f"_{name}_scalar": name for name in _RELATIONS}


@lowers(*_COMPARED)
def _compare(call: Call) -> str:
    return call.emit(ops.Compare(_RELATIONS[_COMPARED[call.node.op]]), call.values()[:2])


@lowers(*_COMPARED_TO)
def _compare_to(call: Call) -> str:
    relation = _RELATIONS[_COMPARED_TO[call.node.op]]
    return call.emit(ops.Compare(relation, call.attributes.number("scalar")), [call.value()])


@lowers("where")
def _where(call: Call) -> str:
    return call.emit(ops.Where(), call.values()[:3])


# One tensor

_SIMPLE: Final[Mapping[str, Operator]] = {
    "relu": ops.Relu(),
    "_npx_relu": ops.Relu(),
    "sigmoid": ops.Sigmoid(),
    "_npx_sigmoid": ops.Sigmoid(),
    "LogisticRegressionOutput": ops.Sigmoid(),
    "tanh": ops.Tanh(),
    "_npi_tanh": ops.Tanh(),
    "exp": ops.Exp(),
    "_npi_exp": ops.Exp(),
    "log": ops.Log(),
    "_npi_log": ops.Log(),
    "log2": ops.Log(2.0),
    "log10": ops.Log(10.0),
    "log1p": ops.Log(shift=1.0),
    "sqrt": ops.Power(0.5),
    "_npi_sqrt": ops.Power(0.5),
    "rsqrt": ops.Power(-0.5),
    "square": ops.Power(2.0),
    "_npi_square": ops.Power(2.0),
    "reciprocal": ops.Power(-1.0),
    "negative": ops.Power(scale=-1.0),
    "_npi_negative": ops.Power(scale=-1.0),
    "abs": ops.Abs(),
    "_npi_absolute": ops.Abs(),
    "erf": ops.Erf(),
    "sin": ops.Sin(),
    "cos": ops.Cos(),
    "floor": ops.Floor(),
    "ceil": ops.Ceil(),
    "sign": ops.Sign(),
    "ones_like": ops.Power(0.0),
    **dict.fromkeys(
        (
            *("identity", "_copy", "BlockGrad", "stop_gradient", "MakeLoss", "make_loss"),
            *("LinearRegressionOutput", "MAERegressionOutput", "SVMOutput", "_np_copy"),
            "IdentityAttachKLSparseReg",
        ),
        ops.Identity(),
    ),
}


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
