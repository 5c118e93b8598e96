"""The tree of a protobuf text as an editor asks about it: what is where, and what words mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.caffe import vocabulary
from upconv.converters.readers.files.prototxt import Field, Message, Scalar, ValueList, parse

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source

ENDINGS: Final = (".prototxt", ".prototext", ".prototmp", ".pbtxt")


def tree_of(source: Source) -> Message | None:
    """The tree of a text, as much of it as can be read; None where it is of another format."""
    if not source.path.endswith(ENDINGS):
        return None
    try:
        return parse(source).root
    except UnreadableError:
        return None


def is_net(root: Message) -> bool:
    """Whether a tree is a net of Caffe's."""
    return root.has("layer") or root.has("layers") or root.has("input")


def layers(root: Message) -> list[Message]:
    """The layers as they are written, of either spelling."""
    found = [block for name in vocabulary.LAYERS for block in root.blocks(name)]
    return sorted(found, key=lambda block: block.start)


@record(frozen=True, slots=True)
class Use:
    """A blob's name where it is written: by what, and in which layer (-1: the net itself)."""

    name: str
    role: Literal["input", "top", "bottom"]
    layer: int
    start: int
    end: int


def uses(root: Message) -> list[Use]:
    """Every place that names a blob, in the order of the text."""
    found = list(_uses_in(root, ("input",), -1))
    for index, block in enumerate(layers(root)):
        found += _uses_in(block, ("top", "bottom"), index)
    return sorted(found, key=lambda use: use.start)


def _uses_in(
    block: Message, roles: Sequence[Literal["input", "top", "bottom"]], layer: int
) -> Iterator[Use]:
    for role in roles:
        for value in block.all(role):
            if isinstance(value, Scalar) and value.kind == "string":
                try:
                    yield Use(value.as_str(), role, layer, value.start, value.end)
                except UnreadableError:
                    continue  # its escapes mean nothing: no name to speak of


def use_at(root: Message, offset: int) -> Use | None:
    """The name of a blob that is written at an offset."""
    return next((use for use in uses(root) if use.start <= offset <= use.end), None)


def path_at(root: Message, offset: int) -> list[Message]:
    """The blocks that an offset lies inside of, the outermost first, without the root."""
    found: list[Message] = []
    inside: Message | None = root
    while inside is not None:
        inside = next(
            (
                value
                for field in inside.fields
                if field.start <= offset <= field.end
                for value in field.values
                if isinstance(value, Message) and value.start < offset < value.end
            ),
            None,
        )
        if inside is not None:
            found.append(inside)
    return found


def field_at(block: Message, offset: int) -> Field | None:
    """The field of a block that an offset lies in."""
    return next((field for field in block.fields if field.start <= offset <= field.end), None)


def meaning_at(root: Message, offset: int) -> tuple[int, int, str] | None:
    """(start, end, words) of the field's name or layer's type at an offset of a net."""
    if not is_net(root):
        return None
    path = path_at(root, offset)
    block = path[-1] if path else root
    message = vocabulary.message_of([one.name for one in path]) if path else vocabulary.ROOT
    field = field_at(block, offset)
    if field is None or not message:
        return None
    if offset <= field.start + len(field.name):
        said = vocabulary.field_meaning(message, field.name)
        whole_layer = isinstance(field.value, Message) and not path
        if not said or whole_layer:
            return None
        return field.start, field.start + len(field.name), f"**{field.name}**: {said}"
    value = field.value
    if field.name == "type" and isinstance(value, Scalar) and message in vocabulary.LAYERS.values():
        said = vocabulary.type_meaning(value.text.strip("\"'"))
        return (value.start, value.end, said) if said else None
    return None


def blocks_of(root: Message) -> Iterator[Message | ValueList]:
    """Every block and list, the outer ones first."""
    for field in root.fields:
        if isinstance(field.value, ValueList):
            yield field.value
        for value in field.values:
            if isinstance(value, Message):
                yield value
                yield from blocks_of(value)
