"""Activation functions, as arguments of layers and as layers.

Formulas: keras/src/activations/activations.py and Keras 2's activations.py; the two differ in
hard_sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import Composition, chain, composed
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.fields import ir_axis
from upconv.converters.readers.keras.lowering import LAYERS, KerasLayer, LambdaError, Step, Value

Activation: TypeAlias = Callable[[KerasLayer, Step, Value, str], Value]
"""(layer, step, x, suffix) -> the activated value; the last operator bears the suffix."""


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
    step.work.refuse(step.layer.unsupported(f"{type_name}: {reason}", "activation"))
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


def _made(composition: Composition) -> Activation:
    """A composition whose inner operators are named by what they are."""

    def make(layer: KerasLayer, step: Step, x: Value, suffix: str) -> Value:
        def emit(operator: Operator, inputs: Sequence[Value], what: str) -> Value:
            inner = f"{suffix}/{type(operator).__name__.lower()}".lstrip("/")
            return step.add(operator, inputs, suffix=inner if what else suffix)

        return composed(composition, x, emit)

    return make


def _one(operator: Operator) -> Activation:
    return _made(chain(("", operator)))


def _hard(of: Callable[[float], Composition]) -> Activation:
    """With clip(x/6 + 1/2, 0, 1) in Keras 3, clip(x/5 + 1/2, 0, 1) before."""
    return lambda layer, step, x, suffix: _made(of(1 / 6 if layer.version.is_3 else 0.2))(
        layer, step, x, suffix
    )


def _softmax(log: bool) -> Activation:
    return lambda layer, step, x, suffix: step.add(
        ops.Softmax(ir_axis(layer, step, -1, x), log), [x], suffix=suffix
    )


ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "linear": lambda layer, step, x, suffix: x,
    "relu": _one(ops.Relu()),
    "relu6": _one(ops.Clip(0.0, 6.0)),
    "leaky_relu": _one(ops.Relu(0.2)),
    "elu": _one(ops.Elu(1.0)),
    "selu": _made(compositions.selu()),
    "sigmoid": _one(ops.Sigmoid()),
    "tanh": _one(ops.Tanh()),
    "softplus": _one(ops.Softplus()),
    "softsign": _made(compositions.SOFTSIGN),
    "exponential": _one(ops.Exp()),
    "swish": _one(ops.Swish()),
    "silu": _one(ops.Swish()),
    "gelu": _one(ops.Gelu()),
    "mish": _made(compositions.MISH),
    "softmax": _softmax(log=False),
    "log_softmax": _softmax(log=True),
    "hard_sigmoid": _hard(compositions.hard_sigmoid),
    "celu": _one(ops.Elu(1.0)),
    "log_sigmoid": _made(compositions.LOG_SIGMOID),
    "tanh_shrink": _made(compositions.TANH_SHRINK),
    "soft_shrink": _made(compositions.soft_shrink()),
    "hard_shrink": _made(compositions.hard_shrink()),
    "squareplus": _made(compositions.SQUAREPLUS),
    "hard_tanh": _one(ops.Clip(-1.0, 1.0)),
    "square": _one(ops.Power(power=2.0)),
    **dict.fromkeys(("hard_silu", "hard_swish"), _hard(compositions.hard_swish)),
}
