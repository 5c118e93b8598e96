"""Messages made anew from pieces of a file, each keeping its place in it."""

from __future__ import annotations

from upconv.converters.readers.files.prototxt import Field, Message, Scalar, Value


def renamed(name: str, value: Value) -> Field:
    """The value as a field of another name."""
    if isinstance(value, Scalar):
        return Field(
            value.source, name, value.start, Scalar(value.source, name, value.start, value.end)
        )
    message = Message(value.source, name, value.start)
    message.end = value.end
    message.fields = value.fields
    return Field(value.source, name, value.start, message)


def rebuilt(block: Message, fields: list[Field]) -> Message:
    """The block with other fields."""
    message = Message(block.source, block.name, block.start)
    message.end = block.end
    message.fields = fields
    return message


def block_of(owner: Message, name: str, fields: list[Field]) -> Field:
    """A new sub-message of `owner`, which lies where its first field does."""
    start = min((field.start for field in fields), default=owner.start)
    message = Message(owner.source, name, start)
    message.end = max((field.end for field in fields), default=owner.start)
    message.fields = fields
    return Field(owner.source, name, start, message)
