"""A model's inputs: their names, their shapes, and where their channels are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.inputs import lettered, overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.keras.assemble import Setting
from upconv.converters.readers.keras.config import Graph, LayerConfig
from upconv.converters.readers.keras.fields import is_int
from upconv.converters.readers.keras.lowering import Value

_SHAPES: Final = ("batch_shape", "batch_input_shape")
_SPATIAL: Final = (
    *("Conv", "SeparableConv", "DepthwiseConv", "Max", "Average", "Global"),
    *("UpSampling", "Resizing", "ZeroPadding", "Cropping"),
)


@dataclass(frozen=True, slots=True)
class Written:
    """An input as the file has it; `shape` in Keras's order, None for what it does not say."""

    name: str
    shape: tuple[int | None, ...] | None
    layer: LayerConfig | None


def graph_inputs(graph: Graph, setting: Setting, work: Workspace) -> list[Value]:
    """Enter the inputs of the whole model, channels first where its layers read feature maps.

    Raises UsageError for an --input that the model does not have or that has other axes.
    """
    written = [_written(graph, ref.layer, setting.path) for ref in graph.inputs]
    named = {
        entry.name: None if entry.shape is None else lettered(entry.shape, entry.name, index)
        for index, entry in enumerate(written)
    }
    shapes = overridden(named, setting.options.inputs, setting.path)
    moves = channels_move(graph)
    return [_entered(entry, shapes[entry.name], moves, setting, work) for entry in written]


def _entered(
    entry: Written, shape: Shape | None, moves: bool, setting: Setting, work: Workspace
) -> Value:
    node = entry.layer.node if entry.layer else None
    span = node.span if node and setting.is_text else None
    origin = Origin(setting.path, "keras", "InputLayer", span)
    work.feed(entry.name, shape, origin, channels_last=moves)
    return Value(entry.name, moves and (shape is None or len(shape) > 2))


def _written(graph: Graph, name: str, path: str) -> Written:
    layer = graph.layer(name) if name else None
    if name and layer is None:
        raise UnreadableError(f"its input '{name}' is no layer", where=graph.node.span)
    if layer is not None:
        return Written(layer.name, _shape_of(layer), layer)
    first = graph.layers[0]
    built = graph.node.object("config")
    shape = (
        _shape_of(first)
        or _shape_inside(first)
        or _shape(built.get("build_input_shape") if built else None)
        or _built_shape(first)
    )
    return Written(f"{first.name}_input", shape, first)


def _shape_of(layer: LayerConfig) -> tuple[int | None, ...] | None:
    return next((found for name in _SHAPES if (found := _shape(layer.config.get(name)))), None)


def _shape_inside(layer: LayerConfig) -> tuple[int | None, ...] | None:
    """The input shape of a model that is the first layer."""
    if layer.graph is None or not layer.graph.inputs:
        return None
    inner = layer.graph.layer(layer.graph.inputs[0].layer)
    return _shape_of(inner) if inner else None


def _built_shape(layer: LayerConfig) -> tuple[int | None, ...] | None:
    build = layer.node.object("build_config")
    return _shape(build.get("input_shape")) if build else None


def _shape(value: Any) -> tuple[int | None, ...] | None:
    """A list of sizes, which Keras may wrap as {"class_name": "__tuple__", "items": [...]}."""
    items = value.get("items") if hasattr(value, "get") else value
    if isinstance(items, list) and len(items) == 1 and isinstance(items[0], list):
        items = items[0]
    if not isinstance(items, list) or not items:
        return None
    if not all(item is None or (is_int(item) and item > 0) for item in items):
        return None
    return tuple(items)


def channels_move(graph: Graph) -> bool:
    """Whether the model's feature maps have their channels last: it has layers that read such
    maps, and none that reads channels first."""
    formats = set(_data_formats(graph))
    return "channels_last" in formats and "channels_first" not in formats


def _data_formats(graph: Graph) -> Iterator[str]:
    for layer in graph.layers:
        if layer.graph is not None:
            yield from _data_formats(layer.graph)
        elif layer.type.startswith(_SPATIAL) and layer.type not in ("Average", "Maximum"):
            yield str(layer.config.get("data_format") or "channels_last")
