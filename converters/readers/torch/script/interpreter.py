"""Follows the code of a module's methods, statement by statement, with inert values.

What decides a branch or a loop has to be known from the code, its constants and the inputs'
sizes. A statement for which it is not becomes an Unknown layer, and the rest is followed as before.
Steps and depths are bounded: a file may hold any code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.readers.torch.aten.calls import CallSite
from upconv.converters.readers.torch.script import expressions
from upconv.converters.readers.torch.script.casts import truth
from upconv.converters.readers.torch.script.code import Code, Function
from upconv.converters.readers.torch.script.frames import Frame, names_read, plain_type, taken_by
from upconv.converters.readers.torch.script.numbers import OPEN
from upconv.converters.readers.torch.script.objects import Objects
from upconv.converters.readers.torch.script.pieces import passes_over, skip
from upconv.converters.readers.torch.script.tensor_calls import TensorCalls
from upconv.converters.readers.torch.script.values import (
    MAX_WEIGHT,
    Object,
    Taken,
    Unsure,
    Value,
    weight,
)

MAX_STEPS: Final = 400_000
MAX_DEPTH: Final = 40
ELEMENTS: Final = 8
"""How many elements of lists are looked through in one step."""

BRANCH: Final = "which branch it takes is not known: "
REPEATS: Final = "how often it repeats is not known: "


class RaisedError(UpconvError):
    """The code raises: the module refuses these inputs."""


class Interpreter:
    """Follows the code of one archive once.

    Raises UnreadableError where the code is malformed or without end, and RaisedError where it
    refuses the shapes of its inputs.
    """

    def __init__(self, path: str, code: Code, objects: Objects, calls: TensorCalls) -> None:
        self.path = path
        self.code = code
        self.objects = objects
        self.calls = calls
        self._steps = 0
        self._read: dict[tuple[int, Taken | None], frozenset[str]] = {}

    # Functions

    def method(
        self,
        owner: Object,
        name: str,
        arguments: Sequence[Value],
        keywords: Mapping[str, Value],
        caller: Frame | None = None,
        line: str = "",
        wanted: Taken | None = None,
    ) -> Value:
        """What an object's method gives."""
        methods = self.code.class_of(owner.type).methods
        if name not in methods:
            self.fail(f"the class '{owner.type[:200]}' has no method '{name[:80]}'")
        site = CallSite(line, owner.path, plain_type(owner.type))
        return self.run(methods[name], (owner, *arguments), keywords, (caller, site), wanted)

    def run(
        self,
        function: Function,
        arguments: Sequence[Value],
        keywords: Mapping[str, Value],
        where: tuple[Frame | None, CallSite],
        wanted: Taken | None = None,
    ) -> Value:
        """What a function gives; `where` is its caller and the module it runs for."""
        caller, site = where
        depth = 0 if caller is None else caller.depth + 1
        if depth > MAX_DEPTH:
            self.fail(f"functions call each other more than {MAX_DEPTH} deep")
        frame = Frame(function, {}, site, depth, wanted)
        frame.variables = self._bound(function, arguments, keywords, frame)
        frame.read = self._names_read(function, wanted)
        self.block(function.node.body, frame)
        return frame.result

    def _bound(
        self,
        function: Function,
        arguments: Sequence[Value],
        keywords: Mapping[str, Value],
        frame: Frame,
    ) -> dict[str, Value]:
        taken = function.node.args
        names, defaults = [one.arg for one in taken.args], taken.defaults
        if len(defaults) > len(names):
            self.fail(f"'{function.node.name[:80]}' has parameters that TorchScript never writes")
        bound = dict(zip(names, arguments, strict=False)) | dict(keywords)
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in bound:
                bound[name] = expressions.evaluate(self, frame, default)
        if set(bound) != set(names) or len(arguments) > len(names):
            self.fail(f"'{function.node.name[:80]}' is called with other arguments than it has")
        return bound

    def _names_read(self, function: Function, wanted: Taken | None) -> frozenset[str]:
        """The variables that a function reads, those of unwanted parts of its result left out."""
        key = (id(function.node), wanted)
        if key not in self._read:
            self._read[key] = frozenset(names_read(function.node, wanted))
        return self._read[key]

    # Statements

    def block(self, body: Iterable[ast.stmt], frame: Frame) -> None:
        """Follow statements up to the first return."""
        for statement in body:
            if frame.done:
                return
            self.spend(1)
            try:
                self._statement(statement, frame)
            except UnsupportedError as error:
                skip(self, frame, statement, error)

    def _statement(self, statement: ast.stmt, frame: Frame) -> None:
        follow = _STATEMENTS.get(type(statement))
        if isinstance(statement, ast.Break | ast.Continue):
            self.fail("the code leaves a loop early, which TorchScript never writes")
        if follow is None:
            raise UnsupportedError(f"a statement of the kind {type(statement).__name__}")
        follow(self, statement, frame)

    def _assign(self, statement: ast.Assign, frame: Frame) -> None:
        target = statement.targets[0]
        value = expressions.evaluate(self, frame, statement.value, taken_by(target, frame))
        if len(statement.targets) > 1:
            raise UnsupportedError("it assigns to several targets")
        self._bind(target, value, frame)

    def _annotated(self, statement: ast.AnnAssign, frame: Frame) -> None:
        if statement.value is not None:
            self._bind(statement.target, expressions.evaluate(self, frame, statement.value), frame)

    def _bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        match target:
            case ast.Name(id=name):
                frame.variables[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for one, part in zip(targets, _parts(value, len(targets)), strict=True):
                    self._bind(one, part, frame)
            case ast.Attribute(value=owner, attr=name):
                found = expressions.evaluate(self, frame, owner)
                if not isinstance(found, Object):
                    raise UnsupportedError("it assigns to an attribute of what is no object")
                found.changed[name] = value
            case _:
                raise UnsupportedError("it assigns to a target of a kind that is not known")

    def _if(self, statement: ast.If, frame: Frame) -> None:
        test = truth(expressions.evaluate(self, frame, statement.test))
        if isinstance(test, bool):
            self.block(statement.body if test else statement.orelse, frame)
            return
        raises = [_surely_raises(branch) for branch in (statement.body, statement.orelse)]
        if raises[0] == raises[1]:
            raise UnsupportedError(_because(BRANCH, test.reason), hint=_hint(test.reason))
        self.block(statement.orelse if raises[0] else statement.body, frame)

    def _for(self, statement: ast.For, frame: Frame) -> None:
        for value in expressions.iterated(self, frame, statement.iter):
            self._bind(statement.target, value, frame)
            self.block(statement.body, frame)
            if frame.done:
                return
            self.spend(1)

    def _while(self, statement: ast.While, frame: Frame) -> None:
        while not frame.done:
            self.spend(1)
            test = truth(expressions.evaluate(self, frame, statement.test))
            if isinstance(test, Unsure):
                raise UnsupportedError(_because(REPEATS, test.reason), hint=_hint(test.reason))
            if not test:
                return
            self.block(statement.body, frame)

    def _return(self, statement: ast.Return, frame: Frame) -> None:
        value = statement.value
        frame.result = (
            None if value is None else expressions.evaluate(self, frame, value, frame.wanted)
        )
        frame.done = True

    def _expression(self, statement: ast.Expr, frame: Frame) -> None:
        expressions.evaluate(self, frame, statement.value)

    def _pass(self, statement: ast.Pass, frame: Frame) -> None:
        pass

    # Bounds, places, errors

    def spend(self, steps: int) -> None:
        """Count steps; UnreadableError where a module takes more than any does."""
        self._steps += steps
        if self._steps > MAX_STEPS:
            self.fail(f"the code takes more than {MAX_STEPS} steps: it may never end")

    def weigh(self, value: Value) -> None:
        """Count what it takes to look through a list; UnreadableError for one without end."""
        elements = weight(value)
        if elements > MAX_WEIGHT:
            self.fail("the code has a list that holds lists without end")
        self.spend(elements // ELEMENTS)

    def site(self, node: ast.AST, frame: Frame) -> CallSite:
        """Where a piece of code stands: on the user's own line, or that of its caller's."""
        own = frame.site
        line = frame.function.file.user_line(node) or own.code
        return CallSite(line, own.module, own.module_type)

    def fail(self, message: str) -> NoReturn:
        """Raise the one error of code that is not what it should be."""
        raise UnreadableError(message, path=self.path)

    def raised(self, message: str, line: str) -> NoReturn:
        """Raise what the code raises."""
        place = f"{line}: " if line else ""
        raise RaisedError(
            f"{place}the module raises: {message[:300] or 'an error'}",
            path=self.path,
            hint="give shapes that it takes, as in --input x=1x3x224x224",
        )


_STATEMENTS: Final[Mapping[type[ast.stmt], Callable[[Any, Any, Frame], None]]] = {
    ast.Assign: Interpreter._assign,
    ast.AnnAssign: Interpreter._annotated,
    ast.If: Interpreter._if,
    ast.For: Interpreter._for,
    ast.While: Interpreter._while,
    ast.Return: Interpreter._return,
    ast.Expr: Interpreter._expression,
    ast.Pass: Interpreter._pass,
}


def _parts(value: Value, count: int) -> Sequence[Value]:
    if isinstance(value, Unsure):
        return [value] * count
    if not isinstance(value, list | tuple) or len(value) != count:
        raise UnsupportedError(f"it takes a value apart that has not {count} parts")
    return value


def _because(what: str, reason: str) -> str:
    """What is not known, and the first reason of all that led to it."""
    return what + reason.removeprefix(BRANCH).removeprefix(REPEATS)


def _hint(reason: str) -> str:
    return "give the sizes as numbers, with --input" if OPEN in reason else ""


def _surely_raises(branch: Sequence[ast.stmt]) -> bool:
    """Whether a branch is there for its error alone."""
    return any(passes_over(statement) for statement in branch)
