"""From a Caffe net in text, with or without its caffemodel, to a Model.

Whatever is wrong with one layer becomes a notice and an Unknown operator, so that everything
else can still be checked; whoever needs the whole net looks at the notices first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.model import Model, ModelInput, Notice, Shape, validate
from upconv.converters.ir.origin import Origin, Source
from upconv.converters.readers.caffe.assemble import LayerSource, lower_layers, require_dialect
from upconv.converters.readers.caffe.blobs import Blobs, blobs_by_layer, param_specs
from upconv.converters.readers.caffe.inputs import data_shapes, overridden, require_sizes
from upconv.converters.readers.caffe.lowering import ParamSpec
from upconv.converters.readers.caffe.phases import NetState, is_included
from upconv.converters.readers.caffe.sniff import require_net
from upconv.converters.readers.caffe.upgrade import WrittenLayer, WrittenNet, upgrade
from upconv.converters.readers.caffe.wiring import InputSource, Node, wire
from upconv.converters.readers.files.prototxt import load_text, parse
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
    parsed = parse(source)
    require_net(parsed.root, parsed.errors)
    net = upgrade(parsed.root)
    notices = [Notice("unreadable-part", error) for error in parsed.errors] + list(net.notices)
    present, absent = _by_phase(net, options, notices)
    wiring = wire(net.inputs, present, absent)
    notices += wiring.notices
    shapes = _input_shapes(wiring.sources, options, source.path, notices)
    layers, problems = lower_layers(
        _layer_sources(wiring.nodes, source.path, options, notices), shapes, options.dialect
    )
    problems = [one for one in problems if not _follows(one, parsed.errors)]
    model = Model(
        name=net.name,
        path=source.path,
        framework="caffe",
        inputs=tuple(_model_input(entry, shapes, source.path) for entry in wiring.sources),
        outputs=wiring.outputs,
        layers=layers,
        notices=_in_order([*notices, *problems]),
        phase=options.phase,
        weights_path=options.weights,
        origin=Origin(source.path, "caffe", "net", parsed.root.span, parsed.root),
    )
    validate(model)
    return model


def _follows(notice: Notice, errors: Sequence[UnreadableError]) -> bool:
    """Whether a layer is only unreadable for what the parser could not read within it."""
    span = notice.error.where
    if notice.kind != "unreadable-part" or span is None:
        return False
    places = (error.where.start for error in errors if error.where is not None)
    return any(span.start <= place < span.end for place in places)


def _by_phase(
    net: WrittenNet, options: ReadOptions, notices: list[Notice]
) -> tuple[list[WrittenLayer], list[WrittenLayer]]:
    """The layers that the wanted phase has, and the others."""
    state = NetState(options.phase, stages=frozenset(net.stages))
    present: list[WrittenLayer] = []
    absent: list[WrittenLayer] = []
    for layer in net.layers:
        try:
            taken = is_included(layer.node, state)
        except UnreadableError as error:
            notices.append(_notice_at(error, layer.title))
            taken = True
        (present if taken else absent).append(layer)
    return present, absent


def _input_shapes(
    sources: Sequence[InputSource], options: ReadOptions, path: str, notices: list[Notice]
) -> dict[str, Shape | None]:
    """Input name -> shape, as the file has it or as the user gives it."""
    shapes: dict[str, Shape | None] = {}
    for entry in sources:
        try:
            shapes[entry.value.name] = _written_shape(entry)
        except UpconvError as error:
            title = entry.layer.title if entry.layer else entry.value.blob
            notices.append(_notice_at(error, title))
            shapes[entry.value.name] = None
    return overridden(shapes, options.inputs, path)


def _written_shape(entry: InputSource) -> Shape | None:
    if entry.layer is not None:
        return data_shapes(entry.layer)[entry.top]
    if entry.shape is not None:
        require_sizes(entry.shape, entry.span)
    return entry.shape


def _model_input(entry: InputSource, shapes: Mapping[str, Shape | None], path: str) -> ModelInput:
    name = entry.value.name
    layer = entry.layer
    if layer is None:
        return ModelInput(name, shapes[name], Origin(path, "caffe", "input", entry.span))
    origin = Origin(path, "caffe", layer.written_type, layer.span, layer.node)
    return ModelInput(name, shapes[name], origin)


def _layer_sources(
    nodes: Sequence[Node], path: str, options: ReadOptions, notices: list[Notice]
) -> list[LayerSource]:
    """What each layer is made of: its node, its param specs, its blobs and its origin."""
    params = [_params(node, notices) for node in nodes]
    blobs = _blobs(nodes, params, options, notices)
    return [
        LayerSource(
            node,
            specs,
            blobs.get(node.name),
            Origin(path, "caffe", node.layer.written_type, node.layer.span, node.layer.node),
        )
        for node, specs in zip(nodes, params, strict=True)
    ]


def _params(node: Node, notices: list[Notice]) -> tuple[ParamSpec, ...]:
    try:
        return param_specs(node.layer.node)
    except UnreadableError as error:
        notices.append(_notice_at(error, node.name))
        return ()


def _blobs(
    nodes: Sequence[Node],
    params: Sequence[tuple[ParamSpec, ...]],
    options: ReadOptions,
    notices: list[Notice],
) -> dict[str, Blobs]:
    if not options.weights:
        return {}
    from upconv.converters.readers.caffe.caffemodel import read_caffemodel

    weights = read_caffemodel(options.weights)
    found = blobs_by_layer(nodes, params, weights)
    if not found and any(layer.blobs for layer in weights.layers):
        error = UnreadableError(
            "no layer of the weights file bears the name of a layer of this net",
            path=options.weights,
            hint="the caffemodel belongs to another net",
        )
        notices.append(Notice("foreign-weights", error))
    return found


def _notice_at(error: UpconvError, layer: str) -> Notice:
    error.layer = error.layer or layer
    return Notice("unreadable-part", error)


def _in_order(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """The notices by their place in the file, those without one first."""
    return tuple(
        sorted(notices, key=lambda notice: notice.error.where.start if notice.error.where else -1)
    )
