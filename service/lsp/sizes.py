"""Sizes where they arise: beside each layer, at the head of the file, and in full where asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from upconv.converters.audit.misaligned import Judged, judged_merges, signed
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.table import shape_text
from upconv.service.lsp.diagnostics import as_range

if TYPE_CHECKING:
    from upconv.converters.ir.model import Layer
    from upconv.converters.ir.origin import Span
    from upconv.linter.context import Context
    from upconv.service.lsp.documents import Document
    from upconv.service.lsp.positions import Lines
    from upconv.service.lsp.session import Session
    from upconv.service.work.looking import Look

SET_SIZE: Final = "upconv.setInputSize"
SHOW_AUDIT: Final = "upconv.showAudit"

LONGEST: Final = 80
"""Characters of a size that are shown; formulas grow from layer to layer."""

MOST_AUDITED: Final = 2000
"""Layers up to which the rule of a file's sizes is worked out unasked."""


async def context_of(session: Session, document: Document, look: Look) -> Context | None:
    """What sizes are asked of: the model as the file says it, or at the sizes that were set."""
    inputs = document.shot.inputs
    if not inputs:
        return look.context
    key = (document.shot.version, tuple(inputs.items()))
    if document.sized is None or document.sized[0] != key:
        from upconv.service.work.looking import at_inputs

        document.sized = key, await session.looker.ask(lambda: at_inputs(look, inputs))
    found: Context | None = document.sized[1]
    return found


async def hints(session: Session, params: types.InlayHintParams) -> list[types.InlayHint]:
    """The size that each layer in a range of lines gives, and how merged branches lie."""
    document, look = await session.look(params.text_document.uri)
    lines = document.lines
    context = await context_of(session, document, look)
    if context is None:
        return []
    where = (params.range.start.line, params.range.end.line)
    return await session.looker.ask(lambda: list(_hints(context, lines, where)))


def _hints(context: Context, lines: Lines, where: tuple[int, int]) -> Iterator[types.InlayHint]:
    shapes = context.open_inference.shapes
    merges = _merges(context)
    for span, layers in _written(context, lines, where):
        last = [value for layer in layers[-1:] for value in layer.outputs]
        values = last or [e.name for e in context.net.inputs if e.origin.span == span]
        told = [shape_text(shapes.get(value)) for value in values]
        if not told or set(told) == {"?"}:
            continue
        off = next((merges[one.name] for one in layers if one.name in merges), None)
        at = types.Position(*lines.point(lines.line_end(span.start)))
        whole = ", ".join(told)
        short = whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 3]}..."
        label = short + _alignment(off)
        tip = off.off.message if off is not None and off.off is not None else None
        tip = tip or (whole if whole != short else None)
        yield types.InlayHint(at, label, types.InlayHintKind.Type, tooltip=tip, padding_left=True)


def _written(
    context: Context, lines: Lines, where: tuple[int, int]
) -> Iterator[tuple[Span, list[Layer]]]:
    """Each place in these lines where a layer or an input is written, with its layers."""
    start, end = lines.starts[min(where[0], len(lines.starts) - 1)], len(lines.text)
    if where[1] + 1 < len(lines.starts):
        end = lines.starts[where[1] + 1]
    found: dict[tuple[int, int], tuple[Span, list[Layer]]] = {}
    for entry in context.net.inputs:
        place = entry.origin.place
        if entry.shape is None and entry.origin.type == "input":
            continue  # a name that nothing writes, or an input that the file says no more of
        if place is not None and start <= place.start < end:
            found[place.span.start, place.span.end] = (place.span, [])
    for layer in context.net.layers:
        place = layer.origin.place
        if place is not None and start <= place.start < end:
            span = place.span
            found.setdefault((span.start, span.end), (span, []))[1].append(layer)
    return iter([found[key] for key in sorted(found)])


def _merges(context: Context) -> dict[str, Judged]:
    if not context.net.has_graph:
        return {}
    shapes = context.open_inference.shapes
    return {one.layer.name: one for one in judged_merges(context.net, context.coordinates, shapes)}


def _alignment(judged: Judged | None) -> str:
    """How the branches of a merge lie: ` aligned`, ` shifted by +31`."""
    if judged is None or judged.verdict == "unknown":
        return ""
    if judged.off is None:
        return ", aligned"
    if judged.off.kind == "scale":
        return ", of different scales"
    return f", shifted by {signed(tuple(one.shift for one in judged.off.relative))}"


async def lenses(session: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """At the head of a net: which sizes it takes, and at which its layers are shown."""
    document, look = await session.look(params.text_document.uri)
    if look.context is None or not look.context.net.has_graph or not look.context.net.inputs:
        return []
    first = min((one.start for one in _spans(look.context)), default=0)
    where = as_range(document.lines.point(first), document.lines.point(first))
    return [
        types.CodeLens(where, data={"uri": document.shot.uri, "what": what})
        for what in ("audit", "sizes")
    ]


def _spans(context: Context) -> Iterable[Span]:
    origins = [one.origin for one in context.net.inputs]
    origins += [one.origin for one in context.net.layers]
    return [one.span for one in origins if one.span is not None]


async def lens(session: Session, one: types.CodeLens) -> types.CodeLens:
    """A lens with its words."""
    data: Any = one.data
    document, look = await session.look(data["uri"])
    if data["what"] == "audit":
        title = await asyncio.to_thread(_rule, look)
        command = types.Command(title, SHOW_AUDIT, "The audit report", [data["uri"]])
    else:
        context = await context_of(session, document, look)
        title = f"shown at {_shown(context)}"
        command = types.Command(title, SET_SIZE, "Show sizes at another input", [data["uri"]])
    return types.CodeLens(one.range, command, one.data)


def _shown(context: Context | None) -> str:
    entries = context.net.inputs if context is not None else ()
    told = [f"{entry.name} {shape_text(entry.shape)}" for entry in entries]
    return ", ".join(told[:3]) or "sizes that do not fit"


def _rule(look: Look) -> str:
    """`valid sizes: H % 32 == 0 and W % 32 == 0`."""
    from upconv.service.reports.words import sizes_in_brief
    from upconv.service.work.auditing import audit_model

    if look.context is None or len(look.context.net.layers) > MOST_AUDITED:
        return "valid sizes: audit"
    try:
        found = audit_model(look.source, look.options.read)
    except UpconvError:
        return "valid sizes: audit"
    return f"valid sizes: {sizes_in_brief(found)}"


async def set_size(session: Session, uri: str, said: str = "") -> str:
    """Show sizes at other inputs: `480x640`, `data=1x3x480x640`, or "" for the file's own. Gives
    back the inputs as they are shown; raises JsonRpcInvalidParams for what is no size."""
    from pygls.exceptions import JsonRpcInvalidParams

    from upconv.converters.ir.errors import UsageError
    from upconv.service.work.reading import parse_input, parse_shape

    inputs = {}
    try:
        if said:
            name, shape = parse_input(said) if "=" in said else ("", parse_shape(said, said))
            inputs = {name: shape}
    except UsageError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    document = session.document(uri)
    document.shot = replace(document.shot, inputs=inputs)
    _, look = await session.look(uri)
    session.refresh_sizes()
    return _shown(await context_of(session, document, look))


async def show_audit(session: Session, uri: str) -> str:
    """Write the audit's report, have the editor show it, and give back where it is."""
    document, look = await session.look(uri)
    target = session.report_of(document.shot.path)
    await asyncio.to_thread(_write_report, look, target)
    shown = target.as_uri()
    if session.can("window.show_document.support"):
        session.server.window_show_document(types.ShowDocumentParams(shown, external=True))
    return shown


def _write_report(look: Look, target: Any) -> None:
    from upconv.converters.ir.files import write_whole
    from upconv.service.reports import audit_report
    from upconv.service.work.auditing import AuditRequest, audit

    result = audit(AuditRequest(look.source, look.options.read, findings=True))
    write_whole(target, audit_report(result, "html").encode("utf-8"))
