"""A layer in full: what goes in and comes out, formulas with their numbers, where pixels lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from upconv.converters.audit.formulas import FORMULAS, Axis, formula
from upconv.converters.ir.alignment import IDENTITY, AxisMap, carriers, layer_maps
from upconv.converters.ir.operators import Unknown, targets
from upconv.converters.ir.table import shape_text
from upconv.service.lsp.diagnostics import span_range
from upconv.service.lsp.sizes import context_of

if TYPE_CHECKING:
    from upconv.converters.ir.model import Layer
    from upconv.linter.context import Context
    from upconv.service.lsp.session import Session

AXES: Final = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}
MOST_STEPS: Final = 16
"""Layers of a chain that are shown, from the last one back."""


async def hover(session: Session, params: types.HoverParams) -> types.Hover | None:
    """What there is to say of the word, or of the layer, at a place."""
    document = session.document(params.text_document.uri)
    offset = document.lines.offset((params.position.line, params.position.character))
    word = await _word(session, params, offset)
    if word is not None:
        return word
    document, look = await session.look(params.text_document.uri)
    context = await context_of(session, document, look)
    if context is None:
        return None
    layers = _at(context, offset)
    if not layers:
        return None
    span = layers[0].origin.span
    assert span is not None
    where = span_range(
        document.lines, span.start, min(span.end, document.lines.line_end(span.start))
    )
    text = await session.looker.ask(lambda: "\n\n".join(_told(context, one) for one in layers))
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), where)


async def _word(session: Session, params: types.HoverParams, offset: int) -> types.Hover | None:
    """What a field or a type of a net means."""
    from upconv.service.lsp.nets import meaning_at

    document = session.document(params.text_document.uri)
    tree = await session.tree(document)
    found = meaning_at(tree, offset) if tree is not None else None
    if found is None:
        return None
    start, end, text = found
    content = types.MarkupContent(types.MarkupKind.Markdown, text)
    return types.Hover(content, span_range(document.lines, start, end))


def _at(context: Context, offset: int) -> list[Layer]:
    """The layers that are written around an offset, of those the innermost."""
    found = [
        (span.end - span.start, layer)
        for layer in context.net.layers
        if (span := layer.origin.span) is not None and span.start <= offset <= span.end
    ]
    least = min((size for size, _ in found), default=0)
    return [layer for size, layer in found if size == least]


def _told(context: Context, layer: Layer) -> str:
    operator = layer.operator
    kind = f"Unknown {operator.type}" if isinstance(operator, Unknown) else type(operator).__name__
    shapes = context.open_inference.shapes
    ins, outs = (
        ", ".join(f"{_code(name)} {shape_text(shapes.get(name))}" for name in names)
        for names in (layer.inputs, layer.outputs)
    )
    lines = [f"**{_plain(layer.name)}** ({kind})", f"{ins or 'nothing'} → {outs or 'nothing'}"]
    lines += [f"- {one}" for one in _formulas(context, layer)]
    lines += list(_chain(context, layer))
    return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])


def _formulas(context: Context, layer: Layer) -> Iterator[str]:
    """The arithmetic of each axis; nothing of a layer that keeps sizes."""
    x, y = context.open_inference.shapes.get(layer.inputs[0]) if layer.inputs else None, None
    if layer.outputs:
        y = context.open_inference.shapes.get(layer.outputs[0])
    known = type(layer.operator) in FORMULAS or any(True for _ in targets(layer.operator))
    if x is None or y is None or len(x) != len(y) or not known:
        return
    for index, name in enumerate(AXES.get(len(x) - 2, ())):
        told = formula(layer, Axis(index, x[index + 2], y[index + 2]))
        yield f"{name}: {_code(told.removeprefix(f'{layer.name}: '))}"


def _chain(context: Context, layer: Layer) -> Iterator[str]:
    """Where a pixel of the output lies in the input, and what every layer on the way adds."""
    places = context.coordinates.places if context.net.has_graph else {}
    place = places.get(layer.outputs[0]) if layer.outputs else None
    if place is None or place.root == layer.outputs[0]:
        return
    lies = _maps(place.maps)
    yield f"\npixel i lies at {_code(lies)} of {_code(place.root)}; on the way there:"
    steps = list(_steps(context, layer, place.root))
    for name, maps in steps[:MOST_STEPS]:
        yield f"- {_code(name)}: {_code(_maps(maps))}"
    if len(steps) > MOST_STEPS:
        yield f"- and {len(steps) - MOST_STEPS} layers before"


def _steps(context: Context, layer: Layer, root: str) -> Iterator[tuple[str, tuple[AxisMap, ...]]]:
    """The layers from this one back that move or scale pixels, each with its own map."""
    shapes, producers = context.open_inference.shapes, context.producers
    seen: set[str] = set()
    one: Layer | None = layer
    while one is not None and one.name not in seen:
        seen.add(one.name)
        maps = layer_maps(one, shapes, producers)
        if maps is not None and any(axis != IDENTITY for axis in maps):
            yield one.name, maps
        before = [name for name in carriers(one) if _leads(context, name, root)]
        one = producers.get(before[0]) if before else None


def _leads(context: Context, value: str, root: str) -> bool:
    place = context.coordinates.places.get(value)
    return place is not None and place.root == root and value != root


def _maps(maps: tuple[AxisMap, ...]) -> str:
    """`2*i + 1/2`, once where all axes have the same."""
    told = [_map(one) for one in maps]
    return told[0] if len(set(told)) == 1 else ", ".join(told)


def _map(one: AxisMap) -> str:
    scaled = "i" if one.scale == 1 else f"{one.scale}*i"
    sign = "-" if one.shift < 0 else "+"
    return scaled if one.shift == 0 else f"{scaled} {sign} {abs(one.shift)}"


def _code(text: str) -> str:
    """Words of a file as code: what is in them is no markup."""
    plain = _plain(text)
    fence = "``" if "`" in plain else "`"
    return f"{fence} {plain} {fence}" if fence == "``" else f"`{plain}`"


def _plain(text: str) -> str:
    from upconv.linter.reports.wording import one_line, writable

    return one_line(writable(text))
