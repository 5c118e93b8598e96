"""Layers of the IR from wired layers of Caffe: each goes through its lowering.

What cannot be lowered becomes an Unknown operator and a notice. Shapes are inferred on the way,
because Caffe's parameters leave open how many axes a layer works on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from upconv.converters.ir.errors import (
    AmbiguousError,
    ShapeError,
    UnsupportedError,
    UpconvError,
    UsageError,
)
from upconv.converters.ir.inference import layer_shapes
from upconv.converters.ir.model import Layer, Notice, NoticeKind, Shape
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.caffe.blobs import Blobs
from upconv.converters.readers.caffe.dialects import choose_dialect
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES, MANY, similar_types
from upconv.converters.readers.caffe.lowering import LOWERINGS, CaffeLayer, Lowered, ParamSpec
from upconv.converters.readers.caffe.spatial import HalfGivenError
from upconv.converters.readers.caffe.wiring import Node

NOTICE_KINDS: Final[tuple[tuple[type[UpconvError], NoticeKind], ...]] = (
    (HalfGivenError, "half-given-field"),
    (AmbiguousError, "fork-dialect"),
    (UnsupportedError, "unknown-layer-type"),
    (UpconvError, "unreadable-part"),
)
"""The kind of notice for a layer that could not be lowered, by the first class that fits."""


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What a layer is made of: its wired node, `param { }` specs, blobs and place in the file."""

    node: Node
    params: tuple[ParamSpec, ...]
    blobs: Blobs | None
    origin: Origin


def lower_layers(
    sources: Sequence[LayerSource], inputs: Mapping[str, Shape | None], dialect: str
) -> tuple[tuple[Layer, ...], list[Notice]]:
    """The layers in order, and a notice for each that could not be understood."""
    shapes = dict(inputs)
    layers: list[Layer] = []
    notices: list[Notice] = []
    for source in sources:
        layer = _caffe_layer(source, shapes)
        try:
            made = _lower(layer, dialect)
        except UpconvError as error:
            made = (Lowered(Unknown(layer.type, error.message)),)
            if layer.type:  # that it has none is told already
                notices.append(_notice(error, layer.name))
        for one in _layers(layer, made, source.origin):
            layers.append(one)
            _infer(one, shapes)
    return tuple(layers), notices


def require_dialect(dialect: str) -> None:
    """Raise UsageError for a dialect that no layer type has."""
    known = known_dialects()
    if dialect and dialect not in known:
        raise UsageError(f"unknown dialect '{dialect}'", hint=f"one of {', '.join(known)}")


def known_dialects() -> list[str]:
    """The forks whose meaning of a layer type can be asked for, sorted."""
    load_lowerings()
    return sorted({name for dialects in LOWERINGS.values() for name in dialects if name})


@cache
def load_lowerings() -> None:
    """Import every module `layers_*` of this package, so that its lowerings register."""
    from importlib import import_module
    from pkgutil import iter_modules

    from upconv.converters.readers import caffe

    for module in iter_modules(caffe.__path__):
        if module.name.startswith("layers_"):
            import_module(f"{caffe.__name__}.{module.name}")


def _caffe_layer(source: LayerSource, shapes: Mapping[str, Shape | None]) -> CaffeLayer:
    node = source.node
    return CaffeLayer(
        name=node.name,
        type=node.layer.type,
        node=node.layer.node,
        bottoms=tuple(value.name for value in node.bottoms),
        tops=tuple(value.name for value in node.tops),
        params=source.params,
        blobs=source.blobs,
        span=node.layer.span,
        shapes=tuple(shapes[value.name] for value in node.bottoms),
    )


def _lower(layer: CaffeLayer, dialect: str) -> tuple[Lowered, ...]:
    if layer.type not in LOWERINGS:
        raise _not_understood(layer)
    _require_counts(layer)
    made = LOWERINGS[layer.type][choose_dialect(layer, dialect)](layer)
    return made if isinstance(made, tuple) else (made,)


def _not_understood(layer: CaffeLayer) -> UnsupportedError:
    if layer.type == "Python":
        code = layer.field("python_param")
        what = f"{code.str('module', '?')}.{code.str('layer', '?')}"
        return layer.unsupported(f"a Python layer computes what its code says ({what})")
    if layer.type in LAYER_TYPES:
        return layer.unsupported(f"layers of type {layer.type} are not supported")
    alike = similar_types(layer.type)
    hint = f"did you mean {' or '.join(alike)}?" if alike else ""
    return layer.unsupported(f"unknown layer type '{layer.type}'", hint)


def _require_counts(layer: CaffeLayer) -> None:
    """Raise where the layer has other bottoms or tops than its type takes: UnreadableError for
    BVLC's types, which Caffe checks, UnsupportedError for a fork's."""
    known = LAYER_TYPES.get(layer.type)
    bottoms, tops = (known.bottoms, known.tops) if known else ((1, MANY), (1, MANY))
    for what, names, (low, high) in (
        ("bottom", layer.bottoms, bottoms),
        ("top", layer.tops, tops),
    ):
        if low <= len(names) <= high:
            continue
        message = (
            f"{layer.type} takes {_amount(low, high)} {what}{'s' * (high != 1)}, "
            f"but it has {len(names)}"
        )
        raise layer.unsupported(message) if known and known.fork else layer.invalid(message)


def _amount(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"at least {low}" if high == MANY else f"{low} to {high}"


def _layers(layer: CaffeLayer, made: Sequence[Lowered], origin: Origin) -> Iterator[Layer]:
    for one in made:
        yield Layer(
            name=f"{layer.name}/{one.suffix}" if one.suffix else layer.name,
            operator=one.operator,
            inputs=layer.bottoms if one.inputs is None else one.inputs,
            outputs=layer.tops if one.outputs is None else one.outputs,
            weights=one.weights,
            origin=origin,
        )


def _infer(layer: Layer, shapes: dict[str, Shape | None]) -> None:
    """Enter the shapes of a layer's outputs; a contradiction is for `infer` to report."""
    try:
        results = layer_shapes(layer, shapes)
    except ShapeError as error:
        results = error.guess
    for index, value in enumerate(layer.outputs):
        shapes[value] = results[index] if index < len(results) else None


def _notice(error: UpconvError, layer: str) -> Notice:
    error.layer = error.layer or layer
    kind = next(kind for cause, kind in NOTICE_KINDS if isinstance(error, cause))
    return Notice(kind, error)
