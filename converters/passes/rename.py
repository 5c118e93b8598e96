"""Layers under other value names, the sizes they take from other values included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from upconv.converters.ir.dims import Dim, Like, Size, Symbol, like, substitute
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Operator


def renamed(layer: Layer, names: Mapping[str, str]) -> Layer:
    """The layer with every value in `names` under its new name."""
    if not names.keys() & {*layer.inputs, *layer.outputs}:
        return layer
    return replace(
        layer,
        operator=renamed_sizes(layer.operator, names),
        inputs=tuple(names.get(name, name) for name in layer.inputs),
        outputs=tuple(names.get(name, name) for name in layer.outputs),
    )


def renamed_sizes(operator: Operator, names: Mapping[str, str]) -> Operator:
    """The operator with `like(tensor, axis)` following the new names."""

    def follow(leaf: Symbol | Like) -> Size | None:
        if isinstance(leaf, Like) and leaf.tensor in names:
            return like(names[leaf.tensor], leaf.axis)
        return None

    def moved(value: Any) -> Any:
        if isinstance(value, Dim):
            return substitute(value, follow)
        if isinstance(value, tuple) and any(isinstance(part, Dim) for part in value):
            return tuple(substitute(size, follow) for size in value)
        return value

    before = {entry.name: getattr(operator, entry.name) for entry in fields(operator)}
    after = {name: moved(value) for name, value in before.items()}
    return replace(operator, **after) if after != before else operator
