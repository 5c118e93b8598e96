"""Values that jump: rounded numbers, signs and truth values.

Where the argument lies at a jump but for rounding, the value on either side is right, and what
follows differs by a whole step. The rest of a network is compared after the same value, where the
reference's own argument is near enough to the jump for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer

Array = NDArray[np.float64]

ROUNDED: Final[Mapping[type, Callable[[Array], Array]]] = {
    ops.Round: np.rint,
    ops.Floor: np.floor,
    ops.Ceil: np.ceil,
    ops.Sign: np.sign,
}


def jump_outputs(layer: Layer) -> tuple[str, ...]:
    """The outputs of a layer that jump."""
    jumps = isinstance(layer.operator, ops.Compare) or type(layer.operator) in ROUNDED
    return layer.outputs if jumps else ()


def with_jumps_of(
    layer: Layer, inputs: Sequence[Array], own: Array, other: Array, share: float
) -> Array:
    """The layer's own values, with the other ones wherever an argument that differs by `share` of
    the largest argument would give them."""
    reach = share * max(map(_largest, inputs))
    op = layer.operator
    if isinstance(op, ops.Compare):
        right = inputs[1] if op.other is None else np.float64(op.other)
        possible = np.abs(inputs[0] - right) <= reach
        possible &= (other == 0) | (other == 1)
    else:
        function = ROUNDED[type(op)]
        low, high = function(inputs[0] - reach), function(inputs[0] + reach)
        possible = (low <= other) & (other <= high) & (other == np.rint(other))
    return np.where(possible, other, own)


def _largest(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))
