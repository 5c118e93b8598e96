"""What a meaning is called with: float64 inputs, lazily widened weights and resolved sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]

FLOAT64: Final[np.dtype[Any]] = np.dtype(np.float64)
FLOAT32: Final[np.dtype[Any]] = np.dtype(np.float32)


class Blocks(Protocol):
    """Values that may be taken block by block, in `dtype`: an array, or a `WidenedWeight`."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class WidenedWeight:
    """A stored float32 weight, widened to `dtype` only where it is indexed.

    With `magnitude` every value comes out as its absolute value.
    """

    values: NDArray[np.float32]
    magnitude: bool = False
    dtype: np.dtype[Any] = FLOAT64

    @property
    def shape(self) -> Shape:
        return self.values.shape

    def __getitem__(self, index: Any) -> Array:
        part = np.asarray(self.values[index], self.dtype)
        return np.abs(part) if self.magnitude else part


@dataclass(frozen=True, slots=True)
class Operands:
    """The arguments of one evaluation of an operator.

    `inputs` are float64 arrays, but those of a convolution are as they were given: it widens them
    block by block. `weights` are the layer's stored weights by name, `shapes` the output shapes
    that the operator's shape function gives, and `size` is the number behind a Size (a `Like` is
    the size of that input). A call that is evaluated on magnitudes may be all float32.
    """

    inputs: tuple[Array, ...]
    weights: Mapping[str, WidenedWeight]
    shapes: tuple[Shape, ...]
    size: Callable[[Size], int]

    @property
    def x(self) -> Array:
        return self.inputs[0]

    @property
    def shape(self) -> Shape:
        """The first output's shape."""
        return self.shapes[0]

    @property
    def spatial(self) -> Shape:
        """The spatial sizes of the first output, (N, C, spatial...)."""
        return self.shapes[0][2:]

    def weight(self, name: str) -> Array | None:
        """A whole weight in float64, None where the layer has none of that name."""
        stored = self.weights.get(name)
        return None if stored is None else stored[...]

    def per_channel(self, name: str) -> Array:
        """A weight of one value per channel, shaped to broadcast over x: (1, C, 1...)."""
        values = self.weights[name][...]
        return values.reshape(1, -1, *(1,) * (self.x.ndim - 2))

    def channels(self, name: str) -> Array | None:
        """As `per_channel`, None where the layer has no such weight."""
        return self.per_channel(name) if name in self.weights else None


Meaning: TypeAlias = Callable[[Any, Operands], tuple[Array, ...]]
MEANINGS: OperatorTable[Meaning] = OperatorTable("reference")


def stored_weights(
    layer: Layer, magnitude: bool, dtype: np.dtype[Any] = FLOAT64
) -> dict[str, WidenedWeight]:
    """The layer's weights as views of their file.

    Raises UpconvError where one is missing: nothing becomes zero silently.
    """
    found: dict[str, WidenedWeight] = {}
    for name, weight in layer.weights.items():
        if not weight.present:
            raise UpconvError(
                f"the weight '{name}' is missing, so the layer has no value",
                path=layer.origin.path,
                where=layer.origin,
                layer=layer.name,
                hint="give the weights, or --fill-missing where its filler may stand for them",
            )
        found[name] = WidenedWeight(weight.array(), magnitude, dtype)
    return found
