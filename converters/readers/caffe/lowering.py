"""What a lowering function sees of a Caffe layer and what it gives back, and their table.

A lowering turns one layer, in Caffe's words, into operator records. Functions register by layer
type; where forks disagree about a type, each dialect registers its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import TensorData, Weight
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.files.prototxt import Message


@record(frozen=True, slots=True)
class ParamSpec:
    """One `param { }` of a layer (V1: blobs_lr, weight_decay), Caffe's defaults filled in."""

    name: str = ""
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    declared: bool = False


class BottomShapes:
    """The shapes of a layer's bottoms, None where unknown. `sizes_asked` says whether anybody took
    more from them than how many axes they have."""

    __slots__ = ("_shapes", "sizes_asked")

    def __init__(self, shapes: Sequence[tuple[Size, ...] | None] = ()) -> None:
        self._shapes = shapes
        self.sizes_asked = False

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: int) -> tuple[Size, ...] | None:
        self.sizes_asked = True
        return self._shapes[index]

    def __iter__(self) -> Iterator[tuple[Size, ...] | None]:
        self.sizes_asked = True
        return iter(self._shapes)

    def rank(self, index: int) -> int | None:
        """How many axes the bottom has; None where its shape is unknown."""
        shape = self._shapes[index] if index < len(self._shapes) else None
        return None if shape is None else len(shape)


@record(frozen=True, slots=True)
class CaffeLayer:
    """One layer after the upgrade to V2 words.

    `bottoms` and `tops` are value names in single-assignment form. `blobs` are the caffemodel's,
    each a lazy tensor; None where no weights are given or the caffemodel lacks the layer.
    `shapes` are the inferred shapes of the bottoms, None where unknown: a lowering takes
    ranks from them, and never a size, which would bake it in.
    """

    name: str
    type: str
    node: Message
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    params: tuple[ParamSpec, ...]
    blobs: tuple[TensorData, ...] | None
    span: Span
    shapes: BottomShapes = field(default_factory=BottomShapes)

    def rank(self, index: int = 0) -> int | None:
        """How many axes the bottom at `index` has; None where its shape is unknown."""
        return self.shapes.rank(index)

    def field(self, name: str) -> Message:
        """The layer's sub-message of that name, empty where absent."""
        return self.node.message(name) or Message.empty()

    def param(self, index: int) -> ParamSpec:
        """The param spec of the blob at `index`."""
        return self.params[index] if index < len(self.params) else ParamSpec()

    def invalid(self, message: str, hint: str = "", where: Span | None = None) -> UnreadableError:
        """An error about this layer: Caffe itself would refuse it."""
        return UnreadableError(message, where=where or self.span, layer=self.name, hint=hint)

    def unsupported(self, message: str, hint: str = "") -> UnsupportedError:
        """An error about this layer: it is legal, but cannot be represented."""
        return UnsupportedError(message, where=self.span, layer=self.name, hint=hint)


@record(frozen=True, slots=True)
class Lowered:
    """One operator made of a layer. `inputs` and `outputs` default to the layer's bottoms and
    tops; `suffix` names a further operator of the same layer."""

    operator: Operator
    weights: Mapping[str, Weight] = field(default_factory=dict)
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    suffix: str = ""


Lowering: TypeAlias = Callable[[CaffeLayer], "Lowered | tuple[Lowered, ...]"]

LOWERINGS: Final[Table[Lowering]] = Table("upconv.converters.readers.caffe", "layers_")
"""Layer type -> its lowering; a variant for each dialect where forks disagree about it."""

lowers = LOWERINGS.enters
