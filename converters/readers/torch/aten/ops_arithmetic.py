"""Sums, differences, products and quotients: of tensors, with numbers, with stored tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight
from upconv.converters.readers.assembly.compositions import Kind, with_number
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers
from upconv.converters.readers.torch.aten.ops_activations import truncated

KINDS: Final[dict[str, Kind]] = {
    "add": "sum",
    "sub": "difference",
    "mul": "product",
    "div": "quotient",
    "maximum": "max",
    "minimum": "min",
    "max": "max",
    "min": "min",
    "true_divide": "quotient",
}


@dataclass(frozen=True, slots=True)
class Operands:
    """left kind right, where one of them may be a number or a stored tensor."""

    kind: Kind
    left: Any
    right: Any
    alpha: float = 1.0


@lowers(
    *(f"{name}.Tensor" for name in ("add", "sub", "mul", "div")),
    *(f"{name}_.Tensor" for name in ("add", "sub", "mul", "div")),
    *(f"{name}.Scalar" for name in ("add", "sub", "mul", "div")),
    "maximum.default",
    "minimum.default",
    "max.other",
    "min.other",
    "true_divide.Tensor",
)
def _binary(call: AtenCall) -> None:
    kind = KINDS[call.node.target.split(".")[1].removesuffix("_")]
    alpha = call.number("alpha", 1.0)
    if kind == "sum" and all(call.is_truth(call.get(name)) for name in ("self", "other")):
        kind = "max"  # truth values are added as "or"
    _combine(call, Operands(kind, call.get("self"), call.get("other"), alpha))


RESTS: Final[dict[str, Literal["floor_mod", "trunc_mod"]]] = {
    "remainder": "floor_mod",
    "fmod": "trunc_mod",
}


@lowers(
    *(f"{name}.{kind}" for name in RESTS for kind in ("Scalar", "Tensor")),
    "remainder.Scalar_Tensor",
)
def _rest(call: AtenCall) -> None:
    operator = ops.Eltwise(RESTS[call.node.target.split(".")[1]], broadcast=True)
    call.emit(operator, call.two_operands("self", "other"))


@lowers("div.Tensor_mode", "div.Scalar_mode", "floor_divide.default", "floor_divide.Scalar")
def _rounded_quotient(call: AtenCall) -> None:
    """A quotient, rounded down or towards 0."""
    floors = call.node.target.startswith("aten.floor_divide")
    mode = "floor" if floors else call.get("rounding_mode")
    if mode not in ("floor", "trunc", None):
        raise UnsupportedError(f"its rounding_mode is {mode}")
    operator = ops.Eltwise("quotient", broadcast=True)
    quotient = call.step(operator, call.two_operands("self", "other"), "quotient")
    if mode == "trunc":
        quotient = truncated(call, quotient)
    call.emit(ops.Floor() if mode == "floor" else ops.Identity(), [quotient])


@lowers("pow.Tensor_Tensor", "pow.Scalar")
def _power(call: AtenCall) -> None:
    """A positive number to the power of a tensor is an exponential function."""
    base = call.scalar(call.get("self"))
    if base is not None and base > 0 and call.is_value(call.get("exponent")):
        call.emit(ops.Exp(float(base)), [call.value("exponent")])
        return
    call.emit(ops.Eltwise("power", broadcast=True), call.two_operands("self", "exponent"))


@lowers("clamp.Tensor")
def _clamp(call: AtenCall) -> None:
    """Between two tensors, either of which may be absent."""
    value = call.value("self")
    if call.get("min") is not None:
        bounds = [value, call.operand(call.get("min"))]
        value = call.step(ops.Eltwise("max", broadcast=True), bounds, "least")
    if call.get("max") is not None:
        bounds = [value, call.operand(call.get("max"))]
        value = call.step(ops.Eltwise("min", broadcast=True), bounds, "most")
    call.emit(ops.Identity(), [value])


@lowers("rsub.Scalar", "rsub.Tensor")
def _reversed(call: AtenCall) -> None:
    """other - alpha * self."""
    alpha = call.number("alpha", 1.0)
    _combine(call, Operands("difference", call.get("other"), call.get("self"), alpha))


def _combine(call: AtenCall, operands: Operands) -> None:
    computed = [call.is_value(one) for one in (operands.left, operands.right)]
    if all(computed):
        _two_values(call, operands)
        return
    if not any(computed):
        raise UnsupportedError("neither of its operands is computed by the network")
    other = operands.left if computed[1] else operands.right
    scalar = call.scalar(other)
    if scalar is not None:
        _with_number(call, operands, scalar, reverse=computed[1])
    elif isinstance(other, Dim):
        _two_values(call, operands)
    elif _is_scale(call, operands, other, reverse=computed[1]):
        _with_stored(call, operands, other, reverse=computed[1])
    else:
        _two_values(call, operands)


def _two_values(call: AtenCall, operands: Operands) -> None:
    left, right = call.operand(operands.left), call.operand(operands.right)
    shapes = [call.sizes_known(one) for one in (operands.left, operands.right)]
    same = None not in shapes and shapes[0] == shapes[1]
    coefficients: tuple[float, ...] = ()
    kind = operands.kind
    if operands.alpha != 1.0:
        sign = -1.0 if kind == "difference" else 1.0
        kind, coefficients = "sum", (1.0, sign * operands.alpha)
    if left == right:
        right = call.step(ops.Identity(), [right], "copy")
    call.emit(ops.Eltwise(kind, coefficients, broadcast=not same), [left, right])


def _with_number(call: AtenCall, operands: Operands, number: float, reverse: bool) -> None:
    x = call.value(operands.right if reverse else operands.left)
    number = float(number) * (operands.alpha if not reverse else 1.0)
    if operands.kind in ("max", "min"):
        bounds = {"max": (number, float("inf")), "min": (float("-inf"), number)}
        call.emit(ops.Clip(*bounds[operands.kind]), [x])
        return
    if reverse and operands.kind == "quotient":
        inverse = call.step(ops.Power(-1.0), [x], "inverse")
        call.emit(ops.Power(scale=number), [inverse])
        return
    if operands.kind == "quotient" and number == 0:
        raise UnsupportedError("it divides by zero")
    behind = with_number(operands.kind, number)
    call.emit(_BEHIND[operands.kind](number, operands.alpha) if reverse else behind, [x])


_BEHIND: Final[dict[Kind, Callable[[float, float], ops.Power]]] = {
    "sum": lambda number, alpha: ops.Power(scale=alpha, shift=number),
    "difference": lambda number, alpha: ops.Power(scale=-alpha, shift=number),
    "product": lambda number, alpha: ops.Power(scale=number),
}
"""What x becomes behind a number."""


def _with_stored(call: AtenCall, operands: Operands, other: Any, reverse: bool) -> None:
    """A stored tensor scales or shifts the axes it has: a Scale with that weight."""
    data = call.constant(other)
    assert data is not None, "asked before"
    reference = operands.right if reverse else operands.left
    x, sizes = call.value(reference), call.meta(reference).sizes
    factor = operands.alpha if operands.kind == "sum" else -operands.alpha
    if reverse and operands.kind in ("sum", "difference") and factor != 1.0:
        x = call.step(ops.Power(scale=factor), [x], "scaled")
    covered = _covered(data.shape, sizes)
    assert covered is not None, "asked before"
    axis, shape = covered
    change = _CHANGES[operands.kind, reverse]

    def values() -> FloatArray:
        import numpy as np

        with np.errstate(all="ignore"):
            return change(data.array(), operands.alpha).reshape(shape)

    weight = Weight(shape, ArrayData(shape, values))
    name = "bias" if operands.kind in ("sum", "difference") else "scale"
    call.emit(ops.Scale(axis), [x], {name: weight})


_Change = Callable[[FloatArray, float], FloatArray]
_CHANGES: Final[dict[tuple[Kind, bool], _Change]] = {
    ("sum", False): lambda values, alpha: values * _float32(alpha),
    ("sum", True): lambda values, alpha: values,
    ("difference", False): lambda values, alpha: values * _float32(-alpha),
    ("difference", True): lambda values, alpha: values,
    ("product", False): lambda values, alpha: values,
    ("product", True): lambda values, alpha: values,
    ("quotient", False): lambda values, alpha: _reciprocal(values),
}


def _reciprocal(values: FloatArray) -> FloatArray:
    import numpy as np

    return np.reciprocal(values)


def _float32(number: float) -> Any:
    import numpy as np

    return np.float32(number)


def _is_scale(call: AtenCall, operands: Operands, other: Any, reverse: bool) -> bool:
    """Whether a Scale says it; a product with a tensor that makes x larger, say, is none."""
    data = call.constant(other)
    if data is None:
        raise UnsupportedError("one of its operands is no tensor and no number")
    if operands.kind in ("max", "min") or (reverse and operands.kind == "quotient"):
        return False
    reference = operands.right if reverse else operands.left
    return _covered(data.shape, call.meta(reference).sizes) is not None


def _covered(
    stored: tuple[int, ...], sizes: tuple[int | str, ...]
) -> tuple[int, tuple[int, ...]] | None:
    """(axis, shape): the axes of x that a stored tensor covers once its outer ones are dropped.

    None where it would make x larger, or repeats along an axis inside.
    """
    if len(stored) > len(sizes):
        return None
    first = len(sizes) - len(stored)
    places = [i for i, size in enumerate(stored) if size != 1]
    if not places:
        return len(sizes) - 1, (1,)
    begin, end = places[0], places[-1] + 1
    inner = stored[begin:end]
    if any(a != b for a, b in zip(inner, sizes[first + begin :], strict=False)):
        return None
    return first + begin, inner
