"""The model's inputs: what data layers and `input:` fields bring in, and their shapes.

A size that only the data knows (a database's channels, an uncropped image's height) is a symbol
named after the blob. A shape the user gives wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.origin import Span
from upconv.converters.readers.caffe.layer_types import DATA_TYPES, LAYER_TYPES
from upconv.converters.readers.caffe.upgrade import WrittenLayer
from upconv.converters.readers.files.prototxt import Message

_CHANNELS_OF_COLOR: Final = {True: 3, False: 1}
_AXES: Final = "NCHW"
_LEGACY: Final = ("num", "channels", "height", "width")


def is_data(layer: WrittenLayer) -> bool:
    """Whether a layer brings data in: a data layer, or one of no known type without bottoms."""
    if layer.bottoms or not layer.tops:
        return False
    return layer.type in DATA_TYPES or layer.type not in LAYER_TYPES or layer.type == "Python"


def data_shapes(layer: WrittenLayer) -> tuple[Shape | None, ...]:
    """The shape of each top of a data layer; None where the file does not say it.

    Raises UnreadableError where its parameters cannot be read.
    """
    shapes = _SHAPES.get(layer.type, _of_input)(layer)
    unknown = len(layer.tops) - len(shapes)
    return (*shapes, *(None,) * unknown)[: len(layer.tops)]


def _param(layer: WrittenLayer, name: str) -> Message:
    return layer.node.message(name) or Message.empty(layer.node.source)


def _declared(layer: WrittenLayer, name: str) -> tuple[Shape, ...]:
    """`shape {}` blocks: one for each top, or one for all."""
    shapes = tuple(tuple(block.ints("dim")) for block in _param(layer, name).messages("shape"))
    for shape in shapes:
        require_sizes(shape, layer.span)
    return shapes * len(layer.tops) if len(shapes) == 1 else shapes


def require_sizes(shape: Sequence[int], where: Span) -> None:
    """Raise UnreadableError where a size is no positive number."""
    if any(size < 1 for size in shape):
        text = "x".join(map(str, shape))
        raise UnreadableError(f"the shape {text} has a size below 1", where=where)


def _of_input(layer: WrittenLayer) -> tuple[Shape, ...]:
    return _declared(layer, "input_param")


def _of_dummy(layer: WrittenLayer) -> tuple[Shape, ...]:
    param = _param(layer, "dummy_data_param")
    if param.has("shape"):
        return _declared(layer, "dummy_data_param")
    columns = [param.ints(name) for name in _LEGACY]
    if not all(columns):
        return ()
    return tuple(
        tuple(column[min(index, len(column) - 1)] for column in columns)
        for index in range(len(layer.tops))
    )


def _of_memory(layer: WrittenLayer) -> tuple[Shape, ...]:
    """memory_data_layer.cpp: (batch, channels, height, width) and labels (batch); the Greentea
    fork lists the dims."""
    param = _param(layer, "memory_data_param")
    dims = tuple(param.ints("dim")) or tuple(param.int(name, 0) for name in _MEMORY)
    if not all(size > 0 for size in dims):
        return ()
    return dims, dims[:1]


_MEMORY: Final = ("batch_size", "channels", "height", "width")


def _of_images(name: str, channels: int | None) -> Callable[[WrittenLayer], tuple[Shape, ...]]:
    """Shapes of a layer that reads images: sizes come from crop_size or new_height, new_width."""

    def shapes(layer: WrittenLayer) -> tuple[Shape, ...]:
        param = _param(layer, name)
        count = param.int("batch_size", 0)
        colored = param.bool("is_color", None)
        depth = channels if colored is None else _CHANNELS_OF_COLOR[colored]
        crop = _param(layer, "transform_param").int("crop_size", param.int("crop_size", 0))
        height, width = (crop or param.int(side, 0) for side in ("new_height", "new_width"))
        blob = layer.tops[0]
        sizes = (count, depth, height, width)
        return (tuple(_size(size, blob, axis) for size, axis in zip(sizes, _AXES, strict=True)),)

    return shapes


def _size(size: int | None, blob: str, axis: str) -> Size:
    return size if size is not None and size > 0 else symbol(f"{blob}_{axis}")


def _unknown(layer: WrittenLayer) -> tuple[Shape, ...]:
    return ()


_SHAPES: Final[dict[str, Callable[[WrittenLayer], tuple[Shape, ...]]]] = {
    "DummyData": _of_dummy,
    "MemoryData": _of_memory,
    "Data": _of_images("data_param", None),
    "ImageData": _of_images("image_data_param", 3),
    "WindowData": _of_images("window_data_param", 3),
    "HDF5Data": _unknown,
    "Python": _unknown,
    "ImageSegData": _of_images("image_data_param", 3),
    "WindowSegData": _of_images("window_data_param", 3),
    "DenseImageData": _of_images("dense_image_data_param", 3),
}
