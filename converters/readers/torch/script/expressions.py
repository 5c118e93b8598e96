"""What expressions in TorchScript's code give: names, attributes, literals, and calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.schemas import schemas
from upconv.converters.readers.torch.script import casts, facts, numbers, plain
from upconv.converters.readers.torch.script.containers import CONTAINERS
from upconv.converters.readers.torch.script.frames import Frame
from upconv.converters.readers.torch.script.machine import Machine
from upconv.converters.readers.torch.script.pieces import RAISE
from upconv.converters.readers.torch.script.values import (
    Device,
    Name,
    Number,
    Object,
    Record,
    Taken,
    Unsure,
    Value,
    all_tensors,
)

ROOTS: Final = frozenset({"torch", "ops", "__torch__", "CONSTANTS"})
NUMBERS: Final = {"inf": float("inf"), "nan": float("nan")}


def evaluate(machine: Machine, frame: Frame, node: ast.expr, wanted: Taken | None = None) -> Value:
    """The value of an expression; of a call, the parts that are wanted.

    Raises UnsupportedError where it is not known what the expression gives.
    """
    machine.spend(1)
    if isinstance(node, ast.Call):
        return _call(machine, frame, node, wanted)
    give = _EXPRESSIONS.get(type(node))
    if give is None:
        raise UnsupportedError(f"an expression of the kind {type(node).__name__}")
    return give(machine, frame, node)


def _constant(machine: Machine, frame: Frame, node: ast.Constant) -> Value:
    value = node.value
    if value is not None and not isinstance(value, bool | int | float | str):
        raise UnsupportedError(f"a constant of the kind {type(value).__name__}")
    return numbers.checked(value)


def _member(machine: Machine, frame: Frame, node: ast.Attribute) -> Value:
    return _attribute(machine, evaluate(machine, frame, node.value), node.attr)


def _tuple(machine: Machine, frame: Frame, node: ast.Tuple) -> Value:
    return tuple(evaluate(machine, frame, part) for part in node.elts)


def _list(machine: Machine, frame: Frame, node: ast.List) -> Value:
    return [evaluate(machine, frame, part) for part in node.elts]


def _element(machine: Machine, frame: Frame, node: ast.Subscript) -> Value:
    pair = [evaluate(machine, frame, one) for one in (node.value, node.slice)]
    return plain.call("__getitem__", pair, {})


def _negative(machine: Machine, frame: Frame, node: ast.UnaryOp) -> Value:
    if not isinstance(node.op, ast.USub):
        raise UnsupportedError(f"an operator of the kind {type(node.op).__name__}")
    return plain.call("neg", [evaluate(machine, frame, node.operand)], {})


def _named(machine: Machine, frame: Frame, node: ast.Name) -> Value:
    name = node.id
    if name in frame.variables:
        return frame.variables[name]
    if name in ROOTS:
        return Name(name)
    if name in NUMBERS:
        return NUMBERS[name]
    return machine.fail(f"the code reads '{name[:80]}', which nothing before it writes")


def _attribute(machine: Machine, owner: Value, name: str) -> Value:
    if isinstance(owner, Name):
        is_constant = owner.path == "CONSTANTS"
        return machine.objects.constant(name) if is_constant else Name(f"{owner.path}.{name}")
    if isinstance(owner, Object):
        return machine.objects.attribute(owner, name)
    if isinstance(owner, Record) and name in owner.fields:
        return owner[owner.fields.index(name)]
    if isinstance(owner, Unsure):
        return Unsure(owner.reason)
    raise UnsupportedError(f"it reads '{name}' of what is no object")


def _dict(machine: Machine, frame: Frame, node: ast.Dict) -> Value:
    made: dict[Any, Value] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            raise UnsupportedError("a dict made of another")
        found = evaluate(machine, frame, key)
        if not isinstance(found, str | int | float):
            raise UnsupportedError("a dict whose keys are not plain")
        made[found] = evaluate(machine, frame, value)
    return made


_EXPRESSIONS: Final[Mapping[type[ast.expr], Callable[[Machine, Frame, Any], Value]]] = {
    ast.Constant: _constant,
    ast.Name: _named,
    ast.Attribute: _member,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Dict: _dict,
    ast.Subscript: _element,
    ast.UnaryOp: _negative,
}


def iterated(machine: Machine, frame: Frame, node: ast.expr) -> Iterable[Value]:
    """What a loop runs over: a range, or the elements of a list."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bounds = [evaluate(machine, frame, one) for one in node.args]
        if not all(isinstance(bound, int) for bound in bounds) or not 1 <= len(bounds) <= 3:
            raise UnsupportedError("how often it repeats is not known")
        if len(bounds) == 3 and bounds[2] == 0:
            raise UnsupportedError("a range without step")
        return range(*bounds)
    values = evaluate(machine, frame, node)
    if not isinstance(values, list | tuple):
        raise UnsupportedError("how often it repeats is not known")
    return list(values)


# Calls


def _call(machine: Machine, frame: Frame, node: ast.Call, wanted: Taken | None) -> Value:
    function = node.func
    if isinstance(function, ast.Name) and function.id not in frame.variables:
        return _builtin(machine, frame, node, function.id)
    owner: Value = None
    if isinstance(function, ast.Attribute):
        owner = evaluate(machine, frame, function.value)
    callee = Name("") if isinstance(owner, Object) else _callee(machine, frame, function, owner)
    arguments, keywords = _arguments(machine, frame, node)
    line = machine.site(node, frame).code
    if isinstance(owner, Object) and isinstance(function, ast.Attribute):
        return machine.method(owner, function.attr, arguments, keywords, frame, line, wanted)
    return _invoke(machine, frame, node, callee.path, (arguments, keywords, wanted))


def _callee(machine: Machine, frame: Frame, function: ast.expr, owner: Value) -> Name:
    found = (
        _attribute(machine, owner, function.attr)
        if isinstance(function, ast.Attribute)
        else evaluate(machine, frame, function)
    )
    if not isinstance(found, Name):
        raise UnsupportedError("it calls what is no function")
    return found


def _arguments(
    machine: Machine, frame: Frame, node: ast.Call
) -> tuple[list[Value], dict[str, Value]]:
    arguments = [evaluate(machine, frame, one) for one in node.args]
    keywords = {
        one.arg: evaluate(machine, frame, one.value) for one in node.keywords if one.arg is not None
    }
    machine.weigh([arguments, *keywords.values()])
    return arguments, keywords


_Given = tuple[list[Value], dict[str, Value], Taken | None]


def _invoke(machine: Machine, frame: Frame, node: ast.Call, path: str, given: _Given) -> Value:
    """A function of the archive's own code, of torch, or of ops."""
    arguments, keywords, wanted = given
    if path == RAISE:
        message = str(arguments[0]) if arguments and isinstance(arguments[0], str) else ""
        return machine.raised(message, machine.site(node, frame).code)
    if path.startswith("__torch__."):
        return _own(machine, frame, node, path, given)
    if path == "torch.device":
        return Device("cpu")
    name = path.removeprefix("torch.").removeprefix("ops.aten.").removeprefix("ops.")
    name = name.removeprefix("prim.")
    first = arguments[0] if arguments else None
    is_container = isinstance(first, list | tuple | dict | str)
    if name in plain.OF_ANYTHING or (is_container and name in CONTAINERS):
        return plain.call(name, arguments, keywords)
    if name in facts.FACTS and isinstance(first, TensorRef | Number):
        return facts.fact(machine.calls, name, arguments)
    if isinstance(first, Unsure) and (name in facts.FACTS or name in plain.ONLY_PLAIN):
        return Unsure(first.reason)
    has_tensors = any(True for _ in all_tensors([*arguments, *keywords.values()]))
    known = name in plain.PLAIN or name in plain.TENSOR_MAKERS or name == "tensor"
    if isinstance(first, Number):
        known = known or name in plain.OF_NUMBER or plain.is_in_place(name)
    if has_tensors or (not known and name in schemas()):
        site = machine.site(node, frame)
        return machine.calls.call(name, arguments, keywords, site, wanted)
    return plain.call(name, arguments, keywords)


def _own(machine: Machine, frame: Frame, node: ast.Call, path: str, given: _Given) -> Value:
    arguments, keywords, wanted = given
    if machine.code.is_class(path):
        fields = machine.code.class_of(path).fields
        if fields is None or keywords or len(arguments) != len(fields):
            raise UnsupportedError("it makes an object of a class")
        record = Record(arguments)
        record.fields = fields
        return record
    site = machine.site(node, frame)
    return machine.run(machine.code.function(path), arguments, keywords, (frame, site), wanted)


# Built-in functions


def _builtin(machine: Machine, frame: Frame, node: ast.Call, name: str) -> Value:
    """annotate(Type, value) and the like, whose types are not evaluated."""
    if name in _TYPED and len(node.args) == 2:
        return evaluate(machine, frame, node.args[1])
    if name == "uninitialized":
        return Unsure("it is never set")
    if name == "isinstance" and len(node.args) == 2:
        return casts.is_of(evaluate(machine, frame, node.args[0]), ast.unparse(node.args[1]))
    arguments, _ = _arguments(machine, frame, node)
    if name == "getattr" and len(arguments) == 2 and isinstance(arguments[1], str):
        return _attribute(machine, arguments[0], arguments[1])
    if name in casts.CASTS and len(arguments) == 1:
        return casts.cast(name, arguments[0])
    if name in ("print", "range"):
        return None
    raise UnsupportedError(f"the function {name} is not known")


_TYPED: Final = frozenset({"annotate", "unchecked_cast"})
