"""What follows TorchScript's code, as the expressions and statements in it see that."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol

from upconv.converters.readers.torch.aten.calls import CallSite
from upconv.converters.readers.torch.script.code import Code, Function
from upconv.converters.readers.torch.script.frames import Frame
from upconv.converters.readers.torch.script.objects import Objects
from upconv.converters.readers.torch.script.tensor_calls import TensorCalls
from upconv.converters.readers.torch.script.values import Object, Taken, Value


class Machine(Protocol):
    """Follows the code of one archive; see `interpreter.Interpreter`."""

    code: Code
    objects: Objects
    calls: TensorCalls

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

    def run(
        self,
        function: Function,
        arguments: Sequence[Value],
        keywords: Mapping[str, Value],
        where: tuple[Frame | None, CallSite],
        wanted: Taken | None = None,
    ) -> Value:
        """What a function gives; `where` is its caller and the module it runs for."""

    def spend(self, steps: int) -> None:
        """Count steps; UnreadableError where a module takes more than any does."""

    def weigh(self, value: Value) -> None:
        """Count what it takes to look through a list; UnreadableError for one without end."""

    def site(self, node: ast.AST, frame: Frame) -> CallSite:
        """Where a piece of code stands: on the user's own line, or that of its caller's."""

    def fail(self, message: str) -> NoReturn:
        """Raise the one error of code that is not what it should be."""

    def raised(self, message: str, line: str) -> NoReturn:
        """Raise what the code raises."""
