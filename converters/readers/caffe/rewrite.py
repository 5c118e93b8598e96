"""Messages made anew from pieces of a file, each keeping its place in it."""

from __future__ import annotations

from upconv.converters.readers.files.prototxt import Field, Message, Scalar, Value


def renamed(name: str, value: Value) -> Field:
    """The value as a field of another name."""
    if isinstance(value, Scalar):
        scalar = Scalar(value.source, name, value.first, value.last)
        return Field(value.source, name, value.first, scalar)
    message = Message(value.source, name, value.first)
    message.last = value.last
    message.fields = value.fields
    return Field(value.source, name, value.first, message)


def rebuilt(block: Message, fields: list[Field]) -> Message:
    """The block with other fields."""
    message = Message(block.source, block.name, block.first)
    message.last = block.last
    message.fields = fields
    return message


def block_of(owner: Message, name: str, fields: list[Field]) -> Field:
    """A new sub-message of `owner`, which lies where its first field does."""
    start = min((field.first for field in fields), default=owner.first)
    message = Message(owner.source, name, start)
    message.last = max((field.value.last for field in fields), default=owner.first)
    message.fields = fields
    return Field(owner.source, name, start, message)
