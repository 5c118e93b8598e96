"""Shape inference over a whole model: the shape functions, applied in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Like, Size, Symbol, TooLongError, bits_of, leaves, substitute
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Unknown, targets
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import SHAPES, InputShapes, Shape
from upconv.converters.ir.source import Pieces
from upconv.converters.ir.weight_shapes import check_weights

LARGEST: Final = (1 << 63) - 1
"""The largest size that runtimes count in."""

MOST_BITS: Final = 1 << 10
"""Of a number in a size: layer by layer each may have twice as many as the one before."""


@record(frozen=True, slots=True)
class Inference:
    """Value name -> shape (None where it cannot be known), and every contradiction found."""

    shapes: Mapping[str, Shape | None]
    errors: tuple[ShapeError, ...]

    def inputs_of(self, layer: Layer) -> tuple[Shape | None, ...]:
        return tuple(self.shapes[value] for value in layer.inputs)


def infer(model: Model) -> Inference:
    """The shape of every value of a model.

    Sizes are exact: ints where the inputs are, else Dims in the inputs' symbols. Errors carry the
    layer and its place; inference goes on with the error's guess.
    """
    pieces = _pieces_of(model)
    if pieces is not None and pieces.inferred is not None:
        layers, inputs, found = pieces.inferred
        if layers == model.layers and inputs == [entry.shape for entry in model.inputs]:
            return Inference(found, ())
    shapes: dict[str, Shape | None] = {entry.name: entry.shape for entry in model.inputs}
    errors: list[ShapeError] = []
    for layer in model.layers:
        try:
            results = layer_shapes(layer, shapes)
        except ShapeError as error:
            error.layer = layer.name
            error.path = layer.origin.path
            error.where = layer.origin.span
            error.code = layer.origin.code
            errors.append(error.noted())
            results = error.guess or (None,) * len(layer.outputs)
        shapes.update(zip(layer.outputs, results, strict=False))
        for value in layer.outputs:
            shapes.setdefault(value, None)
    return Inference(shapes, tuple(errors))


def keep_inference(model: Model, shapes: Mapping[str, Shape | None]) -> None:
    """Let what a reader has inferred of its layers without an error be what `infer` finds, where
    the model's text is one that is read again and again."""
    pieces = _pieces_of(model)
    if pieces is not None:
        pieces.inferred = model.layers, [entry.shape for entry in model.inputs], shapes


def _pieces_of(model: Model) -> Pieces | None:
    place = model.origin.place
    return None if place is None else place.source.pieces


def _are_ordinary(shapes: Iterable[Shape]) -> bool:
    """Whether all sizes are those of tensors, in numbers that do not grow on and on."""
    for shape in shapes:
        for size in shape:
            if isinstance(size, int):
                if not 0 <= size <= LARGEST:
                    return False
            elif bits_of(size) > MOST_BITS:
                return False
    return True


def _require_countable(inputs: Iterable[Shape], results: tuple[Shape, ...]) -> None:
    """Raise ShapeError for a size that no tensor has, where it is this layer that makes it."""
    found = next(_uncountable(results), None)
    if found is not None and next(_uncountable(inputs), None) is None:
        axis, size = found
        raise ShapeError(f"gives axis {axis} the size {size}", "axis", results)


def _uncountable(shapes: Iterable[Shape]) -> Iterator[tuple[int, int]]:
    for shape in shapes:
        for axis, size in enumerate(shape):
            if isinstance(size, int) and not 0 <= size <= LARGEST:
                yield axis, size


def layer_shapes(layer: Layer, shapes: Mapping[str, Shape | None]) -> tuple[Shape | None, ...]:
    """The output shapes of one layer, given the shapes of its inputs.

    Raises ShapeError where they contradict the layer.
    """
    kept = layer.origin.kept
    if kept is None:
        return _layer_shapes(layer, shapes)
    given = [shapes[value] for value in layer.inputs]
    before = kept.get((infer, layer.name), ())
    for number, (known, of, found) in enumerate(before):
        if known is layer and of == given:
            if number:
                kept[infer, layer.name] = (before[number], *before[:number], *before[number + 1 :])
            shapes_known: tuple[Shape | None, ...] = found
            return shapes_known
    results = _alike(layer, given, shapes)
    kept[infer, layer.name] = ((layer, given, results), *before[: _LAST - 1])
    return results


_LAST: Final = 3
"""Shapes that are remembered of a layer: as it is, with open sizes, and before the last edit."""

Results: TypeAlias = tuple[tuple[Shape | None, ...], bool]
"""Shapes of outputs, and whether they follow from inputs that a layer's weights must fit, too."""


def _alike(
    layer: Layer, given: Sequence[Shape | None], shapes: Mapping[str, Shape | None]
) -> tuple[Shape | None, ...]:
    """The shapes of a layer whose operator other layers may have, too: nets are made of blocks."""
    place = layer.origin.place
    pieces = place.source.pieces if place is not None else None
    if pieces is None or isinstance(layer.operator, Unknown) or targets(layer.operator):
        return _layer_shapes(layer, shapes)
    key = (id(layer.operator), len(layer.outputs), *given)
    known = pieces.shapes.get(key)
    if known is None:
        known = pieces.shapes[key] = layer.operator, _results(layer, shapes)
    return _fitting(layer, shapes, known[1])


def _layer_shapes(layer: Layer, shapes: Mapping[str, Shape | None]) -> tuple[Shape | None, ...]:
    return _fitting(layer, shapes, _results(layer, shapes))


def _fitting(
    layer: Layer, shapes: Mapping[str, Shape | None], found: Results
) -> tuple[Shape | None, ...]:
    """The shapes that were found; raises ShapeError where the layer's weights do not fit."""
    results, is_known = found
    x = shapes[layer.inputs[0]] if is_known and layer.inputs else None
    if x is not None:
        try:
            check_weights(layer, x)
        except ShapeError as error:
            error.guess = results
            raise
    return results


def _results(layer: Layer, shapes: Mapping[str, Shape | None]) -> Results:
    unknown = (None,) * len(layer.outputs)
    if isinstance(layer.operator, Unknown):
        stated = tuple(_stated(one, shapes) for one in layer.operator.shapes)
        return (*stated, *unknown)[: len(unknown)], False
    given = input_shapes(layer, shapes)
    if given is None:
        return unknown, False
    try:
        results = SHAPES[type(layer.operator)](layer.operator, given)
    except TooLongError as error:
        raise ShapeError(str(error), "axis", unknown) from None
    if not _are_ordinary(results):
        _require_countable(given.inputs, results)
        if any(bits_of(size) > MOST_BITS for shape in results for size in shape):
            # the layer that began it is told of; numbers are not to grow on and on
            return unknown, False
    return results, True


def _stated(said: Shape, shapes: Mapping[str, Shape | None]) -> Shape | None:
    """The shape that is said of a layer's output; None where it is like one that is not known."""

    def size_of(leaf: Symbol | Like) -> Size | None:
        shape = None if isinstance(leaf, Symbol) else shapes[leaf.tensor]
        return None if shape is None or isinstance(leaf, Symbol) else shape[leaf.axis]

    found = tuple(substitute(size, size_of) for size in said)
    still = (leaf for size in found for leaf in leaves(size))
    return None if any(isinstance(leaf, Like) for leaf in still) else found


def input_shapes(layer: Layer, shapes: Mapping[str, Shape | None]) -> InputShapes | None:
    """What a layer's shape function is asked with; None where an input's shape is not known."""
    inputs = tuple(shapes[value] for value in layer.inputs)
    known = tuple(shape for shape in inputs if shape is not None)
    if len(known) != len(inputs):
        return None

    def size_of(leaf: Symbol | Like) -> Size | None:
        if isinstance(leaf, Symbol):
            return None
        shape = shapes[leaf.tensor]
        assert shape is not None
        if leaf.axis >= len(shape):
            raise ShapeError(f"axis {leaf.axis} of '{leaf.tensor}' does not exist", "rank")
        return shape[leaf.axis]

    return InputShapes(known, len(layer.outputs), lambda size: substitute(size, size_of))
