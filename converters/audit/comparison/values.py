"""What writes the values of a model, for those that look at several layers at once."""

from __future__ import annotations

from collections.abc import Mapping

from upconv.converters.ir.dims import Like, Size, Symbol, substitute
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape


@record(frozen=True, slots=True)
class Values:
    """Value -> the layer that writes it, and its shape."""

    producers: Mapping[str, Layer]
    shapes: Mapping[str, Shape | None]

    def operator(self, value: str, kind: type) -> Layer | None:
        """The layer that writes a value, if its operator is of this kind."""
        found = self.producers.get(value)
        return found if found is not None and isinstance(found.operator, kind) else None

    def behind(self, value: str, kind: type) -> str:
        """What a row of layers of this kind reads, each of one input, that ends in the value."""
        while (found := self.operator(value, kind)) is not None and len(found.inputs) == 1:
            value = found.inputs[0]
        return value

    def resolved(self, size: Size) -> Size:
        """A size with those of other values in it written as what they are."""
        return resolved(size, self.shapes)


def resolved(size: Size, shapes: Mapping[str, Shape | None]) -> Size:
    """A size with those of other values in it written as what they are, where that is known."""

    def known(leaf: Symbol | Like) -> Size | None:
        shape = shapes.get(leaf.tensor) if isinstance(leaf, Like) else None
        return shape[leaf.axis] if isinstance(leaf, Like) and shape is not None else None

    return substitute(size, known)
