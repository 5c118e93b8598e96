"""From the text of one layer to its operators, their shapes and their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.inference import layer_shapes
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Source
from upconv.converters.ir.tensors import TensorData, Weight, weight_of
from upconv.converters.readers.caffe.assemble import lower
from upconv.converters.readers.caffe.lowering import BottomShapes, CaffeLayer, Lowered
from upconv.converters.readers.files.prototxt import parse
from upconv.converters.reference.run import run_layer

Shape = tuple[Size, ...]

N, C, H, W = (symbol(name) for name in "NCHW")


def caffe_layer(
    body: str, shapes: Sequence[Shape | None] = (), blobs: Sequence[Any] | None = None
) -> CaffeLayer:
    """A layer whose text is `layer { name: "it" ... }`, on line 2 of net.prototxt."""
    parsed = parse(Source("net.prototxt", f'name: "net"\nlayer {{ name: "it" {body} }}\n'))
    assert not parsed.errors
    node = parsed.root.messages("layer")[0]
    return CaffeLayer(
        name="it",
        type=node.str("type", ""),
        node=node,
        bottoms=tuple(node.strs("bottom")),
        tops=tuple(node.strs("top")),
        params=(),
        blobs=None if blobs is None else tuple(map(_data, blobs)),
        span=node.span,
        shapes=BottomShapes(shapes),
    )


def _data(values: Any) -> TensorData:
    data = weight_of(np.asarray(values, np.float32)).data
    assert data is not None
    return data


def lowered(
    body: str,
    shapes: Sequence[Shape | None] = (),
    blobs: Sequence[Any] | None = None,
    dialect: str = "",
) -> tuple[Lowered, ...]:
    return lower(caffe_layer(body, shapes, blobs), dialect)


def only(
    body: str,
    shapes: Sequence[Shape | None] = (),
    blobs: Sequence[Any] | None = None,
    dialect: str = "",
) -> Lowered:
    """The one operator of a layer."""
    (found,) = lowered(body, shapes, blobs, dialect)
    return found


def operator(body: str, shapes: Sequence[Shape | None] = (), dialect: str = "") -> Operator:
    return only(body, shapes, None, dialect).operator


def weights(made: Lowered) -> dict[str, list[float]]:
    """The values of the present weights, by name."""
    return {name: weight.array().tolist() for name, weight in made.weights.items()}


def fillers(made: Lowered) -> dict[str, tuple[str, float, bool] | None]:
    """(type, value, declared) of the weights that are missing."""
    return {name: _filler(weight) for name, weight in made.weights.items() if not weight.present}


def _filler(weight: Weight) -> tuple[str, float, bool] | None:
    filler = weight.filler
    return None if filler is None else (filler.type, filler.value, filler.declared)


def layers_of(body: str, shapes: Sequence[Shape | None], **settings: Any) -> list[Layer]:
    """The layers of the representation that a layer becomes."""
    layer = caffe_layer(body, shapes, settings.get("blobs"))
    return [
        Layer(
            f"it/{made.suffix}",
            made.operator,
            layer.bottoms if made.inputs is None else made.inputs,
            layer.tops if made.outputs is None else made.outputs,
            made.weights,
        )
        for made in lower(layer, settings.get("dialect", ""))
    ]


def output_shape(body: str, *shapes: Shape, **settings: Any) -> Shape | None:
    """The shape of a layer's first top, for these shapes of its bottoms."""
    values: dict[str, Shape | None] = dict(zip(caffe_layer(body).bottoms, shapes, strict=True))
    for layer in layers_of(body, shapes, **settings):
        values.update(zip(layer.outputs, layer_shapes(layer, values), strict=True))
    return values[caffe_layer(body).tops[0]]


def output(body: str, *inputs: Any, **settings: Any) -> np.ndarray[Any, Any]:
    """The values of a layer's first top in the float64 reference."""
    arrays = [np.asarray(value, np.float64) for value in inputs]
    values: dict[str, Any] = dict(zip(caffe_layer(body).bottoms, arrays, strict=True))
    for layer in layers_of(body, [array.shape for array in arrays], **settings):
        results = run_layer(layer, [values[name] for name in layer.inputs])
        values.update(zip(layer.outputs, results, strict=True))
    found = values[caffe_layer(body).tops[0]]
    assert isinstance(found, np.ndarray)
    return found
