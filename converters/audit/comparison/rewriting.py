"""A model under rewriting, layer by layer, and what a rewrite gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.passes.live import live
from upconv.converters.passes.rename import renamed


class Net:
    """A model under rewriting: its layers by the value they write."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.layers = list(model.layers)
        self.computed: set[str] = set()
        self.parts: dict[str, tuple[str, ...]] = {}
        self.outputs = list(model.outputs)

    def apply(self, rewrite: Rewrite) -> None:
        """Let a rewrite look at each layer in order; it gives the layers to put in its place, and
        names the layer before it that becomes a part of the first of them."""
        model = live(replace(self.model, layers=tuple(self.layers), outputs=tuple(self.outputs)))
        self.layers = list(model.layers)
        self.inference: Inference = infer(model)
        self.producers = {value: layer for layer in self.layers for value in layer.outputs}
        self.values = Values(self.producers, self.inference.shapes)
        self.readers: dict[str, int] = {}
        for value in (*self.outputs, *(v for layer in self.layers for v in layer.inputs)):
            self.readers[value] = self.readers.get(value, 0) + 1
        self.names: dict[str, str] = {}
        kept: dict[str, Layer] = {}
        for layer in self.layers:
            now = renamed(layer, self.names)
            for value in now.outputs:
                self.producers[value] = now
            change = rewrite(self, now)
            if change is None:
                kept[now.name] = now
                continue
            self._enter(change, now, kept)
        self.layers = list(kept.values())
        self.outputs = [self.names.get(value, value) for value in self.outputs]

    def _enter(self, change: Change, layer: Layer, kept: dict[str, Layer]) -> None:
        if change.alias is not None:
            self.names.update(dict.fromkeys(layer.outputs, change.alias))
            more = sum(self.readers.get(value, 0) for value in layer.outputs) - 1
            self.readers[change.alias] = self.readers.get(change.alias, 0) + more
            return
        new = change.layer
        assert new is not None
        for one in change.ahead:
            kept[one.name] = one
            self.parts[one.name] = self._parts(layer)
            self.producers.update(dict.fromkeys(one.outputs, one))
            self.readers.update(dict.fromkeys(one.outputs, 1))
        if change.absorbs is not None:
            kept.pop(change.absorbs.name)
            names = (*self._parts(change.absorbs), *self._parts(layer))
            self.parts[new.name] = tuple(dict.fromkeys(names))
            if change.absorbs.name in self.computed:
                self.computed.add(new.name)
        if change.computed:
            self.computed.add(new.name)
        kept[new.name] = new
        for value in new.outputs:
            self.producers[value] = new

    def _parts(self, layer: Layer) -> tuple[str, ...]:
        return self.parts.get(layer.name, (layer.name,))

    def before(self, layer: Layer, index: int = 0) -> Layer | None:
        """The layer that writes an input, if nobody else reads it."""
        value = layer.inputs[index] if index < len(layer.inputs) else ""
        return self.producers.get(value) if self.readers.get(value) == 1 else None

    def shape(self, value: str) -> Shape | None:
        return self.inference.shapes.get(value)

    def counted(self, layer: Layer) -> tuple[Shape, Shape] | None:
        """The shapes of what a layer reads and writes, where their pixels are counted."""
        given = (self.shape(some[0]) if some else None for some in (layer.inputs, layer.outputs))
        x, y = given
        if x is None or y is None or not is_constant(*x[2:], *y[2:]):
            return None
        return x, y

    def finished(self) -> Model:
        return live(replace(self.model, layers=tuple(self.layers), outputs=tuple(self.outputs)))


@record(frozen=True, slots=True)
class Change:
    """What becomes of a layer: another one, which may take in the layer before it, or several of
    which the last is `layer`, or nothing, where its output is the value `alias`."""

    layer: Layer | None = None
    absorbs: Layer | None = None
    alias: str | None = None
    computed: bool = False
    ahead: tuple[Layer, ...] = ()


Rewrite = Callable[[Net, Layer], Change | None]
