"""Architectures in the words of Keras 1, said in those of Keras 2.

Keras 1 had other names for most layers and their members, laid some kernels out otherwise, and
never recorded its backend. Sources: keras/layers and keras/backend of Keras 1.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from upconv.converters.ir.errors import AmbiguousError, UnsupportedError
from upconv.converters.ir.model import Notice
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.weights import Order, transposed
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.json_spans import JsonObject
from upconv.converters.readers.keras.config import Graph, LayerConfig
from upconv.converters.readers.keras.version import KerasVersion

_CLASSES: Final[Mapping[str, str]] = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}
_MERGES: Final[Mapping[str, str]] = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
}
_KERNELS: Final = (
    ("filter_length",),
    ("nb_row", "nb_col"),
    ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
)
_MEMBERS: Final[Mapping[str, str]] = {
    "nb_filter": "filters",
    "output_dim": "units",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "pool_length": "pool_size",
    "length": "size",
    "atrous_rate": "dilation_rate",
    "border_mode": "padding",
    "bias": "use_bias",
    "concat_axis": "axis",
    "p": "rate",
}
_ORDERINGS: Final = {"tf": "channels_last", "th": "channels_first"}
_CONVOLUTIONS: Final = ("Convolution", "AtrousConvolution", "Deconvolution", "SeparableConvolution")
_UNRECORDED: Final = ("UpSampling2D", "UpSampling3D", "ZeroPadding", "Cropping2D", "Cropping3D")
"""Layers that have an order of axes and do not save it."""


def is_keras_1(version: KerasVersion, graph: Graph) -> bool:
    """Whether the file is Keras 1's: it says so, or says no version and uses words of Keras 1."""
    if version.numbers is not None:
        return version.numbers[0] == 1
    return any(layer.type in _CLASSES and "nb_filter" in layer.config for layer in _all(graph))


def _all(graph: Graph) -> Iterator[LayerConfig]:
    for layer in graph.layers:
        if layer.graph is not None:
            yield from _all(layer.graph)
        else:
            yield layer


def in_words_of_2(graph: Graph, ordering: str) -> Graph:
    """The graph with every layer in Keras 2's words; `ordering` counts for those that save none."""
    layers = tuple(_layer(layer, ordering) for layer in graph.layers)
    return replace(graph, layers=layers)


def ordering_of(graph: Graph) -> str:
    """The order of axes that the layers of a file save, "" where they save several."""
    found = {
        layer.config.text("dim_ordering") for layer in _all(graph) if "dim_ordering" in layer.config
    }
    if len(found) > 1 and any(layer.type.startswith(_UNRECORDED) for layer in _all(graph)):
        return ""
    return found.pop() if found else "tf"


def _layer(layer: LayerConfig, ordering: str) -> LayerConfig:
    if layer.graph is not None:
        return replace(layer, graph=in_words_of_2(layer.graph, ordering))
    return replace(layer, type=_class(layer), config=_config(layer, ordering))


def _class(layer: LayerConfig) -> str:
    """Keras 2's name of a layer; its own where Keras 2 has none that means the same."""
    mode = layer.config.get("mode", 0)
    if layer.type == "BatchNormalization" and mode != 0:
        return f"BatchNormalization of mode {mode}"  # by the moments of what it is fed
    if layer.type == "Merge" and layer.config.get("mode_type", "raw") == "raw":
        return _MERGES.get(str(mode), layer.type)
    return _CLASSES.get(layer.type, layer.type)


def _config(layer: LayerConfig, ordering: str) -> JsonObject:
    """A layer's members under both names, each with its place in the text."""
    old = layer.config
    members, places = dict(old.values), dict(old.places)

    def enter(name: str, value: Any, written: str) -> None:
        members[name] = value
        if written in places:
            places[name] = places[written]

    for written in old:
        if written in _MEMBERS:
            enter(_MEMBERS[written], old[written], written)
    for names in _KERNELS:
        if all(name in old for name in names):
            enter("kernel_size", [old[name] for name in names], names[0])
    word = old.text("dim_ordering", ordering if layer.type.startswith(_UNRECORDED) else "")
    if word in _ORDERINGS:
        enter("data_format", _ORDERINGS[word], "dim_ordering")
    if layer.type.startswith("ZeroPadding"):
        enter("padding", _amounts(old.get("padding", 1), layer.type), "padding")
    return JsonObject(old.source, old.start, old.end, members, places)


_SIDES: Final = (("left_pad", "right_pad"), ("top_pad", "bottom_pad", "left_pad", "right_pad"))


def _amounts(padding: Any, type_name: str) -> Any:
    """Amounts of one axis or two as a pair for each: they may be named, or four in a row."""
    sides = next((one for one in _SIDES if f"{len(one) // 2}D" in type_name), ())
    listed = (
        [padding.get(side, 0) for side in sides] if isinstance(padding, JsonObject) else padding
    )
    if sides and isinstance(listed, list) and len(listed) == len(sides):
        return [listed[at : at + 2] for at in range(0, len(listed), 2)]
    return listed


def tell(version: KerasVersion, graph: Graph, said: str, work: Workspace, origin: Origin) -> None:
    """Note that the file is Keras 1's, and what it leaves open."""
    written = f"Keras {version.text}".strip() if version.text else "Keras 1"
    found = UnsupportedError(
        f"written by {written}, whose words today's Keras does not read",
        hint="load it with Keras 2.0 to 2.2 and save it again",
    )
    work.notices.append(Notice("obsolete-format", found, harmless=True))
    if not version.backend and not said and any(_convolves(layer) for layer in _all(graph)):
        what = "turns the kernels of convolutions over on Theano, and does not record its backend"
        hint = "say which it was, as in --keras-backend tensorflow or theano"
        work.refuse(AmbiguousError(f"{written} {what}", hint=hint), "", origin)
    if not ordering_of(graph):
        what = "has layers of both orders of axes, and some that do not save theirs"
        work.refuse(UnsupportedError(f"{written}: the model {what}"), "", origin)


def _convolves(layer: LayerConfig) -> bool:
    return layer.type.startswith(_CONVOLUTIONS)


def stored_kernel(
    config: JsonObject, transposed_kernel: bool, shape: tuple[Any, ...]
) -> tuple[tuple[Any, ...], Order] | None:
    """The shape (k..., a, b) of Keras 2's kernel as Keras 1 stored it, and how that becomes
    (b, a, k...); None for a layer of Keras 2.

    Convolutions are (k..., in, out), and of Theano's order (out, in, k...); one axis has another of
    size 1 behind it. Deconvolution2D's have the same shapes, where Keras 2 has (k..., out, in).
    """
    if "nb_filter" not in config:
        return None
    axes = len(shape) - 2
    if axes == 1:
        return (shape[0], 1, *shape[1:]), _LINE
    spatial, (a, b) = tuple(range(axes)), (axes, axes + 1)
    stored = (*spatial, b, a) if transposed_kernel else (*spatial, a, b)
    if config.text("dim_ordering") == "th":
        stored = (*stored[:-3:-1], *spatial)
    order = transposed([stored.index(axis) for axis in (b, a, *spatial)])
    return tuple(shape[axis] for axis in stored), order


_LINE: Final[Order] = (
    lambda shape: (shape[3], shape[2], shape[0]),
    lambda values: values[:, 0].transpose(2, 1, 0),
)
