"""The comparison of two models, from their inputs to their valid sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final, TypeAlias

from upconv.converters.audit.comparison.canonical import Canonical, canonical
from upconv.converters.audit.comparison.differences import (
    Difference,
    Shapes,
    of_pair,
    same_shape,
    sizes_of_pair,
)
from upconv.converters.audit.comparison.matching import Matching, Pair, kind_of, match, paired_names
from upconv.converters.audit.explained import first_failures
from upconv.converters.audit.input_sizes import AxisSizes, InputSizes, input_sizes
from upconv.converters.audit.size_sets import EVERY, SizeSet
from upconv.converters.ir.dims import is_constant, symbol
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput, Shape
from upconv.converters.ir.open_sizes import image_letters
from upconv.converters.ir.operators import Eltwise
from upconv.converters.ir.records import record

Written: TypeAlias = tuple[Sequence[ModelInput], Sequence[ModelInput]]
"""The inputs of A and of B."""


@record(frozen=True, slots=True)
class Read:
    """A model as its file has it (`plain`), and read with letters for its images' sizes."""

    plain: Model
    lettered: Model


@record(frozen=True, slots=True)
class Comparison:
    """How two models differ, A (left) and B (right). `bit_equal`: no weight was folded, and none
    differs; `matched`: how many layers, in one form, have a partner."""

    differences: tuple[Difference, ...]
    matched: int
    bit_equal: bool
    left_sizes: InputSizes
    right_sizes: InputSizes

    @property
    def same(self) -> bool:
        """Whether nothing differs that changes numbers."""
        return not any(one.changes_numbers for one in self.differences)


def compare(
    left: Model, right: Model, written: Written | None = None, *, free: bool = True
) -> Comparison:
    """Two models by meaning. Their layers are matched by place, shape and weights; names, the order
    of layers, folded normalisations, split activations, dense or grouped kernels and the words
    for padding are of no account.

    Both are taken with `free` sizes of their images, the same letters in both. `written` are the
    inputs as both files have them, where the models were read with other sizes.
    """
    declared = list(_of_declared_sizes(*(written or (left.inputs, right.inputs))))
    if free:
        left, right = _with_letters(left, right)
    ours, theirs = canonical(left), canonical(right)
    sizes = input_sizes(ours.model), input_sizes(theirs.model)
    made = infer(ours.model).shapes, infer(theirs.model).shapes
    matching = match(ours.model, theirs.model, made)
    shapes = Shapes(*made, _running_in_both(*sizes))
    found = [
        *_of_inputs(left, right),
        *declared,
        *_of_layers(matching, shapes, ours, theirs),
        *_of_outputs(ours.model, theirs.model, matching),
        *_of_sizes((ours.model, theirs.model), sizes),
    ]
    computed = bool(ours.computed or theirs.computed)
    weighted = any(one.kind == "weights" for one in found)
    return Comparison(
        tuple(found), len(matching.pairs), not computed and not weighted, sizes[0], sizes[1]
    )


def compare_files(left: Read, right: Read) -> Comparison:
    """Two models that were read with letters and as their files have them.

    They are compared at every size. Where that differs, but both files name one size, or one
    batch, what counts is that one: at others nobody promises that both run, and it is only said
    that they differ. A trace's example names no size: unless the other file takes this one only,
    both run at others.
    """
    written = (left.plain.inputs, right.plain.inputs)
    free = compare(left.lettered, right.lettered, written)
    if free.same:
        return free
    pair = (left.plain, right.plain) if _one_size(*written) else (left.lettered, right.lettered)
    if not _named_alike(*(model.inputs for model in pair)):
        return free
    own = compare(*pair, free=False)
    if not own.same:
        return free
    others = tuple(_of_other_sizes(free.differences))
    return replace(free, differences=(*own.differences, *others), matched=own.matched)


def _of_other_sizes(differences: Sequence[Difference]) -> Iterator[Difference]:
    """What differs at sizes that neither file names: the sizes that run, and how much else."""
    changing = [one for one in differences if one.changes_numbers]
    valid = [one for one in changing if one.kind == "valid sizes"]
    for one in valid:
        message = f"at other sizes than the files', {one.message}"
        yield replace(one, message=message, changes_numbers=False)
    more = len(changing) - len(valid)
    if more:
        things = "one thing differs" if more == 1 else f"{more} things differ"
        yield Difference(
            "place", "", "", f"at other sizes than the files', {things} in layers", False
        )


def _one_size(left: Sequence[ModelInput], right: Sequence[ModelInput]) -> bool:
    """Whether both have numbers for all sizes of their images."""
    return all(one.shape is not None and is_constant(*one.shape[2:]) for one in (*left, *right))


def _named_alike(left: Sequence[ModelInput], right: Sequence[ModelInput]) -> bool:
    """Whether both have the same sizes, and the numbers among them are more than examples."""
    by_name = [{entry.name: entry for entry in inputs} for inputs in (left, right)]
    pairs = [(by_name[0][ours], by_name[1][theirs]) for ours, theirs in _partners(left, right)]
    return all(
        a.shape is not None and a.shape == b.shape and not (a.example and b.example)
        for a, b in pairs
    )


def _with_letters(left: Model, right: Model) -> tuple[Model, Model]:
    """Both models with N, H and W (D, W) for the batch and the sizes of their images; inputs after
    the first of another size have letters of their own, the same in both models."""
    letters = image_letters(left.inputs)
    partners = {theirs: ours for ours, theirs in _partners(left.inputs, right.inputs)}

    def freed(entry: ModelInput, name: str) -> ModelInput:
        found = letters.get(name, ())
        if entry.shape is None or not found or len(entry.shape) - 2 != len(found):
            return entry
        return replace(entry, shape=(symbol("N"), entry.shape[1], *found))

    return (
        replace(left, inputs=tuple(freed(one, one.name) for one in left.inputs)),
        replace(
            right, inputs=tuple(freed(one, partners.get(one.name, "")) for one in right.inputs)
        ),
    )


def _partners(left: Sequence[ModelInput], right: Sequence[ModelInput]) -> list[tuple[str, str]]:
    """The names of the inputs of both models that belong together."""
    return list(paired_names([one.name for one in left], [one.name for one in right]))


def _of_declared_sizes(
    left: Sequence[ModelInput], right: Sequence[ModelInput]
) -> Iterator[Difference]:
    """Axes that one file leaves free and the other gives a number, which runtimes then ask for."""
    by_name = [{entry.name: entry for entry in inputs} for inputs in (left, right)]
    for ours, theirs in _partners(left, right):
        a, b = by_name[0][ours].shape or (), by_name[1][theirs].shape or ()
        for axis, pair in enumerate(zip(a, b, strict=False)):
            fixed = [size for size in pair if isinstance(size, int)]
            if len(fixed) == 1:
                side = "A" if isinstance(pair[0], int) else "B"
                message = f"axis {axis} of the input is {fixed[0]} in {side}, and free in the other"
                yield Difference("input", ours, theirs, message, changes_numbers=False)


def _running_in_both(left: InputSizes, right: InputSizes) -> dict[str, SizeSet]:
    """Letter -> the sizes at which both models run, as far as that is known."""
    found = {axis.axis: axis.runs or axis.known for axis in left.axes}
    for axis in right.axes:
        found[axis.axis] = found.get(axis.axis, EVERY) & (axis.runs or axis.known)
    return found


def _of_inputs(left: Model, right: Model) -> Iterator[Difference]:
    if len(left.inputs) != len(right.inputs):
        counts = f"{len(left.inputs)} inputs in A, {len(right.inputs)} in B"
        yield Difference("input", "", "", counts)
    by_name = [{entry.name: entry for entry in model.inputs} for model in (left, right)]
    for ours, theirs in _partners(left.inputs, right.inputs):
        a, b = by_name[0][ours].shape, by_name[1][theirs].shape
        if a is not None and b is not None and same_shape(a[1:], b[1:], {}) is False:
            message = f"the input is {_text(a)} in A, {_text(b)} in B"
            yield Difference("input", ours, theirs, message)


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _of_layers(
    matching: Matching, shapes: Shapes, left: Canonical, right: Canonical
) -> Iterator[Difference]:
    """Differences of the pairs; of sizes only where they begin."""
    reached: set[str] = set()
    for pair in matching.pairs:
        rounded = pair.left.name in left.computed or pair.right.name in right.computed
        found = list(of_pair(pair, shapes, rounded))
        follows = bool(reached.intersection(pair.left.inputs))
        sizes = list(sizes_of_pair(pair, shapes))
        found += sizes if not follows and not found else []
        if sizes or follows:
            reached.update(pair.left.outputs)
        yield from (_named(one, pair, left, right) for one in found)
    for side, name, layers in (
        ("A", "left", matching.only_left),
        ("B", "right", matching.only_right),
    ):
        for layer in layers:
            yield _unmatched(layer, side, name == "left")


def _named(one: Difference, pair: Pair, left: Canonical, right: Canonical) -> Difference:
    """A difference of layers that stand for several, with the names of all."""
    names = [
        "' + '".join(side.parts.get(layer.name, (layer.name,)))
        for side, layer in ((left, pair.left), (right, pair.right))
    ]
    return replace(one, left=names[0], right=names[1])


def _unmatched(layer: Layer, side: str, is_left: bool) -> Difference:
    message = f"only {side} has this {kind_of(layer)}"
    kind: Final = "missing" if is_left else "extra"
    names = (layer.name, "") if is_left else ("", layer.name)
    return Difference(kind, *names, message)


def _of_outputs(left: Model, right: Model, matching: Matching) -> Iterator[Difference]:
    if len(left.outputs) != len(right.outputs):
        counts = f"{len(left.outputs)} outputs in A, {len(right.outputs)} in B"
        yield Difference("output", "", "", counts)
    names = left.outputs, right.outputs
    for ours, theirs in paired_names(*names):
        if matching.values.get(ours) != theirs:
            message = "the outputs come from different places"
            yield Difference("output", ours, theirs, message)


def _of_sizes(
    models: tuple[Model, Model], sizes: tuple[InputSizes, InputSizes]
) -> Iterator[Difference]:
    """Where the sets of sizes that run differ, with what asks for it.

    A size at which one model refuses what the other stretches from 1 pixel, as a sum in ONNX does,
    changes no number of the net that is meant.
    """
    strict: tuple[InputSizes, ...] = ()
    for ours in sizes[0].axes:
        theirs = sizes[1].axis(ours.axis)
        if theirs is None or ours.runs == theirs.runs is not None:
            continue
        rules = [_rule(one) for one in (ours, theirs)]
        known = ours.runs is not None and theirs.runs is not None
        if rules[0] == rules[1] and not known:
            continue
        message = f"valid sizes: {rules[0]} in A, {rules[1]} in B"
        reasons = [
            _asking(model, found, one)
            for model, found, one in zip(models, sizes, (ours, theirs), strict=True)
        ]
        told = [f"{side}: {reason}" for side, reason in zip("AB", reasons, strict=True) if reason]
        strict = strict or tuple(input_sizes(_without_stretching(model)) for model in models)
        plain = [found.axis(ours.axis) for found in strict]
        if known and plain[0] and plain[1] and plain[0].runs == plain[1].runs is not None:
            known = False
            told.append("The others run only where a merge stretches an axis of 1 pixel")
        yield Difference("valid sizes", "", "", ". ".join([message, *told]), known)
    coupled = [sorted(map(str, one.coupled)) for one in sizes]
    if coupled[0] != coupled[1]:
        texts = [" and ".join(one) or "free axes" for one in coupled]
        yield Difference("valid sizes", "", "", f"axes together: {texts[0]} in A, {texts[1]} in B")


def _without_stretching(model: Model) -> Model:
    """The model with merges that ask for equal sizes, where no input has an axis of 1 by itself."""
    shapes = infer(model).shapes

    def strict(layer: Layer) -> Layer:
        op, given = layer.operator, [shapes.get(value) for value in layer.inputs]
        if not isinstance(op, Eltwise) or not op.broadcast or None in given:
            return layer
        axes = list(zip_longest(*(one or () for one in given)))
        meant = any(len(set(sizes)) > 1 and {1, None} & set(sizes) for sizes in axes)
        return layer if meant else replace(layer, operator=replace(op, broadcast=False))

    return replace(model, layers=tuple(map(strict, model.layers)))


def _rule(axis: AxisSizes) -> str:
    return (axis.runs or axis.known).rule(axis.axis)


def _asking(model: Model, found: InputSizes, axis: AxisSizes) -> str:
    """The layer that leaves the fewest sizes, and why."""
    failures = [
        one for one in first_failures(model, found, axis) if not one.failure.sizes.is_finite
    ]
    tied = next((one for one in found.coupled if axis.axis in one.symbols), None)
    if tied is not None:
        return f"'{tied.layer.name}' asks for {tied}"
    return f"at {axis.axis} = {failures[0].size} {failures[0].reason}" if failures else ""
