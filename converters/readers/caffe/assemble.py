"""Layers of the IR from wired layers of Caffe: each goes through its lowering.

What cannot be lowered becomes an Unknown operator and a notice. Shapes are inferred on the way,
because Caffe's parameters leave open how many axes a layer works on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UpconvError
from upconv.converters.ir.kept import faults
from upconv.converters.ir.model import Layer, Notice, Shape
from upconv.converters.ir.operators import POINTWISE, Unknown
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.workspace import Kinds, Workspace
from upconv.converters.readers.caffe.blobs import Blobs
from upconv.converters.readers.caffe.dialects import choose_dialect
from upconv.converters.readers.caffe.fields import said_of
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES, MANY, similar_types
from upconv.converters.readers.caffe.lowering import (
    LOWERINGS,
    BottomShapes,
    CaffeLayer,
    Lowered,
    ParamSpec,
)
from upconv.converters.readers.caffe.schema import unknown_of_layer
from upconv.converters.readers.caffe.spatial import HalfGivenError
from upconv.converters.readers.caffe.wiring import Node
from upconv.converters.readers.files.prototxt import Field

KINDS: Final[Kinds] = (
    (HalfGivenError, "half-given-field"),
    (AmbiguousError, "fork-dialect"),
)


@record(frozen=True, slots=True)
class LayerSource:
    """What a layer is made of beside its node: `param { }` specs, blobs and place in the file."""

    params: tuple[ParamSpec, ...]
    blobs: Blobs | None
    origin: Origin


def add_layers(
    work: Workspace, nodes: Sequence[Node], sources: Sequence[LayerSource], dialect: str
) -> None:
    """Append what the layers become, and a notice for each that could not be understood."""
    for node, source in zip(nodes, sources, strict=True):
        kept = node.layer.node.source.kept if source.blobs is None else None
        shapes = [work.shapes[name] for name in node.reads]
        last = kept.get(add_layers) if kept is not None else None
        if last is not None and last[:2] == (node.words, shapes) and last[2] == dialect:
            work.take(*last[3:])
            continue
        said = len(work.notices)
        layers = _made(node, source, shapes, dialect, work)
        plain = list(map(work.append, layers))
        if kept is not None and all(plain) and len(work.notices) == said:
            found = [(value, work.shapes[value]) for one in layers for value in one.outputs]
            kept[add_layers] = node.words, shapes, dialect, layers, found


def _made(
    node: Node,
    source: LayerSource,
    shapes: Sequence[Shape | None],
    dialect: str,
    work: Workspace,
) -> tuple[Layer, ...]:
    """What a layer becomes, with a notice where it could not be understood. A piece of a text keeps
    it for as long as it sees no other names and ranks and, if it asks for them, sizes."""
    kept = node.layer.node.source.kept if source.blobs is None else None
    before = kept.get(_made, ()) if kept is not None else ()
    ranks = list(map(_rank, shapes))
    for words, of, seen, layers in before:
        if words == node.words and of == dialect and seen in (shapes, ranks):
            known: tuple[Layer, ...] = layers
            return known
    said = len(work.notices)
    layer = _caffe_layer(node, source, work)
    try:
        lowered = lower(layer, dialect)
    except UpconvError as error:
        lowered = (Lowered(Unknown(layer.type, error.message, said_of(layer.node))),)
        if layer.type:  # that it has none is told already
            work.refuse(error, layer.name, source.origin)
    else:
        lowered = _doubted(layer, lowered, work)
    made = tuple(_layers(layer, lowered, source.origin))
    if kept is not None and len(work.notices) == said:
        made = next((same for *_, same in before if same == made), made)
        seen = shapes if layer.shapes.sizes_asked else ranks
        kept[_made] = ((node.words, dialect, seen, made), *before[:1])
    return made


def _rank(shape: Shape | None) -> int | None:
    return None if shape is None else len(shape)


def _doubted(layer: CaffeLayer, made: tuple[Lowered, ...], work: Workspace) -> tuple[Lowered, ...]:
    """The operators, or an Unknown where a field that is not known could change their shapes."""
    found = faults(layer.node.source, _doubted, lambda: unknown_of_layer(layer.node))
    notices = [_unknown_field(layer, *one) for one in found]
    work.notices += notices
    if not notices or all(isinstance(one.operator, POINTWISE) for one in made):
        return made
    reason = "; ".join(notice.error.message for notice in notices)
    return (Lowered(Unknown(layer.type, reason, said_of(layer.node))),)


def _unknown_field(layer: CaffeLayer, field: Field, message: str, near: tuple[str, ...]) -> Notice:
    error = UnsupportedError(
        f"unknown field '{field.name}' in {message}, which may change the numbers",
        where=field.name_span,
        layer=layer.name,
        hint=f"did you mean {' or '.join(near)}?" if near else "",
    )
    return Notice("unknown-field", error, near=near)


def _caffe_layer(node: Node, source: LayerSource, work: Workspace) -> CaffeLayer:
    return CaffeLayer(
        name=node.name,
        type=node.layer.type,
        node=node.layer.node,
        bottoms=node.reads,
        tops=node.writes,
        params=source.params,
        blobs=source.blobs,
        span=node.layer.span,
        shapes=BottomShapes([work.shapes[name] for name in node.reads]),
    )


def lower(layer: CaffeLayer, dialect: str = "") -> tuple[Lowered, ...]:
    """The operators of a layer, in the words of the fork that wrote it.

    Raises UnreadableError where Caffe itself would refuse the layer, UnsupportedError where it is
    legal but cannot be represented, and AmbiguousError where forks disagree about it.
    """
    if layer.type not in LOWERINGS:
        raise _not_understood(layer)
    _require_counts(layer)
    made = LOWERINGS.variants(layer.type)[choose_dialect(layer, dialect)](layer)
    return made if isinstance(made, tuple) else (made,)


def _not_understood(layer: CaffeLayer) -> UnsupportedError:
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
    pieces = layer.node.source.pieces
    for one in made:
        yield Layer(
            name=f"{layer.name}/{one.suffix}" if one.suffix else layer.name,
            operator=one.operator if pieces is None else pieces.same(one.operator),
            inputs=layer.bottoms if one.inputs is None else one.inputs,
            outputs=layer.tops if one.outputs is None else one.outputs,
            weights=one.weights,
            origin=origin,
        )
