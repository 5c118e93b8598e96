"""Sizes as a table of small steps, so that a page can work them out anew for a size typed in.

Equal parts of formulas are one step. A step is a number, a letter, or a list: ["+", constant,
factor, step, factor, step ...], ["/", step, step] rounded down, ["min" | "max" | "*", step ...];
steps are the places of earlier ones in the table.
"""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.ir.dims import Dim, Extreme, Like, Product, Quotient, Size, Symbol

MOST_STEPS: Final = 20_000
"""What a page works out in a blink."""


class TooManyStepsError(Exception):
    """More arithmetic than a page should hold."""


class Steps:
    """The table under construction."""

    def __init__(self) -> None:
        self.table: list[Any] = []
        self._known: dict[Any, int] = {}

    def of(self, size: Size) -> int:
        """The place of the step that makes this size.

        >>> from upconv.converters.ir.dims import symbol
        >>> steps = Steps()
        >>> steps.of(symbol("H") // 2 + 1), steps.table
        (4, ['H', ['+', 0, 1, 0], 2, ['/', 1, 2], ['+', 1, 1, 3]])

        Raises TooManyStepsError.
        """
        if isinstance(size, int):
            return self._enter(size)
        found = self._known.get(size)
        if found is None:
            terms = [part for atom, factor in size.terms for part in (factor, self._atom(atom))]
            found = self._known[size] = self._enter(["+", size.constant, *terms])
        return found

    def _atom(self, atom: Any) -> int:
        found = self._known.get(atom)
        if found is None:
            found = self._known[atom] = self._enter(self._step(atom))
        return found

    def _step(self, atom: Any) -> Any:
        match atom:
            case Symbol(name=name):
                return name
            case Quotient(numerator=numerator, divisor=divisor):
                return ["/", self.of(numerator), self.of(divisor)]
            case Extreme(kind=kind, arguments=arguments):
                return [kind, *map(self.of, arguments)]
            case Product(factors=factors):
                return ["*", *map(self.of, factors)]
            case Like(tensor=tensor, axis=axis):
                return f"size({tensor}, {axis})"
        raise AssertionError(f"{atom!r} is no part of a size")

    def _enter(self, step: Any) -> int:
        if isinstance(step, int) and step in self._known:
            return self._known[step]
        if len(self.table) >= MOST_STEPS:
            raise TooManyStepsError
        self.table.append(step)
        if isinstance(step, int):
            self._known[step] = len(self.table) - 1
        return len(self.table) - 1


__all__ = ["MOST_STEPS", "Dim", "Steps", "TooManyStepsError"]
