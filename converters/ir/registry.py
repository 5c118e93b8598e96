"""A table from operator records to their functions, one table a facet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


class OperatorTable(Generic[Function]):
    """Maps operator classes to functions; a second entry for a class raises."""

    def __init__(self, facet: str) -> None:
        self.facet = facet
        self._functions: dict[type, Function] = {}

    def register(self, *operators: type) -> Callable[[Function], Function]:
        """Decorator: the function serves these operator classes."""

        def enter(function: Function) -> Function:
            for operator in operators:
                if operator in self._functions:
                    raise ValueError(f"{self.facet} of {operator.__name__} is given twice")
                self._functions[operator] = function
            return function

        return enter

    def __getitem__(self, operator: type) -> Function:
        return self._functions[operator]

    def __contains__(self, operator: type) -> bool:
        return operator in self._functions
