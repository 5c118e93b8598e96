"""What an expression is worth, where the file alone decides it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from upconv.converters.readers.python_source.scopes import PARAMETER, Scope, dotted_names

MAX_DEPTH: Final = 40
MAX_ITEMS: Final = 1000
MAX_STEPS: Final = 4000
MAX_MAGNITUDE: Final = 1 << 53
MAX_TEXT: Final = 10_000


class NotConstantError(Exception):
    """An expression whose value the file does not decide; the text says why."""


_BINARY: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: Final[dict[type, Callable[[Any], Any]]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_RESIZE_METHODS: Final = {
    f"tensorflow.{version}image.{kind}.{name}": value
    for version in ("", "compat.v1.", "compat.v2.")
    for kind in ("ResizeMethod", "ResizeMethodV1")
    for name, value in {
        "BILINEAR": "bilinear",
        "NEAREST_NEIGHBOR": "nearest",
        "BICUBIC": "bicubic",
        "AREA": "area",
        "LANCZOS3": "lanczos3",
        "LANCZOS5": "lanczos5",
        "GAUSSIAN": "gaussian",
        "MITCHELLCUBIC": "mitchellcubic",
    }.items()
}
"""TensorFlow's names for ways to resize -> what they are worth (image_ops_impl.py), the numbers of
TensorFlow 1 as names too."""

_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "tuple": tuple,
    "list": tuple,
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
}


Parameter: TypeAlias = Callable[[Scope, str], Any]
"""The value of a function's parameter; raises NotConstantError where there is none."""


def evaluate(node: ast.expr, scope: Scope, parameter: Parameter | None = None) -> Any:
    """The value of an expression: a number, bool, text, None, or a tuple of such.

    Lists are tuples. Raises NotConstantError where the file does not decide it; what is a
    parameter's is asked of `parameter`.
    """
    return _Evaluation(parameter).value(node, scope, 0)


class _Evaluation:
    """One evaluation; `steps` bounds expressions that double at every name."""

    def __init__(self, parameter: Parameter | None) -> None:
        self.steps = 0
        self.parameter = parameter

    def value(self, node: ast.expr, scope: Scope, depth: int) -> Any:
        self.steps += 1
        if depth > MAX_DEPTH or self.steps > MAX_STEPS:
            raise NotConstantError("too long an expression")
        inner = depth + 1
        match node:
            case ast.Constant(value=value) if isinstance(value, bool | int | float | str | None):
                return _bounded(value)
            case ast.Name():
                return self.name(node.id, scope, inner)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return _bounded(self.items(items, scope, inner))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _computed(_UNARY[type(op)], self.value(operand, scope, inner))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _arithmetic(op, *self.items([left, right], scope, inner))
            case _:
                return self.rarer(node, scope, inner)

    def rarer(self, node: ast.expr, scope: Scope, depth: int) -> Any:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                chosen = body if self.value(test, scope, depth) else orelse
                return self.value(chosen, scope, depth)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                store = scope.own_attribute(name)
                if store is not None and store.value is not None:
                    return self.value(store.value, store.scope, depth)
            case ast.Subscript(value=value, slice=index):
                return _computed(_item, *self.items([value, index], scope, depth))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                if scope.lookup(name) is None:
                    return _computed(_FUNCTIONS[name], *self.items(args, scope, depth))
            case ast.Attribute():
                named = dotted_names(node, scope)
                if len(named) == 1 and named[0] in _RESIZE_METHODS:
                    return _RESIZE_METHODS[named[0]]
        raise NotConstantError(f"{_shown(node)} is not constant")

    def items(self, nodes: Sequence[ast.expr], scope: Scope, depth: int) -> tuple[Any, ...]:
        return tuple(self.value(one, scope, depth) for one in nodes)

    def name(self, name: str, scope: Scope, depth: int) -> Any:
        found = scope.lookup(name)
        if found is None:
            raise NotConstantError(f"'{name}' is not bound in this file")
        home, bindings = found
        if len(bindings) > 1:
            raise NotConstantError(f"'{name}' is bound {len(bindings)} times")
        if bindings[0].what == PARAMETER and self.parameter is not None:
            return _bounded(self.parameter(home, name))
        if bindings[0].value is None:
            raise NotConstantError(f"'{name}' is {bindings[0].what or 'imported'}")
        return self.value(bindings[0].value, home, depth)


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if isinstance(op, ast.Pow) and not (numbers and abs(right) <= 64 and abs(left) <= 1 << 16):
        raise NotConstantError("a large power")
    if isinstance(op, ast.Mult) and not numbers:
        count = left if isinstance(left, int) else right
        other = right if isinstance(left, int) else left
        if not isinstance(other, tuple) or not 0 <= count <= MAX_ITEMS:
            raise NotConstantError("a repetition")
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise NotConstantError("a formatted text")
    return _computed(_BINARY[type(op)], left, right)


def _computed(function: Callable[..., Any], *values: Any) -> Any:
    try:
        return _bounded(function(*values))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, IndexError, KeyError) as error:
        raise NotConstantError(f"an expression that fails ({error})") from None


def _item(value: Any, index: Any) -> Any:
    if not isinstance(value, tuple) or not isinstance(index, int):
        raise TypeError("no element of a tuple")
    return value[index]


def _bounded(value: Any) -> Any:
    """The value, if it is of a size that settings of layers have."""
    if isinstance(value, tuple) and len(value) > MAX_ITEMS:
        raise NotConstantError("a long list")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise NotConstantError("a long text")
    if isinstance(value, complex):
        raise NotConstantError("a complex number")
    if isinstance(value, int | float) and not abs(value) <= MAX_MAGNITUDE:
        raise NotConstantError("a number out of range")
    return value


def _shown(node: ast.expr) -> str:
    """A name, an attribute or a call as people wrote it, and what kind anything else is."""
    if isinstance(node, ast.Call):
        return f"{_shown(node.func)[:-1]}(...)'"
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 8:
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return f"'{'.'.join([node.id, *reversed(names)])}'"
    return "'an expression'"
