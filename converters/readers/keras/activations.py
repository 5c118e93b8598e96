"""Activation functions, as arguments of layers and as layers.

Formulas: keras/src/activations/activations.py and Keras 2's activations.py; the two differ in
hard_sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.fields import ir_axis
from upconv.converters.readers.keras.layout import Value
from upconv.converters.readers.keras.lowering import LAYERS, KerasLayer, LambdaError, Step

Activation: TypeAlias = Callable[[KerasLayer, Step, Value, str], Value]
"""(layer, step, x, suffix) -> the activated value; the last operator bears the suffix."""

SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946
ACTIVATIONS: Final[dict[str, Activation]] = {}


def activate(layer: KerasLayer, step: Step, x: Value, own: bool = False) -> Value:
    """The layer's `activation` argument applied to its result; `own` where it is all it does."""
    given = layer.config.get("activation")
    if given is None or given == "linear":
        return x
    name = function_name(given)
    if name is not None:
        return activated(layer, step, x, name, "" if own else name)
    return _unusual(layer, step, x, given)


def activated(layer: KerasLayer, step: Step, x: Value, name: str, suffix: str) -> Value:
    """The activation of that name; an unknown one becomes an operator that is not known."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name](layer, step, x, suffix)
    return unknown_part(step, x, f"activation {name}", "it is not one of Keras's", suffix)


def unknown_part(step: Step, x: Value, type_name: str, reason: str, suffix: str) -> Value:
    """A part of a layer that is not known: the rest of the layer is still checked."""
    from upconv.converters.ir.model import Notice

    error = step.layer.unsupported(f"{type_name}: {reason}", "activation")
    step.work.notices.append(Notice("UP003", error))
    return step.add(ops.Unknown(type_name, reason), [x], suffix=suffix)


def function_name(given: Any) -> str | None:
    """The name of one of Keras's own functions, None where it is something else."""
    if isinstance(given, str):
        return given
    if isinstance(given, JsonObject) and given.get("class_name") in ACTIVATION_CLASSES:
        return ACTIVATION_CLASSES[given.text("class_name")]
    return None


def _unusual(layer: KerasLayer, step: Step, x: Value, given: Any) -> Value:
    """An activation that is a layer of Keras, or code."""
    type_name = given.text("class_name") if isinstance(given, JsonObject) else str(given)
    if type_name == "__lambda__" or (isinstance(given, JsonObject) and given.list("value")):
        raise LambdaError(
            "its activation is Python code stored in the file, which is never run",
            hint="save the model with a named activation",
        )
    config = given.object("config") if isinstance(given, JsonObject) else None
    if type_name in LAYERS and config is not None:
        from dataclasses import replace

        inner = replace(layer, type=type_name, config=config, inputs=(x,))
        made = LAYERS[type_name](inner, step)
        return made if isinstance(made, Value) else made[0]
    named = given.get("config") if isinstance(given, JsonObject) else None
    name = named if isinstance(named, str) else type_name
    return unknown_part(step, x, f"activation {name}", "a function of the user's own", "activation")


ACTIVATION_CLASSES: Final = {"Relu6": "relu6", "Silu": "silu", "Swish": "swish"}


def _simple(*operators: Operator) -> Activation:
    """A chain of operators of one input."""

    def make(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
        for operator in operators[:-1]:
            x = step.add(operator, [x], suffix=_part(suffix, operator))
        return step.add(operators[-1], [x], suffix=suffix)

    return make


def _part(suffix: str, operator: Operator) -> str:
    name = type(operator).__name__.lower()
    return f"{suffix}/{name}" if suffix else name


def _times_x(*gate: Operator) -> Activation:
    """x times a chain of operators on x."""

    def make(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
        y = x
        for operator in gate:
            y = step.add(operator, [y], suffix=_part(suffix, operator))
        return step.add(ops.Eltwise("product"), [x, y], suffix=suffix)

    return make


def _hard_sigmoid(layer: KerasLayer) -> tuple[Operator, Operator]:
    """clip(x/6 + 1/2, 0, 1) in Keras 3, clip(x/5 + 1/2, 0, 1) before."""
    slope = 1 / 6 if layer.version.is_3 else 0.2
    return ops.Power(scale=slope, shift=0.5), ops.Clip(0.0, 1.0)


def _softmax(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
    return step.add(ops.Softmax(ir_axis(layer, step, -1, x)), [x], suffix=suffix)


def _log_softmax(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
    return step.add(ops.Softmax(ir_axis(layer, step, -1, x), log=True), [x], suffix=suffix)


def _log_sigmoid(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
    """-softplus(-x)."""
    minus = ops.Power(scale=-1.0)
    x = step.add(minus, [x], suffix=_part(suffix, minus))
    x = step.add(ops.Softplus(), [x], suffix=_part(suffix, ops.Softplus()))
    return step.add(minus, [x], suffix=suffix)


def _less(operator: Operator) -> Activation:
    """x minus an operator on x."""

    def make(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
        taken = step.add(operator, [x], suffix=_part(suffix, operator))
        return step.add(ops.Eltwise("difference"), [x, taken], suffix=suffix)

    return make


def _squareplus(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
    """(x + sqrt(x^2 + 4)) / 2."""
    square = step.add(ops.Power(power=2.0), [x], suffix=f"{suffix}/square".lstrip("/"))
    root = ops.Power(power=0.5, shift=4.0)
    y = step.add(root, [square], suffix=f"{suffix}/root".lstrip("/"))
    return step.add(ops.Eltwise("sum", (0.5, 0.5)), [x, y], suffix=suffix)


def _softsign(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
    """x / (1 + |x|)."""
    size = step.add(ops.Abs(), [x], suffix=_part(suffix, ops.Abs()))
    below = step.add(ops.Power(shift=1.0), [size], suffix=_part(suffix, ops.Power()))
    return step.add(ops.Eltwise("quotient"), [x, below], suffix=suffix)


_NAMED: Final[dict[str, Activation]] = {
    "linear": lambda layer, step, x, suffix: x,
    "relu": _simple(ops.Relu()),
    "relu6": _simple(ops.Clip(0.0, 6.0)),
    "leaky_relu": _simple(ops.Relu(0.2)),
    "elu": _simple(ops.Elu(1.0)),
    "selu": _simple(ops.Elu(SELU_ALPHA), ops.Power(scale=SELU_SCALE)),
    "sigmoid": _simple(ops.Sigmoid()),
    "tanh": _simple(ops.Tanh()),
    "softplus": _simple(ops.Softplus()),
    "softsign": _softsign,
    "exponential": _simple(ops.Exp()),
    "swish": _simple(ops.Swish()),
    "silu": _simple(ops.Swish()),
    "gelu": _simple(ops.Gelu()),
    "mish": _times_x(ops.Softplus(), ops.Tanh()),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "hard_sigmoid": lambda layer, step, x, s: _simple(*_hard_sigmoid(layer))(layer, step, x, s),
    "celu": _simple(ops.Elu(1.0)),
    "log_sigmoid": _log_sigmoid,
    "tanh_shrink": _less(ops.Tanh()),
    "soft_shrink": _less(ops.Clip(-0.5, 0.5)),
    "hard_shrink": _times_x(ops.Abs(), ops.Compare("greater", 0.5)),
    "squareplus": _squareplus,
    "hard_tanh": _simple(ops.Clip(-1.0, 1.0)),
    "square": _simple(ops.Power(power=2.0)),
    **dict.fromkeys(
        ("hard_silu", "hard_swish"),
        lambda layer, step, x, s: _times_x(*_hard_sigmoid(layer))(layer, step, x, s),
    ),
}
ACTIVATIONS.update(_NAMED)
