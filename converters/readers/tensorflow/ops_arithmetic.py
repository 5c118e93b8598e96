"""Element by element over two tensors, or over a tensor and a constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.shapes import provably_differ
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.axes import Axes, Copies, Value, channels_last
from upconv.converters.readers.assembly.compositions import Kind, with_number
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.values import Entry, Missing

_KINDS: Final[Mapping[str, Kind]] = {
    "Add": "sum",
    "AddV2": "sum",
    "Sub": "difference",
    "Mul": "product",
    "RealDiv": "quotient",
    "Div": "quotient",
    "Maximum": "max",
    "Minimum": "min",
}


@lowers(*_KINDS)
def _binary(call: Call) -> Entry:
    kind = _KINDS[call.node.op]
    left, right = call.entry(0), call.entry(1)
    if isinstance(left, Value) and isinstance(right, Value):
        return _joined(call, kind, left, right)
    if any(isinstance(one, Known) and one.is_symbolic for one in (left, right)):
        return _joined(call, kind, call.tensor(0), call.tensor(1))
    if isinstance(left, Value):
        return _with_constant(call, kind, left, 1)
    return _reversed(call, kind)


def _joined(call: Call, kind: Kind, left: Value, right: Value, suffix: str = "") -> Value:
    names, axes = aligned(call, [left, right])
    shapes = [call.shape(name, len(axes or ())) for name in names]
    repeats = shapes[0] != shapes[1]  # sizes that only the image decides may be 1 on one side
    name = call.emit(ops.Eltwise(kind, broadcast=repeats), names, suffix=suffix)
    return Value(name, axes)


def aligned(call: Call, values: Sequence[Value]) -> tuple[list[str], Axes | None]:
    """The tensors with their axes in one order, that of the one which has the most to say; as they
    are where the rank of one is unknown."""
    ranks = [len(value.axes) for value in values if value.axes is not None]
    if len(ranks) < len(values):
        axes = next((value.axes for value in values if value.axes is not None), None)
        return [value.name for value in values], axes
    wide = [_extended(value, max(ranks)) for value in values]
    lead = min(wide, key=lambda value: _thinness(call, value))
    axes = call.ranked(call.real(lead))
    return [call.arranged(value, axes) for value in wide], axes


def _extended(value: Value, rank: int) -> Value:
    """Axes of size 1 in front, as many as it lacks."""
    axes = value.axes or ()
    return Value(value.name, (*(Copies() for _ in range(rank - len(axes))), *axes))


def _thinness(call: Call, value: Value) -> int:
    """How many axes have the size 1: the fewer, the more a tensor decides about the order."""
    return sum(size == 1 for size in call.known_sizes(value))


# With a constant

_WEIGHTS: Final[Mapping[Kind, tuple[str, Callable[[Any], Any]]]] = {
    "sum": ("bias", lambda c: c),
    "difference": ("bias", lambda c: -c),
    "product": ("scale", lambda c: c),
    "quotient": ("scale", lambda c: 1 / c),
}
"""x with a tensor behind it: the weight of Scale, and what of the constant it is."""


def _with_constant(call: Call, kind: Kind, value: Value, index: int, suffix: str = "") -> Value:
    """The value with the constant input `index` behind it."""
    number = number_of(call, index)
    if number is not None:
        if kind == "quotient" and number == 0:
            raise call.unsupported("a division by zero")
        relu = kind == "max" and number == 0
        operator = ops.Relu() if relu else with_number(kind, number)
        return call.unary(operator, _like_constant(call, value, index), suffix)
    if kind not in _WEIGHTS:
        raise call.unsupported(f"{call.node.op} with a constant that is no single number")
    name, change = _WEIGHTS[kind]
    value = _repeated(call, _like_constant(call, value, index), index)
    axis, weight = _along(call, value, index, change, kind)
    made = call.emit(ops.Scale(axis), [value.name], {name: weight}, suffix)
    return Value(made, value.axes)


def _reversed(call: Call, kind: Kind) -> Value:
    """The constant in front: c - x = -x + c and c / x = 1/x * c."""
    value = call.value(1)
    if kind == "difference":
        negative = call.unary(ops.Power(scale=-1.0), value, "negative")
        return _with_constant(call, "sum", negative, 0)
    if kind == "quotient":
        inverse = call.unary(ops.Power(power=-1.0), value, "inverse")
        return _with_constant(call, "product", inverse, 0)
    return _with_constant(call, kind, value, 0)


def number_of(call: Call, index: int) -> float | None:
    """The constant as a number, where all it holds is one."""
    entry = call.entry(index)
    if not isinstance(entry, Known) or entry.is_symbolic or any(size != 1 for size in entry.shape):
        return None
    return call.scalar(index, "constant")


def _like_constant(call: Call, value: Value, index: int) -> Value:
    """The value with at least as many axes as the constant; a rank that is unknown is that of an
    image."""
    rank = len(call.weight_shape(index, "constant"))
    if value.axes is None:
        return Value(value.name, channels_last(max(rank, 4))) if rank else value
    if rank > len(value.axes):
        value = _extended(value, rank)
    return call.real(value)


def _repeated(call: Call, value: Value, index: int) -> Value:
    """The value repeated along its axes of size 1 where the constant is longer."""
    own = call.weight_shape(index, "constant")
    sizes = call.known_sizes(value)
    for back in range(1, min(len(own), len(sizes)) + 1):
        place = call.ranked(value)[-back]
        if sizes[-back] == 1 and own[-back] != 1 and isinstance(place, int):
            tile = ops.Tile(place, own[-back])
            value = call.unary(tile, value, f"repeated{len(sizes) - back}")
    return value


def _along(
    call: Call, value: Value, index: int, change: Callable[[Any], Any], key: str
) -> tuple[int, Weight]:
    """(axis, weight): the constant in the order of the tensor, without the axes around it that it
    is repeated along."""
    axes = call.ranked(value)
    own = call.weight_shape(index, "constant")
    shape = (1,) * (len(axes) - len(own)) + own
    _require_fits(call, call.known_sizes(value), shape)
    order = sorted(range(len(axes)), key=lambda i: _int(axes[i]))
    turned = tuple(shape[i] for i in order)
    wide = [place for place, size in enumerate(turned) if size != 1] or [len(axes) - 1]
    kept = turned[wide[0] : wide[-1] + 1]

    def arrange(values: Any) -> Any:
        return change(values).reshape(shape).transpose(order)

    turn: Order = (lambda old: kept, arrange)
    return wide[0], call.weight(index, "constant", turn, (key, tuple(order)))


def _int(axis: int | Copies) -> int:
    assert isinstance(axis, int), "all axes are there"
    return axis


def _require_fits(call: Call, sizes: Sequence[Size], shape: Sequence[int]) -> None:
    for size, constant in zip(sizes, shape, strict=True):
        if constant == 1 or not provably_differ(size, constant):
            continue
        raise call.invalid(
            f"a constant of the shape {tuple(shape)} beside {tuple(map(str, sizes))}"
        )


@lowers("AddN")
def _add_all(call: Call) -> Entry:
    """Two at a time."""
    places = range(len(call.entries))
    constants = [at for at in places if isinstance(call.entry(at), Known | Missing)]
    values = [call.value(at) for at in places if at not in constants]
    if not values:
        raise call.unsupported("a sum of constants")
    total = values[0]
    for at, value in enumerate(values[1:], start=1):
        last = at == len(values) - 1 and not constants
        total = _joined(call, "sum", total, value, "" if last else f"sum{at}")
    for at in constants:
        total = _with_constant(call, "sum", total, at, "" if at == constants[-1] else f"add{at}")
    return total


@lowers("SquaredDifference")
def _squared_difference(call: Call) -> Entry:
    left, right = call.entry(0), call.entry(1)
    if isinstance(left, Value) and isinstance(right, Value):
        difference = _joined(call, "difference", left, right, "difference")
    else:
        at = 0 if isinstance(left, Value) else 1
        difference = _with_constant(call, "difference", call.value(at), 1 - at, "difference")
    return call.unary(ops.Power(power=2.0), difference)


@lowers("Pow")
def _power(call: Call) -> Entry:
    """By a number, of a positive number, or of two tensors."""
    exponent, base = (number_of(call, index) for index in (1, 0))
    if exponent is not None:
        return call.unary(ops.Power(power=exponent), call.value())
    if base is not None and base > 0:
        return call.unary(ops.Exp(base), call.value(1))
    return _of_two(call, ops.Eltwise("power", broadcast=True))


_RESTS: Final[Mapping[str, Literal["floor_mod", "trunc_mod"]]] = {
    "FloorMod": "floor_mod",
    "Mod": "trunc_mod",
    "TruncateMod": "trunc_mod",
}


@lowers(*_RESTS)
def _rest(call: Call) -> Entry:
    return _of_two(call, ops.Eltwise(_RESTS[call.node.op], broadcast=True))


@lowers("FloorDiv")
def _floor_division(call: Call) -> Entry:
    quotient = _of_two(call, ops.Eltwise("quotient", broadcast=True), "quotient")
    return call.unary(ops.Floor(), quotient)


def _of_two(call: Call, operator: ops.Operator, suffix: str = "") -> Value:
    """Two tensors, constants among them, whose sizes of 1 are repeated."""
    names, axes = aligned(call, [call.tensor(0), call.tensor(1)])
    return Value(call.emit(operator, names, suffix=suffix), axes)


@lowers("BiasAdd", "BiasAddV1")
def _bias(call: Call) -> Entry:
    """Along the last axis, or the second where channels are first."""
    value = call.value()
    first = call.node.word("data_format", "NHWC").startswith("NC")
    if not first:
        return _with_constant(call, "sum", value, 1)
    value = call.real(value)
    axes = value.axes
    shape = call.weight_shape(1, "bias")
    if len(shape) != 1 or (axes is not None and len(axes) < 2):
        raise call.invalid(f"a bias of the shape {shape} along the second axis")
    place = 1 if axes is None else _int(axes[1])
    bias = call.weight(1, "bias")
    return Value(call.emit(ops.Scale(place), [value.name], {"bias": bias}), axes)
