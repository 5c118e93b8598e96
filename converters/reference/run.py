"""Evaluation of one layer and of a whole model in float64."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from upconv.converters.ir.dims import Dim, Like, Size, Symbol, evaluate, substitute
from upconv.converters.ir.errors import UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Conv, Unknown
from upconv.converters.ir.shapes import SHAPES, InputShapes
from upconv.converters.reference.call import (
    FLOAT64,
    MEANINGS,
    Array,
    Operands,
    Shape,
    stored_weights,
)

Sizes: TypeAlias = Callable[[Size], int]
Results: TypeAlias = tuple[Array, ...]
Amend: TypeAlias = Callable[[Layer, Sequence[Array], Results], Results]
"""(layer, its inputs, its outputs) -> the outputs that its readers are to see."""


def run_layer(layer: Layer, inputs: Sequence[Any], sizes: Sizes | None = None) -> Results:
    """The outputs of a layer on these inputs, in float64; channels-first, (N, C, spatial...).

    `inputs` are in the order of layer.inputs; `sizes` turns a Size into a number, by default
    from the shapes of the inputs, which is all a `Like` needs.

    Raises UnsupportedError for an unknown operator, ShapeError where the inputs do not fit, and
    UpconvError where a weight is missing or an index is no place.
    """
    call = bind(layer, inputs, sizes)
    return evaluate_call(layer, layer.operator, call)


def widened(layer: Layer, inputs: Sequence[Any]) -> tuple[Array, ...]:
    """The inputs in float64, but those of a convolution as they are: it widens block by block."""
    if isinstance(layer.operator, Conv):
        return tuple(map(np.asarray, inputs))
    return tuple(np.asarray(x, np.float64) for x in inputs)


def bind(
    layer: Layer,
    inputs: Sequence[Any],
    sizes: Sizes | None = None,
    magnitude: bool = False,
    dtype: np.dtype[Any] = FLOAT64,
) -> Operands:
    """The arguments of the layer's meaning, as `dtype`; with `magnitude`, |x| and |w|."""
    if isinstance(layer.operator, Unknown):
        raise UnsupportedError(
            f"the meaning of a layer of type '{layer.operator.type}' is not known",
            path=layer.origin.path,
            where=layer.origin,
            layer=layer.name,
        )
    if magnitude:
        arrays = tuple(np.abs(np.asarray(x, dtype)) for x in inputs)
    else:
        arrays = widened(layer, inputs)
    resolve = sizes or _sizes_of(layer, arrays)
    request = InputShapes(tuple(x.shape for x in arrays), len(layer.outputs), resolve)
    shapes = SHAPES[type(layer.operator)](layer.operator, request)
    plain = tuple(tuple(map(resolve, shape)) for shape in shapes)
    return Operands(arrays, stored_weights(layer, magnitude, dtype), plain, resolve)


def evaluate_call(layer: Layer, operator: Any, call: Operands) -> tuple[Array, ...]:
    """The meaning of `operator` on a bound call; `layer` is named in errors."""
    try:
        with np.errstate(all="ignore"):  # NaN and infinity are values here, as in float32
            results = MEANINGS[type(operator)](operator, call)
    except UpconvError as error:
        error.layer = error.layer or layer.name
        error.path = error.path or layer.origin.path
        error.where = error.where or layer.origin.span
        error.code = error.code or layer.origin.code
        raise
    shapes = tuple(values.shape for values in results)
    assert shapes == call.shapes, f"{layer.name}: {shapes} instead of {call.shapes}"
    return results


def _sizes_of(
    layer: Layer, inputs: Sequence[Array], symbols: Mapping[str, int] | None = None
) -> Sizes:
    shapes = dict(zip(layer.inputs, (x.shape for x in inputs), strict=True))

    def size_of(leaf: Symbol | Like) -> Size | None:
        return shapes[leaf.tensor][leaf.axis] if isinstance(leaf, Like) else None

    return lambda size: int(evaluate(substitute(size, size_of), symbols or {}))


def run_model(
    model: Model,
    feeds: Mapping[str, Any],
    keep: Collection[str] | None = None,
    amend: Amend = lambda layer, inputs, results: results,
) -> dict[str, Array]:
    """Value name -> array of a whole model on these inputs, in float64.

    With `keep` only those values are returned, and the others are freed once their last reader
    has run. Whoever reads a layer sees its outputs as `amend` returns them.

    Raises UsageError where an input is not fed or does not have the shape the model says, and
    what `run_layer` raises.
    """
    evaluation = Evaluation.of(model, feeds, keep)
    for index, layer in enumerate(model.layers):
        inputs = evaluation.inputs(layer)
        results = amend(layer, inputs, evaluation.results(layer))
        del inputs
        evaluation.put(index, results)
        del results
        for weight in layer.weights.values():
            weight.release()
    values = evaluation.values
    return values if keep is None else {name: values[name] for name in keep}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model that is evaluated layer by layer, in order: the values so far, `symbols` that their
    sizes are said in, and the last layer that reads each. With `keep` only those values stay behind
    their last reader."""

    model: Model
    keep: Collection[str] | None
    values: dict[str, Array]
    symbols: Mapping[str, int]
    last: Mapping[str, int]

    @classmethod
    def of(
        cls, model: Model, feeds: Mapping[str, Any], keep: Collection[str] | None = None
    ) -> Evaluation:
        """Raises UsageError where an input is not fed or does not have the shape the model says."""
        values = {entry.name: _fed(model, entry.name, feeds) for entry in model.inputs}
        symbols = _symbols(model, {name: x.shape for name, x in values.items()})
        last = {value: i for i, layer in enumerate(model.layers) for value in layer.inputs}
        return cls(model, keep, values, symbols, last)

    def inputs(self, layer: Layer) -> list[Array]:
        return [self.values[name] for name in layer.inputs]

    def results(self, layer: Layer) -> Results:
        """What a layer makes of the values so far; raises what `run_layer` raises."""
        inputs = self.inputs(layer)
        return run_layer(layer, inputs, _sizes_of(layer, inputs, self.symbols))

    def put(self, index: int, results: Results) -> None:
        """Let the readers of a layer see these outputs of it, and free what no other reads."""
        layer = self.model.layers[index]
        self.values.update(zip(layer.outputs, results, strict=True))
        if self.keep is not None:
            for name in {*layer.inputs, *layer.outputs}:
                if self.last.get(name, -1) <= index and name not in self.keep:
                    del self.values[name]


def _fed(model: Model, name: str, feeds: Mapping[str, Any]) -> Array:
    if name not in feeds:
        raise UsageError(f"the input '{name}' has no value", path=model.path)
    return np.asarray(feeds[name], np.float64)


def _symbols(model: Model, shapes: Mapping[str, Shape]) -> dict[str, int]:
    """What the letters of the inputs' shapes stand for."""
    found: dict[str, int] = {}
    for entry in model.inputs:
        shape = shapes[entry.name]
        if entry.shape is None:
            continue
        if len(entry.shape) != len(shape):
            raise _misfit(model, entry.name, shape)
        for declared, actual in zip(entry.shape, shape, strict=True):
            name = _letter(declared)
            number = found.setdefault(name, actual) if name else declared
            if isinstance(number, int) and number != actual:
                raise _misfit(model, entry.name, shape)
    return found


def _letter(size: Size) -> str:
    if isinstance(size, Dim) and len(size.terms) == 1 and not size.constant:
        atom, factor = size.terms[0]
        if isinstance(atom, Symbol) and factor == 1:
            return atom.name
    return ""


def _misfit(model: Model, name: str, shape: Shape) -> UsageError:
    text = "x".join(map(str, shape))
    return UsageError(f"the input '{name}' does not have the shape {text}", path=model.path)
