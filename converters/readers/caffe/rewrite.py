"""Messages made anew from pieces of a file, each keeping its place in it."""

from __future__ import annotations

from upconv.converters.readers.files.prototxt import Field, Message, Scalar, Value


def renamed(name: str, value: Value) -> Field:
    """The value as a field of another name."""
    if isinstance(value, Scalar):
        return Field(Scalar(value.source, name, value.first, value.first, value.last))
    message = Message(value.source, name, value.first, value.first)
    message.last = value.last
    return Field(message.refilled(list(value.entries)))


def rebuilt(block: Message, fields: list[Field]) -> Message:
    """The block with other fields."""
    message = Message(block.source, block.name, block.named, block.first)
    message.last = block.last
    return message.refilled([field.value for field in fields])


def block_of(owner: Message, name: str, fields: list[Field]) -> Field:
    """A new sub-message of `owner`, which lies where its first field does."""
    start = min((field.first for field in fields), default=owner.first)
    message = Message(owner.source, name, start, start)
    message.last = max((field.value.last for field in fields), default=owner.first)
    return Field(message.refilled([field.value for field in fields]))
