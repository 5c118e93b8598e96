"""What differs between two layers in one place, in words that name both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from upconv.converters.audit.comparison.matching import Pair, kind_of
from upconv.converters.audit.comparison.settings import settings_of
from upconv.converters.audit.comparison.weights import weight_differences
from upconv.converters.audit.growth import Growths, Unsayable
from upconv.converters.audit.size_sets import SizeSet, zeros
from upconv.converters.ir.dims import Dim, Size, Symbol, leaves
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, text_of

Kind = Literal[
    "operator", "setting", "weights", "size", "order", "reads", "extra", "missing", "output",
    "input", "valid sizes", "place",
]  # fmt: skip


@record(frozen=True, slots=True)
class Difference:
    """One thing that the models do otherwise: in layer `left` of A and `right` of B (names; empty
    where there is none). `changes_numbers`: else it was only not compared, and why."""

    kind: Kind
    left: str
    right: str
    message: str
    changes_numbers: bool = True

    def __str__(self) -> str:
        names = [f"'{name}'" for name in (self.left, self.right) if name]
        place = " / ".join(dict.fromkeys(names))
        return f"{place}: {self.message}" if place else self.message


@record(frozen=True, slots=True)
class Shapes:
    """The shapes of both models' values, and the sizes of each letter at which both run."""

    left: Mapping[str, Shape | None]
    right: Mapping[str, Shape | None]
    running: Mapping[str, SizeSet]


def of_pair(pair: Pair, shapes: Shapes, rounded: bool) -> Iterator[Difference]:
    """Everything that differs between two layers, the cause before what follows from it."""
    left, right = pair.left, pair.right
    kinds = kind_of(left), kind_of(right)
    if kinds[0] != kinds[1]:
        yield _difference("operator", pair, f"{kinds[0]} in A, {kinds[1]} in B")
        return
    if pair.reads == "order":
        read = f"{', '.join(left.inputs)} in A, {', '.join(right.inputs)} in B"
        yield _difference("order", pair, f"its inputs are in another order: {read}")
    if pair.reads == "other":
        read = f"{', '.join(left.inputs)} in A, {', '.join(right.inputs)} in B"
        yield _difference("reads", pair, f"it reads something else: {read}")
    yield from _settings(pair, shapes)
    for found in weight_differences(left, right, rounded):
        known = found.verdict != "unknown"
        yield Difference("weights", left.name, right.name, str(found), known)


def sizes_of_pair(pair: Pair, shapes: Shapes) -> Iterator[Difference]:
    """Whether the outputs of two layers have one size wherever both models run."""
    for a, b in zip(pair.left.outputs, pair.right.outputs, strict=False):
        ours, theirs = shapes.left.get(a), shapes.right.get(b)
        if ours is None or theirs is None:
            continue
        same = same_shape(ours, theirs, shapes.running)
        if same is not True:
            message = f"its output is {text_of(ours)} in A, {text_of(theirs)} in B"
            yield Difference("size", pair.left.name, pair.right.name, message, same is False)


def _difference(kind: Kind, pair: Pair, message: str) -> Difference:
    return Difference(kind, pair.left.name, pair.right.name, message)


def _settings(pair: Pair, shapes: Shapes) -> Iterator[Difference]:
    ours = settings_of(pair.left, _rank(pair.left, shapes.left))
    theirs = settings_of(pair.right, _rank(pair.right, shapes.right))
    for name in dict.fromkeys((*ours, *theirs)):
        a, b = ours.get(name), theirs.get(name)
        if a != b:
            yield _difference("setting", pair, f"{name} is {_text(a)} in A, {_text(b)} in B")


def _rank(layer: Layer, shapes: Mapping[str, Shape | None]) -> int:
    shape = shapes.get(layer.inputs[0]) if layer.inputs else None
    return len(shape) if shape is not None else 0


def _text(value: object) -> str:
    if isinstance(value, tuple) and value and len(set(value)) == 1:
        return str(value[0])
    return str(value)


def same_shape(left: Shape, right: Shape, running: Mapping[str, SizeSet]) -> bool | None:
    """Whether two shapes are one wherever both models run; None where nobody can say."""
    if len(left) != len(right):
        return False
    found = [_same_size(a, b, running) for a, b in zip(left, right, strict=True)]
    if False in found:
        return False
    return None if None in found else True


def _same_size(left: Size, right: Size, running: Mapping[str, SizeSet]) -> bool | None:
    apart = left - right
    if not isinstance(apart, Dim):
        return apart == 0
    letters = {leaf.name for leaf in leaves(apart) if isinstance(leaf, Symbol)}
    if len(letters) != 1:
        return None
    (letter,) = letters
    try:
        equal = zeros(Growths(letter).of(apart))
        return letter not in running or running[letter] & equal == running[letter]
    except Unsayable:
        return None
