"""Functions in a graph: `x + y` or `keras.ops.add` in Keras 3, TFOpLambda in Keras 2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly.compositions import Kind, with_number
from upconv.converters.readers.keras.activations import ACTIVATIONS, activated
from upconv.converters.readers.keras.arguments import argument, real
from upconv.converters.readers.keras.config import Ref
from upconv.converters.readers.keras.fields import is_int
from upconv.converters.readers.keras.layers_merge import concatenated, joined
from upconv.converters.readers.keras.layers_shape import permuted, reshaped
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function

Operand: TypeAlias = Value | float

_BINARY: Final[dict[str, Kind]] = {
    "add": "sum",
    "subtract": "difference",
    "multiply": "product",
    "divide": "quotient",
    "maximum": "max",
    "minimum": "min",
}
_UNARY: Final[dict[str, Operator]] = {
    "absolute": ops.Abs(),
    "negative": ops.Power(scale=-1.0),
    "exp": ops.Exp(),
    "erf": ops.Erf(),
    "rsqrt": ops.Power(power=-0.5),
    "reciprocal": ops.Power(power=-1.0),
    "log": ops.Log(),
    "sqrt": ops.Power(power=0.5),
    "square": ops.Power(power=2.0),
    "sin": ops.Sin(),
    "cos": ops.Cos(),
    "round": ops.Round(),
    "floor": ops.Floor(),
    "ceil": ops.Ceil(),
    "sign": ops.Sign(),
    "log1p": ops.Log(shift=1.0),
    "exp2": ops.Exp(base=2.0),
    "logical_not": ops.Compare("equal", 0.0),
}
_SYNONYMS: Final = {
    "true_divide": "divide",
    "truediv": "divide",
    "abs": "absolute",
    "neg": "negative",
    "mul": "multiply",
    "sub": "subtract",
    "concat": "concatenate",
    "re_lu": "relu",
    "re_lu6": "relu6",
    "si_lu": "silu",
    "swish": "silu",
    "hard_si_lu": "hard_silu",
    "identity": "linear",
    "pow": "power",
    "clip_by_value": "clip",
    "image_resize": "resize",
}


def operation_name(text: str) -> str:
    """A function's own name: `math.add` and `__operators__.add` are `add`.

    >>> operation_name("nn.relu"), operation_name("math.truediv")
    ('relu', 'divide')
    """
    name = text.rpartition(".")[2]
    return _SYNONYMS.get(name, name)


def operands(layer: KerasLayer) -> list[Any]:
    """The arguments in their order, tensors as Values."""
    values = iter(layer.inputs)
    return [
        _operand(item, values) for item in (*layer.call.arguments, *layer.call.keywords.values())
    ]


def _operand(item: Any, values: Any) -> Any:
    if isinstance(item, list):
        return [_operand(part, values) for part in item]
    return next(values) if isinstance(item, Ref) else item


@lowers_function(*_BINARY)
def _binary(layer: KerasLayer, step: Step) -> Value:
    """Two tensors, or a tensor and a number on either side."""
    kind = _BINARY[layer.type]
    pair = [item for item in operands(layer) if isinstance(item, Value | int | float)][:2]
    tensors = [item for item in pair if isinstance(item, Value)]
    if len(tensors) == 2:
        return joined(layer, step, tensors, ops.Eltwise(kind))
    if len(pair) != 2 or not tensors:
        raise layer.unsupported(f"{layer.type} of something else than tensors and numbers")
    number = next(float(item) for item in pair if not isinstance(item, Value))
    if kind == "quotient" and not number:
        raise layer.unsupported(f"{layer.type} of a tensor and the number {number}")
    behind = isinstance(pair[0], Value)
    return step.add(with_number(kind, number) if behind else _of_number(kind, number), [layer.x])


def _of_number(kind: Kind, number: float) -> Operator:
    """c - x, c / x, and what is the same either way."""
    if kind == "difference":
        return ops.Power(scale=-1.0, shift=number)
    if kind == "quotient":
        return ops.Power(power=-1.0, scale=1 / number)
    return with_number(kind, number)


@lowers_function(*_UNARY)
def _unary(layer: KerasLayer, step: Step) -> Value:
    return step.add(_UNARY[layer.type], [layer.x])


_ACTIVATIONS: Final = (
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "silu",
    "selu",
    "hard_sigmoid",
    "hard_silu",
    "linear",
)


@lowers_function(*_ACTIVATIONS)
def _activation(layer: KerasLayer, step: Step) -> Value:
    assert layer.type in ACTIVATIONS, "named above"
    if any(isinstance(item, int | float) for item in operands(layer)):
        raise layer.unsupported(f"{layer.type} with a parameter")
    return activated(layer, step, layer.x, layer.type, "")


@lowers_function("elu")
def _elu(layer: KerasLayer, step: Step) -> Value:
    return step.add(ops.Elu(real(layer, "alpha", default=1.0)), [layer.x])


@lowers_function("leaky_relu")
def _leaky(layer: KerasLayer, step: Step) -> Value:
    return step.add(ops.Relu(real(layer, "negative_slope", "alpha", default=0.2)), [layer.x])


@lowers_function("gelu")
def _gelu(layer: KerasLayer, step: Step) -> Value:
    """By tanh where not told otherwise in Keras, exact in TensorFlow."""
    approximate = argument(layer, "approximate", default=layer.version.is_3)
    return step.add(ops.Gelu(tanh=bool(approximate)), [layer.x])


@lowers_function("clip")
def _clip(layer: KerasLayer, step: Step) -> Value:
    low = real(layer, "x_min", "clip_value_min")
    high = real(layer, "x_max", "clip_value_max", place=2)
    return step.add(ops.Clip(low, high), [layer.x])


@lowers_function("power")
def _power(layer: KerasLayer, step: Step) -> Value:
    """By a number, of a positive number, or of two tensors."""
    items = [item for item in operands(layer) if isinstance(item, Value | int | float)]
    if items and not isinstance(items[0], Value):
        if items[0] <= 0:
            raise layer.unsupported(f"{items[0]:g} to the power of a tensor")
        return step.add(ops.Exp(float(items[0])), [layer.x])
    if len(items) > 1 and isinstance(items[1], Value):
        return joined(layer, step, layer.inputs, ops.Eltwise("power"))
    return step.add(ops.Power(power=real(layer, "x2", "y", "exponent")), [layer.x])


@lowers_function("concatenate")
def _concatenate(layer: KerasLayer, step: Step) -> Value:
    given = layer.call.keywords.get("axis", layer.config.get("axis"))
    numbers = [item for item in layer.call.arguments if is_int(item)]
    axis = given if given is not None else (numbers[0] if numbers else -1)
    return concatenated(layer, step, layer.inputs, axis)


@lowers_function("reshape")
def _reshape(layer: KerasLayer, step: Step) -> Value:
    """Only where N stays: the new shape begins with -1 or the batch size."""
    lists = [item for item in operands(layer) if isinstance(item, list)]
    target = lists[0] if lists else layer.config.list("newshape")
    if not target or not all(map(is_int, target)) or target[0] != -1:
        raise layer.unsupported("a reshape that may change the batch axis")
    return reshaped(layer, step, layer.x, target[1:])


@lowers_function("transpose")
def _transpose(layer: KerasLayer, step: Step) -> Value:
    lists = [item for item in operands(layer) if isinstance(item, list)]
    order = lists[0] if lists else layer.config.list("axes")
    if sorted(order, key=str) != sorted(range(len(order)), key=str) or not order:
        raise layer.unsupported("a transpose without an order of axes")
    return permuted(step, layer.x, tuple(order))


def as_operation(layer: KerasLayer, name: str) -> KerasLayer:
    """The layer under the name of its function."""
    return replace(layer, type=operation_name(name))
