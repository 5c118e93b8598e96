"""Values that hold choices, not measurements: the indices of maxima.

Where two candidates are equal but for rounding, either choice is right. So a choice is judged by
the values it points at, and the rest of a network is compared after the same choice. Which value is
the largest where one of them is NaN, ONNX does not say, and runtimes say one thing or the other by
where it stands: there any of them may be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import ArgMax, GlobalPool, Identity, Pool
from upconv.converters.reference import run_layer

Array = NDArray[np.float64]


def index_outputs(layer: Layer) -> tuple[str, ...]:
    """The outputs of a layer that hold choices: argmax indices, a max pooling's mask."""
    match layer.operator:
        case ArgMax(output=output):
            return layer.outputs if output != "values" else ()
        case Pool() | GlobalPool():
            return layer.outputs[1:]
    return ()


def left_open(
    layer: Layer, value: str, inputs: Sequence[Array], got: NDArray[Any]
) -> NDArray[np.bool_] | None:
    """Where an output `got` of a layer that takes the largest of some values of x had one of them
    NaN, so that no choice is wrong, but that an index must be a place; None where there are none.

    x, the one input of such a layer, is (N, C, spatial...), the result of the shape of `got`.
    """
    op = layer.operator
    is_choice = isinstance(op, ArgMax) or (isinstance(op, Pool | GlobalPool) and op.kind == "max")
    if not is_choice or not np.isnan(inputs[0]).any():
        return None
    x = inputs[0]
    found = np.broadcast_to(_has_nan(layer, x), got.shape)
    return found & _is_place(layer, value, x, got)


def _has_nan(layer: Layer, x: Array) -> Any:
    missing = np.isnan(x)
    match layer.operator:
        case ArgMax(axis=None):
            return missing.reshape(len(x), -1).any(axis=1).reshape(-1, 1, 1)
        case ArgMax(axis=axis):
            return missing.any(axis=axis, keepdims=True)
        case GlobalPool():
            return missing.any(axis=tuple(range(2, x.ndim)), keepdims=True)
    plain = replace(layer, outputs=layer.outputs[:1])
    return run_layer(plain, [missing.astype(np.float64)])[0] > 0


def _is_place(layer: Layer, value: str, x: Array, got: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether an element is no index, or one of a value that there is."""
    op = layer.operator
    axis = op.axis if isinstance(op, ArgMax) else None
    first = 1 if isinstance(op, ArgMax) else 2
    count = prod(x.shape[first:]) if axis is None else x.shape[axis]
    found: NDArray[np.bool_] = (got == np.floor(got)) & (got >= 0) & (got < count)
    if value not in index_outputs(layer):
        found[...] = True
    elif isinstance(op, ArgMax) and op.output == "both":
        found[:, 1:] = True  # the values beside them
    return found


def chooser_of(model: Model, value: str) -> tuple[Layer, str] | None:
    """The layer whose choices a value holds and its output, through identities; None where the
    value holds none."""
    producers = model.producers()
    while (layer := producers.get(value)) is not None:
        if value in index_outputs(layer):
            return layer, value
        if not isinstance(layer.operator, Identity):
            return None
        value = layer.inputs[0]
    return None


def chosen_values(layer: Layer, x: Array, result: Array) -> Array | None:
    """What indices point at, in the shape of `result`; None where one points nowhere.

    `x` is the layer's input, (N, C, spatial...). Values that stand beside the indices (an ArgMax
    of "both") stay as they are.
    """
    if isinstance(layer.operator, ArgMax) and layer.operator.axis is not None:
        return _taken(x, result, layer.operator.axis)
    if isinstance(layer.operator, ArgMax):
        found = _taken(x.reshape(len(x), 1, -1), result[:, :1], 2)
        return None if found is None else np.concatenate([found, result[:, 1:]], axis=1)
    planes = result.reshape(*result.shape[:2], -1)
    found = _taken(x.reshape(*x.shape[:2], -1), planes, 2)
    return None if found is None else found.reshape(result.shape)


def _taken(x: Array, indices: Array, axis: int) -> Array | None:
    whole = np.nan_to_num(indices, nan=-1.0).astype(np.int64)
    if np.any(whole != indices) or np.any(whole < 0) or np.any(whole >= x.shape[axis]):
        return None
    return np.take_along_axis(x, whole, axis)
