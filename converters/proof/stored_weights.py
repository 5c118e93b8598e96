"""Weights that an ONNX file should hold as the source stores them, compared bit by bit.

A certificate bounds what rounding can do, and a change of one weight among thousands stays below
that. The writer names the initializer of a stored weight `<layer>/<weight>`, whatever its shape;
where a file has one of that name and size, its values are the source's or the file is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.tensors import Weight
from upconv.converters.proof.skeleton import skeleton


def differing_weights(model: Model, path: str) -> Iterator[tuple[Layer, str]]:
    """Each layer one of whose initializers differs from its stored weight, and how.

    Raises UnreadableError where external weights cannot be read.
    """
    import onnx

    graph = skeleton(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for layer in model.layers:
        for name, weight in layer.weights.items():
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


def _count_differing(weight: Weight, tensor: Any, path: str) -> int:
    """How many values differ in a bit; none where the two have different sizes, for then the
    initializer is not the weight but made of it."""
    if not weight.present or weight.size != prod(tensor.dims):
        return 0
    assert weight.data is not None
    stored = (np.frombuffer(chunk, np.int32) for chunk in weight.data.chunks())
    found, at = 0, 0
    values = _values(tensor, path).view(np.int32)
    for chunk in stored:
        found += int(np.count_nonzero(chunk != values[at : at + len(chunk)]))
        at += len(chunk)
    return found


def _values(tensor: Any, path: str) -> NDArray[np.float32]:
    """The tensor's values, as a map of the file where `skeleton` left them in it."""
    from onnx import checker, numpy_helper

    entries = {entry.key: entry.value for entry in tensor.external_data}
    try:
        if entries.get("location") == Path(path).name:
            offset = int(entries["offset"])
            return np.memmap(path, "<f4", "r", offset, (prod(tensor.dims),))
        return np.ascontiguousarray(
            numpy_helper.to_array(tensor, str(Path(path).parent)).reshape(-1)
        )
    except (OSError, ValueError, checker.ValidationError) as error:
        raise UnreadableError(
            f"the weight '{tensor.name}' cannot be read: {error}", path=path
        ) from None
