"""Sizes as ONNX arithmetic: every expression of `dims` in int64 nodes over Shape.

Sizes that inference knows are constants; equal expressions share their nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

from upconv.converters.ir.dims import (
    Atom,
    Dim,
    Extreme,
    Like,
    Product,
    Quotient,
    Size,
    Symbol,
    invert,
    like,
    substitute,
)
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.least import never_negative
from upconv.converters.ir.model import Model, Shape


class Nodes(Protocol):
    """What sizes are written into: a graph, which knows the shapes of the model's values."""

    @property
    def model(self) -> Model: ...

    def shape(self, value: str) -> Shape: ...

    def tensor(self, value: str) -> str: ...

    def ints(self, values: Sequence[int]) -> str: ...

    def node(
        self, operator: str, inputs: Sequence[str], to: str = "", **attributes: Any
    ) -> str: ...

    def shared_node(
        self, operator: str, inputs: Sequence[str], to: str, **attributes: Any
    ) -> str: ...


class SizeWriter:
    """Writes sizes into a graph as one-element int64 tensors."""

    def __init__(self, graph: Nodes) -> None:
        self._graph = graph
        self._written: dict[Size | Atom, str] = {}
        self._shapes: dict[str, str] = {}

    def known(self, size: Size) -> Size:
        """The size in the graph inputs' symbols: an int where nothing dynamic remains."""
        return substitute(size, self._axis_size)

    def _axis_size(self, leaf: Symbol | Like) -> Size | None:
        return self._graph.shape(leaf.tensor)[leaf.axis] if isinstance(leaf, Like) else None

    def size(self, size: Size) -> str:
        """The tensor of shape [1] that holds a size."""
        known = self.known(size)
        if isinstance(known, int):
            return self._graph.ints((known,))
        assert isinstance(size, Dim), "only a Dim is known as a Dim"
        return self._dim(size)

    def vector(self, sizes: Sequence[Size]) -> str:
        """The tensor of shape [len(sizes)] that holds them in order."""
        if not sizes:
            return self._graph.ints(())
        known = [self.known(size) for size in sizes]
        pairs = list(zip(known, sizes, strict=True))
        pieces: list[str] = []
        for constant, run in groupby(pairs, key=lambda pair: isinstance(pair[0], int)):
            if constant:
                pieces.append(self._graph.ints([k for k, _ in run if isinstance(k, int)]))
            else:
                pieces += [self.size(size) for _, size in run]
        return pieces[0] if len(pieces) == 1 else self._graph.node("Concat", pieces, axis=0)

    def reshape_target(self, before: Shape | None, after: Shape) -> str:
        """The shape input of a Reshape: 0 where an axis stays in its place, one -1, else sizes.

        `before` None: nothing is known to stay in place.
        """
        target: list[Size] = []
        inferred = False
        for axis, size in enumerate(after):
            known = self.known(size)
            if isinstance(known, int):
                target.append(known)
            elif before is not None and axis < len(before) and self.known(before[axis]) == known:
                target.append(0)
            elif not inferred:
                target.append(-1)
                inferred = True
            else:
                target.append(size)
        return self.vector(target)

    def _dim(self, size: Dim) -> str:
        if size not in self._written:
            self._written[size] = self._sum(size)
        return self._written[size]

    def _sum(self, size: Dim) -> str:
        added = [(atom, factor) for atom, factor in size.terms if factor > 0]
        taken = [(atom, -factor) for atom, factor in size.terms if factor < 0]
        total = self._total(added, max(size.constant, 0), str(size))
        if not taken and size.constant >= 0:
            return total
        less = self._total(taken, max(-size.constant, 0), f"-({size})")
        return self._binary("Sub", total, less, str(size))

    def _total(self, terms: Sequence[tuple[Atom, int]], constant: int, text: str) -> str:
        parts = [self._multiple(atom, factor) for atom, factor in terms]
        if constant or not parts:
            parts.append(self._graph.ints((constant,)))
        total = parts[0]
        for part in parts[1:]:
            total = self._binary("Add", total, part, text)
        return total

    def _multiple(self, atom: Atom, factor: int) -> str:
        value = self._atom(atom)
        if factor == 1:
            return value
        return self._binary("Mul", value, self._graph.ints((factor,)), f"{factor}*({atom})")

    def _atom(self, atom: Atom) -> str:
        if atom not in self._written:
            self._written[atom] = self._new_atom(atom)
        return self._written[atom]

    def _new_atom(self, atom: Atom) -> str:
        match atom:
            case Symbol(name):
                return self.size(self._meaning(name))
            case Like(tensor, axis):
                return self._axis(self._graph.tensor(tensor), axis)
            case Quotient(numerator, divisor):
                return self._quotient(numerator, divisor, str(atom))
            case Extreme(kind, arguments):
                parts = [self.size(argument) for argument in arguments]
                return self._graph.shared_node(kind.capitalize(), parts, f"size/{atom}")
            case Product(factors):
                total = self.size(factors[0])
                for factor in factors[1:]:
                    total = self._binary("Mul", total, self.size(factor), str(atom))
                return total

    def _quotient(self, numerator: Size, divisor: Size, text: str) -> str:
        """Floor division by a positive divisor. ONNX Div truncates towards zero, so a numerator
        that may be negative first loses its (never negative) remainder."""
        over, under = self.size(numerator), self.size(divisor)
        if not never_negative(numerator):
            rest = self._binary("Mod", over, under, f"{text} remainder")
            over = self._binary("Sub", over, rest, f"{text} whole")
        return self._binary("Div", over, under, text)

    def _binary(self, operator: str, left: str, right: str, text: str) -> str:
        return self._graph.shared_node(operator, (left, right), f"size/{text}")

    def _meaning(self, name: str) -> Size:
        """A letter as what an input's axis says it is: H, where it is 2*H long, is half of it."""
        for entry in self._graph.model.inputs:
            for axis, size in enumerate(entry.shape or ()):
                meaning = invert(size, name, like(entry.name, axis))
                if meaning is not None:
                    return meaning
        raise UnsupportedError(f"no input has an axis of the size {name}")

    def _axis(self, tensor: str, axis: int) -> str:
        if tensor not in self._shapes:
            self._shapes[tensor] = self._graph.shared_node("Shape", (tensor,), f"shape/{tensor}")
        index = self._graph.ints((axis,))
        name = f"size/{tensor}.{axis}"
        return self._graph.shared_node("Gather", (self._shapes[tensor], index), name, axis=0)
