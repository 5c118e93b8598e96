"""Weights that an ONNX file should hold as the source stores them, compared bit by bit.

A certificate bounds what rounding can do, and a change of one weight among thousands stays below
that. The writer names the initializer of a stored weight `<layer>/<weight>`, whatever its shape;
where a file has one of that name and size, its values are the source's or the file is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.kernels import depthwise_kernels, is_pointwise, pointwise
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.tensors import Weight, weight_of
from upconv.converters.onnx_writer.options import GROUPED, POINTWISE
from upconv.converters.proof.skeleton import skeleton


def differing_weights(model: Model, path: str) -> Iterator[tuple[Layer, str]]:
    """Each layer one of whose initializers differs from its stored weight, and how.

    Raises UnreadableError where external weights cannot be read.
    """
    import onnx

    graph = skeleton(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for layer in model.layers:
        for name, weight in _written(layer, tensors).items():
            tensor = tensors.get(f"{layer.name}/{name}")
            if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
                continue
            count = _count_differing(weight, tensor, path)
            if count:
                yield (
                    layer,
                    f"{count} of the {weight.size} values of its {name} are not the source's",
                )
                break


def _written(layer: Layer, tensors: Mapping[str, Any]) -> dict[str, Weight]:
    """The weights of a layer by the names that the writer gives them; of a dense one that it wrote
    grouped, the diagonal; of one of a single pixel, its weight as a convolution has it."""
    found = dict(layer.weights)
    op = layer.operator
    if not isinstance(op, ConvTranspose) or not found["weight"].present:
        return found
    if f"{layer.name}/{GROUPED}" in tensors:
        kernels = depthwise_kernels(op, layer)
        if kernels is not None:
            found[GROUPED] = weight_of(kernels[:, None])
    if f"{layer.name}/{POINTWISE}" in tensors and is_pointwise(op):
        found[POINTWISE] = weight_of(pointwise(found["weight"].array(), op.groups))
    return found


def _count_differing(weight: Weight, tensor: Any, path: str) -> int:
    """How many values differ in a bit; none where the two have different sizes, for then the
    initializer is not the weight but made of it."""
    if not weight.present or weight.size != prod(tensor.dims):
        return 0
    assert weight.data is not None
    found = 0
    with _bytes_of(tensor, path) as copy:
        for chunk in weight.data.chunks():
            values = np.frombuffer(copy.read(len(chunk)), np.int32)
            found += int(np.count_nonzero(np.frombuffer(chunk, np.int32) != values))
    return found


@contextmanager
def _bytes_of(tensor: Any, path: str) -> Iterator[IO[bytes]]:
    """The tensor's values as they are stored; those that `skeleton` left in the file are read
    there, for a map of a file costs a page fault every 4 kB."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if entries.get("location") != Path(path).name:
        yield BytesIO(_values(tensor, path).tobytes())
        return
    with open(path, "rb") as file:
        file.seek(int(entries["offset"]))
        yield file


def _values(tensor: Any, path: str) -> NDArray[np.float32]:
    from onnx import checker, numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor, str(Path(path).parent)), "<f4")
    except (OSError, ValueError, checker.ValidationError) as error:
        raise UnreadableError(
            f"the weight '{tensor.name}' cannot be read: {error}", path=path
        ) from None
