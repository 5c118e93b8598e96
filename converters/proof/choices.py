"""Values that hold choices, not measurements: the indices of maxima.

Where two candidates are equal but for rounding, either choice is right. So a choice is judged by
the values it points at, and the rest of a network is compared after the same choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import ArgMax, GlobalPool, Identity, Pool

Array = NDArray[np.float64]


def index_outputs(layer: Layer) -> tuple[str, ...]:
    """The outputs of a layer that hold choices: argmax indices, a max pooling's mask."""
    match layer.operator:
        case ArgMax(output=output):
            return layer.outputs if output != "values" else ()
        case Pool() | GlobalPool():
            return layer.outputs[1:]
    return ()


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
