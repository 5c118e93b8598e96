"""What writes the values of a model, for those that look at several layers at once."""

from __future__ import annotations

from collections.abc import Mapping

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
