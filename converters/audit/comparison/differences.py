"""What differs between two layers in one place, in words that name both."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from upconv.converters.audit.comparison.matching import Pair, kind_of
from upconv.converters.audit.comparison.settings import Settings, settings_of
from upconv.converters.audit.comparison.values import resolved
from upconv.converters.audit.comparison.weights import weight_differences
from upconv.converters.audit.growth import Growths, Unsayable
from upconv.converters.audit.size_sets import SizeSet, zeros
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Size, Symbol, is_constant, leaves
from upconv.converters.ir.geometry import effective_kernel
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
    ours = _settings_of(pair.left, shapes.left)
    theirs = _settings_of(pair.right, shapes.right)
    for name in dict.fromkeys((*ours, *theirs)):
        a, b = ours.get(name), theirs.get(name)
        alike = _alike(a, b, shapes.running)
        if alike is not True:
            message = f"{name} is {_text(a)} in A, {_text(b)} in B"
            known = alike is False
            yield Difference("setting", pair.left.name, pair.right.name, message, known)


def _settings_of(layer: Layer, shapes: Mapping[str, Shape | None]) -> Settings:
    """A layer's settings, with the sizes of other values in them written as what they are."""
    op = layer.operator
    if isinstance(op, ops.Crop):
        op = replace(op, offsets=tuple(resolved(one, shapes) for one in op.offsets))
    elif isinstance(op, ops.Pad):
        op = replace(op, begin=tuple(resolved(one, shapes) for one in op.begin))
    elif isinstance(op, ops.StridedSlice):
        op = replace(op, start=resolved(op.start, shapes))
    elif isinstance(op, ops.Pool):
        op = _reached(op, layer, shapes)
    return settings_of(replace(layer, operator=op), _rank(layer, shapes))


def _reached(op: ops.Pool, layer: Layer, shapes: Mapping[str, Shape | None]) -> ops.Pool:
    """A pooling of a known size with no more padding at its end than its last window reaches."""
    x, y = shapes.get(layer.inputs[0]), shapes.get(layer.outputs[0])
    if x is None or y is None or not is_constant(*x[2:], *y[2:]):
        return op
    ends = [
        max(min(end, (int(out) - 1) * s + effective_kernel(k, d) - begin - int(size)), 0)
        for size, out, s, k, d, begin, end in zip(
            x[2:], y[2:], op.stride, op.kernel, op.dilation, op.pads_begin, op.pads_end, strict=True
        )
    ]
    return replace(op, pads_end=tuple(ends))


def _alike(a: object, b: object, running: Mapping[str, SizeSet]) -> bool | None:
    """Whether two settings are one: numbers as float32, sizes wherever both models run. None where
    nobody can say."""
    if a == b:
        return True
    if isinstance(a, Dim | int) and isinstance(b, Dim | int):
        return _same_size(a, b, running)
    if isinstance(a, float | int) and isinstance(b, float | int):
        return float32(a) == float32(b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        keys = dict.fromkeys((*a, *b))
        return _all(_alike(a.get(key, 0), b.get(key, 0), running) for key in keys)
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return _all(_alike(one, other, running) for one, other in zip(a, b, strict=True))
    return False


def _all(found: Iterable[bool | None]) -> bool | None:
    known = list(found)
    return False if False in known else None if None in known else True


def float32(value: float) -> float:
    """The number as files of weights and of ONNX hold it."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value


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
    return _all(_same_size(a, b, running) for a, b in zip(left, right, strict=True))


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
