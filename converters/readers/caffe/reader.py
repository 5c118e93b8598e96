"""From a Caffe net in text, with or without its caffemodel, to a Model.

Whatever is wrong with one layer becomes a notice and an Unknown operator, so that everything
else can still be checked; whoever needs the whole net looks at the notices first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.kept import each, once, those
from upconv.converters.ir.model import Model, Notice, NoticeKind, Shape
from upconv.converters.ir.origin import Origin, Source, Written
from upconv.converters.ir.source import Pieces
from upconv.converters.readers.assembly.inputs import overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.caffe.assemble import KINDS, LayerSource, add_layers
from upconv.converters.readers.caffe.blobs import Blobs, blobs_by_layer, param_specs
from upconv.converters.readers.caffe.crops import aligned_crops
from upconv.converters.readers.caffe.dialects import require_dialect
from upconv.converters.readers.caffe.inputs import data_shapes, require_sizes
from upconv.converters.readers.caffe.lowering import ParamSpec
from upconv.converters.readers.caffe.phases import NetState, is_included
from upconv.converters.readers.caffe.schema import unknown_fields
from upconv.converters.readers.caffe.sniff import require_net
from upconv.converters.readers.caffe.upgrade import LAYER_FIELDS, WrittenLayer, WrittenNet, upgrade
from upconv.converters.readers.caffe.wiring import InputSource, Node, wire
from upconv.converters.readers.caffe.written import written_layer
from upconv.converters.readers.files.budgets import PROTOTXT
from upconv.converters.readers.files.prototxt import Message, load_text, parse, source_comments
from upconv.converters.readers.files.prototxt.diagnosis import FILL_IN, is_placeholder
from upconv.converters.readers.options import ReadOptions


def read_caffe(path: str, options: ReadOptions) -> Model:
    """The model in a .prototxt file, with the weights that `options` names.

    Raises UnreadableError where a file is no net or no caffemodel, and UsageError where the
    options name an input or a dialect that does not exist.
    """
    return read_caffe_source(load_text(path), options)


def read_caffe_source(source: Source, options: ReadOptions) -> Model:
    """The model in a text that is already read; raises as `read_caffe`."""
    require_dialect(options.dialect)
    parsed = parse(source, PROTOTXT)
    require_net(parsed.root, parsed.errors)
    net = upgrade(parsed.root)
    work = Workspace(source.path, "caffe", KINDS)
    work.notices += [Notice(_kind(error), error) for error in parsed.errors]
    left_open = list(_left_open(parsed.root))
    work.notices += left_open
    work.notices += net.notices
    work.notices += _unknown_fields(parsed.root)
    present, absent = _by_phase(net, options, work, source.pieces)
    wiring = wire(net.inputs, present, absent, source.pieces)
    work.notices += wiring.notices
    work.outputs += wiring.outputs
    _feed(work, wiring.sources, options)
    sources = _layer_sources(wiring.nodes, options, work, source.pieces)
    before = len(work.notices)
    unread = (*parsed.errors, *(notice.error for notice in left_open))
    broken = sorted(error.where.start for error in unread if error.where is not None)
    add_layers(work, wiring.nodes, sources, options.dialect)
    problems = [one for one in work.notices[before:] if not _follows(one, broken)]
    work.notices[before:] = problems
    told = {_field_at(one) for one in problems} - {None}
    work.notices[:before] = [n for n in work.notices[:before] if _field_at(n) not in told]
    model = work.model(
        net.name,
        phase=options.phase,
        weights_path=options.weights,
        origin=_file(parsed.root),
    )
    model = aligned_crops(model, options.dialect)
    return replace(model, notices=_in_order(model.notices))


def _kind(error: UnreadableError) -> NoticeKind:
    return "template" if is_placeholder(error) else "unreadable-part"


def _blocks(root: Message) -> list[Message]:
    return [block for name in LAYER_FIELDS for block in root.blocks(name)]


def _left_open(root: Message) -> Iterator[Notice]:
    """Numbers of outputs that are 0, which Caffe refuses: scripts put a number of classes there."""
    for block in those(root.source.pieces, _has_left_open, _blocks(root)):
        yield from _left_open_in(block)


def _has_left_open(block: Message) -> bool:
    return any(True for _ in _left_open_in(block))


def _left_open_in(block: Message) -> Iterator[Notice]:
    for params in (*block.blocks("convolution_param"), *block.blocks("inner_product_param")):
        if params.texts("num_output") == ["0"]:
            error = UnreadableError(
                "num_output: 0 is a placeholder, not a value: this file is a template",
                where=params.spans("num_output")[0],
                layer="".join(block.texts("name")[-1:]),
                hint=FILL_IN,
            )
            yield Notice("template", error)


def _unknown_fields(root: Message) -> Iterator[Notice]:
    """Every field that neither BVLC's Caffe nor a known fork has."""
    unknown = list(unknown_fields(root))
    blocks = sorted(_blocks(root), key=lambda block: block.start) if unknown else []
    starts = [block.start for block in blocks]
    for field, message, near in unknown:
        at = bisect_right(starts, field.start) - 1
        inside = at >= 0 and field.start < blocks[at].end
        error = UnreadableError(
            f"unknown field '{field.name}' in {message}",
            where=field.name_span,
            layer="".join(blocks[at].texts("name")[-1:]) if inside else "",
            hint=f"did you mean {' or '.join(near)}?" if near else "",
        )
        yield Notice("unknown-field", error, harmless=True, near=near)


def _file(root: Message) -> Origin:
    source = root.source
    written = Written(block=root, comments=lambda: source_comments(source))
    return Origin(source.path, "caffe", "net", root.span, written)


def _field_at(notice: Notice) -> int | None:
    """Where the unknown field is that a notice tells of; None for another notice."""
    where = notice.error.where if notice.kind == "unknown-field" else None
    return None if where is None else where.start


def _follows(notice: Notice, broken: Sequence[int]) -> bool:
    """Whether a layer is only unreadable for what the parser could not read within it; `broken`
    are such places, in order."""
    span = notice.error.where
    if notice.kind != "unreadable-part" or span is None:
        return False
    return bisect_left(broken, span.start) < bisect_left(broken, span.end)


def _by_phase(
    net: WrittenNet, options: ReadOptions, work: Workspace, pieces: Pieces | None
) -> tuple[list[WrittenLayer], list[WrittenLayer]]:
    """The layers that the wanted phase has, and the others."""
    state = NetState(options.phase, stages=frozenset(net.stages))

    def is_taken(layer: WrittenLayer) -> bool | None:
        try:
            return is_included(layer.node, state)
        except UnreadableError:
            return None

    taken = each(pieces, (is_included, options.phase, net.stages), net.layers, is_taken)
    present: list[WrittenLayer] = []
    absent: list[WrittenLayer] = []
    for layer, known in zip(net.layers, taken, strict=True):
        try:
            meets = is_included(layer.node, state) if known is None else known
        except UnreadableError as error:
            work.refuse(error, layer.title)
            meets = True
        (present if meets else absent).append(layer)
    return present, absent


def _feed(work: Workspace, sources: Sequence[InputSource], options: ReadOptions) -> None:
    """Enter the inputs, with shapes as the file has them or as the user gives them."""
    written: dict[str, Shape | None] = {}
    for entry in sources:
        try:
            written[entry.value.name] = _written_shape(entry)
        except UpconvError as error:
            title = entry.layer.title if entry.layer else entry.value.blob
            work.refuse(error, title)
            written[entry.value.name] = None
    shapes = overridden(written, options.inputs, work.path)
    for entry in sources:
        work.feed(entry.value.name, shapes[entry.value.name], _input_origin(entry, work.path))


def _written_shape(entry: InputSource) -> Shape | None:
    if entry.layer is not None:
        return data_shapes(entry.layer)[entry.top]
    if entry.shape is not None:
        require_sizes(entry.shape, entry.span)
    return entry.shape


def _input_origin(entry: InputSource, path: str) -> Origin:
    layer = entry.layer
    if layer is None:
        return Origin(path, "caffe", "input", entry.span)
    return _layer_origin(layer, path)


def _layer_origin(layer: WrittenLayer, path: str) -> Origin:
    def make() -> Origin:
        written = written_layer(layer.node, layer.written_type)
        return Origin(path, "caffe", layer.written_type, layer.place, written)

    return once(layer.node.source, Origin, make)


def _layer_sources(
    nodes: Sequence[Node], options: ReadOptions, work: Workspace, pieces: Pieces | None
) -> Sequence[LayerSource]:
    """What each layer is made of beside its node: its param specs, its blobs and its origin."""

    def made(layer: WrittenLayer) -> LayerSource:
        return LayerSource(param_specs(layer.node), None, _layer_origin(layer, work.path))

    def faultless(layer: WrittenLayer) -> LayerSource | None:
        try:
            return made(layer)
        except UnreadableError:
            return None

    known = each(pieces, LayerSource, [node.layer for node in nodes], faultless)
    found = []
    for node, source in zip(nodes, known, strict=True):
        try:
            found.append(source or made(node.layer))
        except UnreadableError as error:
            work.refuse(error, node.name)
            found.append(LayerSource((), None, _layer_origin(node.layer, work.path)))
    if not options.weights:
        return found
    blobs = _blobs(nodes, [one.params for one in found], options, work)
    pairs = zip(nodes, found, strict=True)
    return [replace(one, blobs=blobs.get(node.name)) for node, one in pairs]


def _blobs(
    nodes: Sequence[Node],
    params: Sequence[tuple[ParamSpec, ...]],
    options: ReadOptions,
    work: Workspace,
) -> dict[str, Blobs]:
    from upconv.converters.readers.caffe.caffemodel import read_caffemodel

    weights = read_caffemodel(options.weights)
    found = blobs_by_layer(nodes, params, weights)
    if not found and any(layer.blobs for layer in weights.layers):
        error = UnreadableError(
            "no layer of the weights file bears the name of a layer of this net",
            path=options.weights,
            hint="the caffemodel belongs to another net",
        )
        work.notices.append(Notice("foreign-weights", error))
    return found


def _in_order(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """The notices by their place in the file, those without one first."""
    return tuple(
        sorted(notices, key=lambda notice: notice.error.where.start if notice.error.where else -1)
    )
