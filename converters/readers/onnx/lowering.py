"""What a lowering sees of a node and what it builds, and the table of lowerings by opset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.model import Notice, NoticeKind, Shape
from upconv.converters.ir.operators import Constant, Identity, Operator, Reshape, SizeOf
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly import known
from upconv.converters.readers.assembly.compositions import Composition, composed
from upconv.converters.readers.assembly.element_types import Kind
from upconv.converters.readers.assembly.folding.arrays import Array
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.weights import Order
from upconv.converters.readers.assembly.workspace import Workspace, apart
from upconv.converters.readers.onnx.entries import Begins, Entry, Lost, Places, Value
from upconv.converters.readers.onnx.messages import Message, Node


@record(frozen=True, slots=True)
class Call:
    """One node on its inputs. The layer emitted without a suffix bears the node's own name, and
    its outputs theirs."""

    node: Node
    entries: tuple[Entry, ...]
    work: Workspace
    origin: Origin
    opset: int
    name: str
    outputs: tuple[str, ...]

    def invalid(self, message: str, hint: str = "") -> UnreadableError:
        """An error about this node: the specification does not allow it."""
        return UnreadableError(message, where=self.origin, layer=self.name, hint=hint)

    def unsupported(
        self, message: str, hint: str = "", kind: type[UnsupportedError] = UnsupportedError
    ) -> UnsupportedError:
        """An error about this node: it is legal, but cannot be represented."""
        return kind(message, where=self.origin, layer=self.name, hint=hint)

    def note(self, kind: NoticeKind, message: str) -> None:
        """Say what is strange about this node; it is read all the same."""
        error = UpconvError(message, where=self.origin, layer=self.name)
        self.work.notices.append(Notice(kind, error, harmless=True))

    # Attributes

    def _attribute(self, name: str, *fields: str) -> Message | None:
        found = self.node.attributes.get(name)
        if found is None:
            return None
        others = [one for one in ("f", "i", "s", "t", "g", "floats", "ints") if found.has(one)]
        if others and not any(one in fields for one in others):
            raise self.invalid(f"its attribute {name} is of another type ({others[0]})")
        return found

    def integer(self, name: str, default: int) -> int:
        """A whole number, 0 where the attribute is there without a value."""
        found = self._attribute(name, "i")
        return default if found is None else found.integer("i")

    def flag(self, name: str) -> bool:
        return self.integer(name, 0) != 0

    def number(self, name: str, default: float) -> float:
        found = self._attribute(name, "f")
        return default if found is None else found.number("f")

    def text(self, name: str, default: str) -> str:
        found = self._attribute(name, "s")
        return default if found is None else found.text("s")

    def word(self, name: str, default: str, *known: str) -> str:
        """A text that is one of those known; another one is no ONNX."""
        found = self.text(name, default)
        if found not in (default, *known):
            raise self.invalid(f"its {name} is {found!r}, which opset {self.opset} does not know")
        return found

    def ints(self, name: str) -> tuple[int, ...] | None:
        found = self._attribute(name, "ints")
        return None if found is None else tuple(found.ints("ints"))

    def per_axis(self, name: str, axes: int, default: int) -> tuple[int, ...]:
        """A whole number for each of so many axes."""
        found = self.ints(name)
        if found is None:
            return (default,) * axes
        if len(found) != axes:
            raise self.invalid(f"its {name} has {len(found)} numbers for {axes}")
        return found

    # Inputs

    def entry(self, index: int) -> Entry:
        return self.entries[index] if index < len(self.entries) else None

    def has(self, index: int) -> bool:
        return self.entry(index) is not None

    def is_known(self, index: int) -> bool:
        return isinstance(self.entry(index), Known)

    def kind(self, index: int = 0) -> Kind:
        entry = self.entry(index)
        return entry.kind if isinstance(entry, Value | Known) else "int"

    def value(self, index: int = 0) -> str:
        """The tensor of an input; what is known becomes a layer that holds it."""
        return self.operand(self.entry(index), f"input{index}")

    def operand(self, entry: Entry, what: str) -> str:
        if isinstance(entry, Value):
            if entry.kind == "other":
                raise self.unsupported("an input whose elements are no numbers")
            return entry.name
        if isinstance(entry, Lost):
            raise self.unsupported(entry.reason)
        if isinstance(entry, Places | Begins):
            raise self.unsupported("the indices of a pooling are used by more than a MaxUnpool")
        if entry is None:
            raise self.invalid(f"{self.node.op} without one of its inputs ({what})")
        if not entry.is_symbolic:
            weight = self.weight_of(entry)
            return self.step(Constant(entry.shape), [], what, {"value": weight})
        return self._size(entry, what)

    def _size(self, entry: Known, what: str) -> str:
        name = self.step(SizeOf(known.only_size(entry, self)), [], what)
        return name if not entry.shape else self.step(Reshape((1,), 0, 0), [name], f"{what}/axis")

    def known(self, index: int, what: str) -> Known:
        """An input whose values are known."""
        entry = self.entry(index)
        if isinstance(entry, Known):
            return entry
        if entry is None:
            raise self.invalid(f"{self.node.op} without its {what}")
        raise self.unsupported(f"its {what} is computed by the network")

    def array(self, index: int, what: str) -> Array:
        """Known numbers, none of which depends on the size of the network's input."""
        return known.numbers(self.known(index, what), what, self, self.work)

    def scalar(self, index: int, what: str) -> float:
        """A known tensor of one number, as that number."""
        return known.scalar(self.known(index, what), what, self, self.work)

    def numbers(self, index: int, what: str) -> tuple[int, ...]:
        """Known whole numbers, flat."""
        return known.whole_numbers(self.known(index, what), what, self, self.work)

    def sizes(self, index: int, what: str) -> tuple[Size, ...]:
        """Known sizes, flat, which may depend on the network's input."""
        return known.sizes(self.known(index, what), what, self)

    def listed(self, index: int, name: str) -> tuple[int, ...] | None:
        """Whole numbers that older opsets have as an attribute and newer ones as an input."""
        return self.numbers(index, name) if self.has(index) else self.ints(name)

    # Shapes

    def rank(self, name: str) -> int:
        found = self.work.rank(name)
        if found is None:
            raise self.unsupported("the number of axes of its input is unknown")
        return found

    def shape(self, name: str) -> Shape:
        """The sizes of a tensor, open ones as its own."""
        found = self.work.sizes(name)
        if found is None:
            raise self.unsupported("the number of axes of its input is unknown")
        return found

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.invalid(f"works along axis {axis} of a tensor with {rank} axes")
        return axis % rank

    def axes(self, axes: Sequence[int], rank: int) -> tuple[int, ...]:
        """Axes counted from the front, each once."""
        found = tuple(self.axis(axis, rank) for axis in axes)
        if len(set(found)) < len(found):
            raise self.invalid(f"names an axis twice: {list(axes)}")
        return found

    # Weights

    def weight(
        self, index: int, what: str, order: Order | None = None, key: object = None
    ) -> Weight:
        """An input as a weight in the representation's `order`; `key` tells orders apart."""
        found = self.known(index, what)
        if found.is_symbolic:
            raise self.unsupported(f"its {what} depends on the input's size")
        return self.weight_of(found, order, key)

    def weight_of(self, found: Known, order: Order | None = None, key: object = None) -> Weight:
        """Uses of one tensor share one weight."""
        return known.weight_of(self.work, found, order, key)

    # Layers

    def emit(
        self,
        operator: Operator,
        inputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
        kind: Kind | None = None,
    ) -> Value:
        """Append the layer that makes the node's first output."""
        return self.emit_many(operator, inputs, self.outputs[:1], weights, kind)[0]

    def emit_many(
        self,
        operator: Operator,
        inputs: Sequence[str],
        outputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
        kind: Kind | None = None,
        title: str = "",
    ) -> tuple[Value, ...]:
        """Append a layer with these outputs, whose numbers are of the first input's kind where
        none is said."""
        inputs = self._apart(inputs)
        title = title or self.name
        made = self.work.add(title, operator, inputs, self.origin, weights, outputs)
        kind = kind or self.kind()
        if kind != "float":
            self.work.whole.update(made)
        return tuple(Value(name, kind) for name in made)

    def step(
        self,
        operator: Operator,
        inputs: Sequence[str],
        what: str,
        weights: Mapping[str, Weight] | None = None,
    ) -> str:
        """Append a layer on the way to the node's output; what it makes."""
        inputs = self._apart(inputs)
        names = (f"{self.outputs[0]}/{what}",)
        title = f"{self.name}/{what}"
        return self.work.add(title, operator, inputs, self.origin, weights, names)[0]

    def _apart(self, inputs: Sequence[str]) -> list[str]:
        """The inputs, each once: a layer reads none twice."""
        return apart(inputs, lambda name: self.step(Identity(), [name], "copy"))

    def compose(self, composition: Composition, x: str) -> Value:
        """The layers of a composition; its result is the node's output."""

        def add(operator: Operator, inputs: Sequence[str], what: str) -> str:
            if what:
                return self.step(operator, inputs, what)
            return self.emit(operator, inputs).name

        return Value(composed(composition, x, add), self.kind())

    def renamed(self, suffix: str) -> Call:
        """The call under another name, for what is one node here and several in older words."""
        outputs = tuple(f"{one}/{suffix}" for one in self.outputs)
        return replace(self, name=f"{self.name}/{suffix}", outputs=outputs)


Lowering: TypeAlias = Callable[[Call], "Entry | tuple[Entry, ...]"]

LOWERINGS: Final[Table[Lowering]] = Table("upconv.converters.readers.onnx", "ops_")
"""Operator and the opset since which it means this -> its lowering."""


def lowers(*names: str, since: int = 1) -> Callable[[Lowering], Lowering]:
    """Decorator: the function lowers these operators from that opset on."""
    return LOWERINGS.enters(*names, variant=f"{since:03}")


def lowering_of(op: str, opset: int) -> Lowering | None:
    """The meaning of an operator in an opset; None where it has none."""
    if op not in LOWERINGS:
        return None
    variants = LOWERINGS.variants(op)
    fitting = [since for since in variants if int(since) <= opset]
    return variants[max(fitting)] if fitting else None
