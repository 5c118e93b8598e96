"""A layer's variables as weights of the representation: lazy, in its own axis order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.tensors import Filler, Weight, missing
from upconv.converters.readers.assembly.weights import Order, filler_of, laid_out
from upconv.converters.readers.files.hdf5 import Dataset
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.lowering import KerasLayer, Step

Shape: TypeAlias = tuple[Size | None, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a layer expects of a variable: its name, its shape as Keras has it (None for sizes that
    are not known), and the member that names its initializer."""

    name: str
    shape: Shape
    initializer: str


def weight(
    layer: KerasLayer, step: Step, variable: Variable, order: Order | None = None, key: str = ""
) -> Weight:
    """The variable as a weight, in the representation's `order`. Uses of one layer share one
    weight; `key` tells orders of one variable apart.

    Raises UnreadableError where the stored shape cannot belong to the layer.
    """
    found = layer.arrays.get(variable.name)
    if found is None:
        known = tuple(size for size in variable.shape if isinstance(size, int))
        expected = known if len(known) == len(variable.shape) else None
        ordered = order[0](expected) if order and expected is not None else expected
        return missing(ordered, _filler(layer, variable))
    _require_shape(layer, variable, found)
    cache = step.work.weights
    entry = (found.path, key or variable.name)
    if entry not in cache:
        cache[entry] = laid_out(found, order) if order else Weight(found.shape, found)
    return cache[entry]


def _require_shape(layer: KerasLayer, variable: Variable, found: Dataset) -> None:
    pairs = zip(found.shape, variable.shape, strict=False)
    fits = len(found.shape) == len(variable.shape) and all(
        want == have for have, want in pairs if isinstance(want, int)
    )
    if not fits:
        wanted = "x".join("?" if size is None else str(size) for size in variable.shape)
        has = "x".join(map(str, found.shape)) or "a scalar"
        raise layer.invalid(
            f"its {variable.name} has shape {has} in {found.path}, it needs {wanted}",
            hint="the weights belong to another version of this model, or --input gives other "
            "channels (they come last here)",
        )


def _filler(layer: KerasLayer, variable: Variable) -> Filler:
    """How Keras would initialise the variable, constants in Caffe's word."""
    given = layer.config.get(variable.initializer)
    settings = given.object("config") if isinstance(given, JsonObject) else None
    name = given.text("class_name") if isinstance(given, JsonObject) else str(given or "")
    return filler_of(name, settings.get("value") if settings else None)
