"""A net of any generation in today's words: V0, V1 and V2, and inputs written beside the layers.

The text is not rewritten. A layer of an older generation is given as a message of today's fields
whose values are the file's own, with their places in it (upgrade_proto.cpp says what goes where).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.kept import each, once
from upconv.converters.ir.model import Notice
from upconv.converters.ir.origin import Placed, Span
from upconv.converters.ir.records import record
from upconv.converters.readers.caffe.layer_types import v1_type
from upconv.converters.readers.caffe.rewrite import block_of, rebuilt, renamed
from upconv.converters.readers.caffe.upgrade_v0 import (
    Entry,
    is_v0,
    joined_paddings,
    v0_as_v1,
    v0_type,
)
from upconv.converters.readers.files.prototxt import Field, Message, Scalar, Value, ValueList

LAYER_FIELDS: Final = ("layer", "layers")
_INPUT_AXES: Final = 4  # input_dim comes in fours


@record(frozen=True, slots=True)
class WrittenLayer:
    """One layer of the file in today's words, with the names of blobs as the file has them.

    `title` is the layer's name, or "Type#index" where it has none; `written_type` the type as the
    file spells it, `place` where it stands, from its field's name to its last brace.
    """

    name: str
    title: str
    type: str
    written_type: str
    node: Message
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    place: Placed

    @property
    def span(self) -> Span:
        return self.place.span


@record(frozen=True, slots=True)
class WrittenInput:
    """One `input:` of the net; `shape` is None where the file does not give it."""

    name: str
    shape: tuple[int, ...] | None
    span: Span


@record(frozen=True, slots=True)
class WrittenNet:
    """A net as its file says it; `version` is the oldest generation among its layers."""

    name: str
    version: int
    inputs: tuple[WrittenInput, ...]
    layers: tuple[WrittenLayer, ...]
    stages: tuple[str, ...]
    notices: tuple[Notice, ...]


def upgrade(root: Message) -> WrittenNet:
    """The net that a parsed file holds. Raises nothing: what is wrong becomes notices."""
    notices: list[Notice] = []
    pieces = root.source.pieces
    written = [entry for entry in root.entries if entry.name in LAYER_FIELDS]
    parts = each(pieces, _parts, written, _parts)
    notices += [_no_block(value) for part in parts for value in part.others]
    entries = [entry for part in parts for entry in part.entries]
    version = min((part.version for part in parts), default=2)
    if version < 2:
        notices.append(_obsolete(entries, version))
    _require_one_generation(entries, notices)
    inputs = tuple(_inputs(root, notices))
    joined = _joined(entries, version)
    layers = tuple(
        known or _layer(index, *entry, notices)
        for index, (entry, known) in enumerate(
            zip(joined, each(pieces, _alone, joined, _alone), strict=True)
        )
    )
    name = "".join(texts(root, "name", notices)[-1:])
    state = root.get("state")
    stages = texts(state, "stage", notices) if isinstance(state, Message) else ()
    return WrittenNet(name, version, inputs, layers, stages, tuple(notices))


def texts(node: Message, name: str, notices: list[Notice]) -> tuple[str, ...]:
    """All values of a text field; one without quotes is taken as it stands, with a notice."""
    found = []
    for value in node.all(name):
        try:
            found.append(_text(value))
        except UnreadableError as error:
            notices.append(Notice("unreadable-part", error.noted()))
            if isinstance(value, Scalar):
                found.append(value.text.strip("\"'"))
    return tuple(found)


def _text(value: Value) -> str:
    if isinstance(value, Scalar):
        return value.as_str()
    raise UnreadableError(f"field '{value.name}': expected a text, found a block", where=value.span)


@record(frozen=True, slots=True)
class _Part:
    """What a field of the net holds of its layers: their blocks, each with its place, from its
    field's name to its last brace, and values that are no blocks."""

    entries: tuple[Entry, ...]
    others: tuple[Scalar, ...]
    version: int


def _parts(written: Message | Scalar | ValueList) -> _Part:
    field = Field(written)
    name, values = field.name, field.values
    blocks = [value for value in values if isinstance(value, Message)]
    places: Sequence[Placed] = [field] if len(values) == 1 else blocks
    return _Part(
        tuple((name, block, place) for block, place in zip(blocks, places, strict=False)),
        tuple(value for value in values if isinstance(value, Scalar)),
        min((_version_of(name, block) for block in blocks), default=2),
    )


def _no_block(value: Scalar) -> Notice:
    message = f"'{value.name}' holds a layer's block, found {value.text}"
    return Notice("unreadable-part", UnreadableError(message, where=value.span))


def _version_of(field: str, block: Message) -> int:
    if field == "layer":
        return 2
    return 0 if is_v0(block) else 1


def _obsolete(entries: list[Entry], version: int) -> Notice:
    place = next(place for field, block, place in entries if _version_of(field, block) == version)
    error = UnreadableError(
        f"the net is written in Caffe's obsolete V{version} format",
        where=place.span,
        hint="upgrade_net_proto_text writes it in today's",
    )
    return Notice("obsolete-format", error)


def _require_one_generation(entries: list[Entry], notices: list[Notice]) -> None:
    fields = [field for field, _, _ in entries]
    if len(set(fields)) < 2:
        return
    odd = "layers" if fields[0] == "layer" else "layer"
    error = UnreadableError(
        f"mixes 'layer' and 'layers' entries: the first is '{fields[0]}', and Caffe refuses both",
        where=entries[fields.index(odd)][2].span,
        hint="write all layers in one format",
    )
    notices.append(Notice("unreadable-part", error))


def _joined(entries: list[Entry], version: int) -> list[Entry]:
    """The entries with each V0 block in V1 words and each V0 padding layer in its reader."""
    if version:
        return entries
    return joined_paddings(
        [
            (field, v0_as_v1(block) if _version_of(field, block) == 0 else block, place)
            for field, block, place in entries
        ]
    )


def _alone(entry: Entry) -> WrittenLayer | None:
    """A layer that is kept with its words; None where its number, or a notice, belongs to it."""
    source = entry[1].source
    if source.kept is None:
        return None
    return once(source, WrittenLayer, lambda: _faultless(*entry))


def _faultless(field: str, block: Message, place: Placed) -> WrittenLayer | None:
    notices: list[Notice] = []
    made = _layer(0, field, block, place, notices)
    return made if made.name and not notices else None


def _layer(
    index: int, field: str, block: Message, place: Placed, notices: list[Notice]
) -> WrittenLayer:
    old = field == "layers"
    written = _written_type(block, old, notices)
    name = "".join(texts(block, "name", notices)[-1:])
    type_name = v0_type(v1_type(written)) if old else written
    return WrittenLayer(
        name=name,
        title=name or f"{type_name}#{index}",
        type=type_name,
        written_type=written,
        node=_with_param_specs(block) if old else block,
        bottoms=texts(block, "bottom", notices),
        tops=texts(block, "top", notices),
        place=place,
    )


def _written_type(block: Message, old: bool, notices: list[Notice]) -> str:
    """The type as the file spells it: a text, or in older nets an enum's name or number."""
    value = block.get("type")
    if value is None:
        error = UnreadableError("a layer without a type", where=block.span)
        notices.append(Notice("unreadable-part", error))
    if old and isinstance(value, Scalar) and value.kind != "string":
        return value.text
    return "".join(texts(block, "type", notices)[-1:])


_PARAM_FIELDS: Final = {"blobs_lr": "lr_mult", "weight_decay": "decay_mult", "param": "name"}


def _with_param_specs(block: Message) -> Message:
    """A V1 layer with its lists blobs_lr, weight_decay and param as `param { }` blocks.

    Each made block lies in the file where its first value does.
    """
    if not any(block.has(name) for name in _PARAM_FIELDS):
        return block
    columns = {name: block.all(name) for name in _PARAM_FIELDS}
    count = max(len(column) for column in columns.values())
    fields = [field for field in block.fields if field.name not in _PARAM_FIELDS]
    for index in range(count):
        given = [
            (name, column[index])
            for name, column in columns.items()
            if index < len(column) and isinstance(column[index], Scalar)
        ]
        made = [renamed(_PARAM_FIELDS[name], value) for name, value in given]
        fields += [block_of(block, "param", made)] if made else []
    return rebuilt(block, fields)


def _inputs(root: Message, notices: list[Notice]) -> Iterator[WrittenInput]:
    """The `input:` fields with their `input_shape {}` or four `input_dim:` each."""
    values = root.all("input")
    names = texts(root, "input", notices)
    shapes = list(_input_shapes(root, notices))
    if shapes and len(shapes) != len(names):
        error = UnreadableError(
            f"{len(names)} inputs, but the shapes of {len(shapes)}",
            where=root.all("input_shape" if root.has("input_shape") else "input_dim")[-1].span,
            hint="each input needs one input_shape, or four input_dim",
        )
        notices.append(Notice("unreadable-part", error))
    for index, (name, value) in enumerate(zip(names, values, strict=False)):
        yield WrittenInput(name, shapes[index] if index < len(shapes) else None, value.span)


def _input_shapes(root: Message, notices: list[Notice]) -> Iterator[tuple[int, ...]]:
    try:
        if root.has("input_shape"):
            for shape in root.messages("input_shape"):
                yield tuple(shape.ints("dim"))
            return
        sizes = root.ints("input_dim")
    except UnreadableError as error:
        notices.append(Notice("unreadable-part", error.noted()))
        return
    for start in range(0, len(sizes), _INPUT_AXES):
        yield tuple(sizes[start : start + _INPUT_AXES])
