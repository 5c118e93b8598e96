"""What a translation sees of an operator, and how it has TensorFlow's operations done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.assembly.known import Known, known_of
from upconv.converters.readers.assembly.table import Table as Entries
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.tensorflow.evaluation import evaluated
from upconv.converters.readers.tensorflow.lowering import Call
from upconv.converters.readers.tensorflow.made_nodes import Attribute, node_of
from upconv.converters.readers.tensorflow.schema import DTYPES
from upconv.converters.readers.tensorflow.tensors import Stored
from upconv.converters.readers.tensorflow.values import Entry
from upconv.converters.readers.tflite.schema import QUANTIZED, TYPES, Graph, Operator, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOAT: Final = DTYPES[1]
NUMBERS: Final = {dtype.name: number for number, dtype in DTYPES.items()}
_ACTIVATIONS: Final[dict[int, tuple[str, tuple[float, ...]]]] = {
    1: ("Relu", ()),
    2: ("ClipByValue", (-1.0, 1.0)),
    3: ("Relu6", ()),
    4: ("Tanh", ()),
}
"""ActivationFunctionType -> TensorFlow's operation, and its further inputs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator on its inputs, of which absent ones are None. What is done under the name alone,
    without a suffix, makes its output. `places` says of values of the whole model that hold places
    of a pooling what is known of them, and of convolved blocks what is still to be done."""

    operator: Operator
    entries: tuple[Entry | None, ...]
    graph: Graph
    work: Workspace
    origin: Origin
    name: str
    places: dict[Any, Any] = field(default_factory=dict)

    def invalid(self, message: str) -> UnreadableError:
        return UnreadableError(message, where=self.origin, layer=self.name)

    def unsupported(self, message: str, hint: str = "") -> UnsupportedError:
        return UnsupportedError(message, where=self.origin, layer=self.name, hint=hint)

    # Inputs

    def entry(self, index: int) -> Entry:
        entry = self.entries[index] if index < len(self.entries) else None
        if entry is None:
            raise self.invalid(f"{self.origin.type} without its input {index}")
        return entry

    def has(self, index: int) -> bool:
        return index < len(self.entries) and self.entries[index] is not None

    def constant(self, index: int, what: str) -> Known:
        entry = self.entry(index)
        if not isinstance(entry, Known):
            raise self.unsupported(f"its {what} is computed by the network")
        return entry

    def weight(self, index: int, rank: int, order: Order) -> Known:
        """A stored weight of so many axes as TensorFlow has it."""
        found = self.constant(index, "weight")
        if len(found.shape) != rank or 0 in found.shape:
            raise self.invalid(f"a weight of the shape {found.shape}")
        return changed(found, order)

    # Operations

    def call(
        self, op: str, entries: Sequence[Entry], suffix: str = "", /, **attributes: Attribute
    ) -> Call:
        """An operation of TensorFlow on these inputs, not yet done."""
        name = f"{self.name}/{suffix}" if suffix else self.name
        return Call(node_of(name, op, attributes), tuple(entries), self.work, self.origin)

    def do_all(
        self, op: str, entries: Sequence[Entry], suffix: str = "", /, **attributes: Attribute
    ) -> tuple[Entry, ...]:
        call = self.call(op, entries, suffix, **attributes)
        return evaluated(call, len(self.operator.outputs))

    def do(
        self, op: str, entries: Sequence[Entry], suffix: str = "", /, **attributes: Attribute
    ) -> Entry:
        return self.do_all(op, entries, suffix, **attributes)[0]

    def finished(self, entry: Entry, activation: int) -> Entry:
        """What an operator made, behind its fused activation."""
        if not activation:
            return entry
        if activation not in _ACTIVATIONS:
            raise self.unsupported(f"the fused activation {activation}")
        op, bounds = _ACTIVATIONS[activation]
        return self.do(op, [entry, *map(listed, bounds)], "activation")

    def biased(self, entry: Entry, index: int) -> Entry:
        """The sum with a bias, where there is one."""
        if not self.has(index):
            return entry
        return self.do("BiasAdd", [entry, self.entry(index)], "bias", T=NUMBERS["float"])


def changed(known: Known, order: Order) -> Known:
    """A weight in another order, as a view that is made when it is used."""
    shape = order[0](known.shape)
    dtype = FLOAT if known.kind == "float" else DTYPES[9]
    return Known(known.kind, shape, Stored(shape, dtype, listed=lambda: order[1](known.numpy())))


def listed(numbers: Any) -> Known:
    """A number, or numbers, as a tensor."""
    import numpy as np

    values = np.array(numbers)
    return known_of(values.astype("<f4" if values.dtype.kind == "f" else "<i8"))


def stored(graph: Graph, tensor: Tensor) -> Known:
    """A tensor whose values the file holds; quantised ones as the numbers that they stand for.

    Raises UnsupportedError for a type that holds no numbers here.
    """
    assert tensor.span is not None, "a stored tensor has bytes"
    name, kind = TYPES.get(tensor.type, ("", ""))
    if not name or tensor.is_sparse:
        what = "a sparse tensor" if tensor.is_sparse else f"the element type {tensor.type}"
        raise UnsupportedError(f"'{tensor.name:.100}' is {what}", path=graph.buffer.path)
    shape = tuple(size or 0 for size in tensor.shape)
    raw = graph.buffer.view[slice(*tensor.span)]
    plain = Stored(shape, DType(name, kind), raw)
    if tensor.type not in QUANTIZED or tensor.quantization is None:
        return Known(plain.dtype.kind, shape, plain)
    return Known(FLOAT.kind, shape, Stored(shape, FLOAT, listed=lambda: _real(tensor, plain)))


def _real(tensor: Tensor, stored: Stored) -> NDArray[Any]:
    """scale * (stored - zero), along an axis where there is a scale for each of its entries."""
    import numpy as np

    about = tensor.quantization
    assert about is not None, "asked of quantised tensors"
    scale, zero = np.array(about.scales, np.float32), np.array(about.zeros, np.float32)
    values = stored.native().astype(np.float32)
    if len(scale) > 1:
        if not 0 <= about.axis < values.ndim or values.shape[about.axis] != len(scale):
            raise UnreadableError(f"'{tensor.name:.100}' has {len(scale)} scales for its axis")
        wide = [-1 if axis == about.axis else 1 for axis in range(values.ndim)]
        scale, zero = scale.reshape(wide), zero.reshape(wide)
    return np.asarray((values - zero) * scale, np.float32)


Translation: TypeAlias = Callable[[Step], "Entry | tuple[Entry, ...]"]

TRANSLATIONS: Final[Entries[Translation]] = Entries("upconv.converters.readers.tflite", "ops_")
"""Name of an operator in the schema -> what it is in TensorFlow."""

translates = TRANSLATIONS.enters
