"""What a lowering sees of an ATen call and what it writes, and the table of lowerings.

A lowering turns one node, in ATen's words, into layers. It registers under the operator's names
as the file spells them, `aten.conv2d.default`; a name that comes twice raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Final, TypeAlias, TypeGuard

from upconv.converters.ir.dims import Dim, Size, like
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.operators import (
    Constant,
    Flatten,
    GroupNorm,
    Identity,
    Linear,
    Operator,
    Reshape,
    SizeOf,
    Unknown,
)
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import ArrayData, FloatArray, TensorData, Weight
from upconv.converters.readers.assembly.compositions import Composition, composed
from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.assembly.workspace import Workspace, with_references
from upconv.converters.readers.torch.aten.calls import MAX_AXES, Node, TensorMeta, TensorRef

Lowering: TypeAlias = Callable[["AtenCall"], None]

LOWERINGS: Final[Table[Lowering]] = Table(__package__, "ops_")
TORCH_MODULES: Final = ("torch.nn.modules.", "torch.nn.utils.parametrize.")


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorator: the function lowers these operators (without the leading `aten.`)."""
    return LOWERINGS.enters(*(f"aten.{name}" for name in names))


@dataclass(slots=True)
class GraphState:
    """The graph so far: its layers, and what each name of the file stands for.

    `values` maps a tensor's name to the value that carries it, `constants` to data that does not
    depend on any input. `metas` and `sizes_of` give a tensor's sizes where the file says them;
    `used` are the names that anyone reads, `pending` says how often each still is.
    """

    work: Workspace
    values: dict[str, str] = field(default_factory=dict)
    constants: dict[str, TensorData] = field(default_factory=dict)
    metas: Mapping[str, TensorMeta] = field(default_factory=dict)
    sizes_of: Callable[[str], Shape | None] = lambda name: None
    used: AbstractSet[str] = frozenset()
    pending: dict[str, int] = field(default_factory=dict)

    def feed(self, name: str, shape: Shape, *, integer: bool) -> None:
        """A graph input."""
        origin = Origin(self.work.path, "pytorch", "input")
        self.work.feed(name, shape, origin, integer=integer)
        self.values[name] = name


class AtenCall:
    """One ATen call that is being lowered: its arguments, and the layers it becomes."""

    def __init__(self, state: GraphState, node: Node, arguments: Mapping[str, Any]) -> None:
        self.state = state
        self.node = node
        self._arguments = arguments

    # Arguments

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, or its default where the file leaves it out."""
        return self._arguments.get(name, default)

    def number(self, name: str, default: float) -> float:
        """A plain number; an argument that is a tensor or symbolic is refused."""
        value = self.get(name, default)
        if isinstance(value, TensorRef) and (scalar := self.scalar(value)) is not None:
            return scalar
        if not isinstance(value, int | float):
            raise UnsupportedError(f"its {name} is not a fixed number")
        return value

    def fixed(self, name: str, default: int) -> int:
        """A plain integer."""
        value = self.get(name, default)
        if not _is_integer(value):
            raise UnsupportedError(f"its {name} is not a fixed integer")
        return value

    def ints(self, name: str, axes: int, default: int | None = None) -> tuple[int, ...]:
        """An integer for every spatial axis; one given for all is repeated, as torch does."""
        values = self.sizes(name, axes, default)
        known = tuple(value for value in values if _is_integer(value))
        if len(known) < len(values):
            raise UnsupportedError(f"its {name} changes with the input's sizes")
        if name in _POSITIVE and min(known, default=1) < 1:
            raise UnsupportedError(f"its {name} is {min(known)}")
        return known

    def sizes(self, name: str, axes: int, default: int | None = None) -> tuple[Size, ...]:
        """As `ints`, but the integers may be sizes."""
        values = self.get(name) or ([] if default is None else [default])
        if not values:
            raise UnsupportedError(f"it has no {name}")
        if len(values) == 1:
            values = values * axes
        if len(values) != axes:
            raise UnsupportedError(f"its {name} has {len(values)} values for {axes} axes")
        return tuple(values)

    def divisor(self, name: str, default: float) -> float:
        """A plain number that is divided by."""
        number = self.number(name, default)
        if number == 0:
            raise UnsupportedError(f"its {name} is 0")
        return number

    # Tensors

    def constant(self, argument: Any) -> TensorData | None:
        """The data of an argument that depends on no input; None for another."""
        if isinstance(argument, TensorRef):
            return self.state.constants.get(argument.name)
        return None

    def scalar(self, argument: Any) -> float | None:
        """The number an argument is, or the only value of a constant tensor without axes."""
        if isinstance(argument, int | float):
            return argument
        data = self.constant(argument)
        if data is None or any(size != 1 for size in data.shape) or data.shape:
            return None
        return float(data.array().reshape(()))

    def is_value(self, argument: Any) -> bool:
        """Whether an argument is a tensor that the network computes."""
        return isinstance(argument, TensorRef) and argument.name in self.state.values

    def value(self, argument: Any) -> str:
        """The value that carries a tensor argument (an argument's name, or a TensorRef)."""
        reference = self.get(argument) if isinstance(argument, str) else argument
        if not isinstance(reference, TensorRef):
            raise UnsupportedError(f"its argument {argument} is no tensor")
        if reference.name in self.state.constants:
            return self._constant_value(reference.name)
        if reference.name not in self.state.values:
            raise UnreadableError(
                f"'{self.node.name}' reads '{reference.name}', which no node before it writes",
                path=self.state.work.path,
            )
        return self.state.values[reference.name]

    def _constant_value(self, name: str) -> str:
        """The value of a stored tensor, from a layer that is written where it is first read."""
        work, data = self.state.work, self.state.constants[name]
        weights = {"value": Weight(data.shape, data)}
        operator, origin = Constant(data.shape), self.origin()
        return work.once(
            name, "constant", lambda: work.add(name, operator, (), origin, weights, (name,))[0]
        )

    def is_truth(self, argument: Any) -> bool:
        """Whether an argument holds truth values, as far as the file says."""
        if isinstance(argument, TensorRef):
            meta = self.state.metas.get(argument.name)
            return meta is not None and meta.dtype_name == "bool"
        return isinstance(argument, bool)

    def operand(self, argument: Any) -> str:
        """The value of a tensor, of a number or of a size that is open."""
        if isinstance(argument, Dim):
            return self.step(SizeOf(argument), [], "size")
        number = None if isinstance(argument, TensorRef) else self.scalar(argument)
        if number is None:
            return self.value(argument)
        weight = Weight((), ArrayData((), partial(_scalar_array, float(number))))
        return self.step(Constant(()), [], "number", {"value": weight})

    def two_operands(self, left: str, right: str) -> list[str]:
        """The values of two arguments; a layer reads none of them twice."""
        first, second = self.operand(self.get(left)), self.operand(self.get(right))
        if first == second:
            second = self.step(Identity(), [second], "copy")
        return [first, second]

    def axis(self, name: str = "dim", default: int = 0, added: int = 0) -> int:
        """An axis of the first tensor, from the front; of a number without axes, UnsupportedError.

        `added`: how many axes the output has more, which the axis may be one of.
        """
        return from_front(self.fixed(name, default), self.rank() + added)

    def axes(self, name: str = "dim") -> tuple[int, ...]:
        """The axes of the first tensor that an argument names, each once, from the front."""
        given = self.get(name)
        named = given if isinstance(given, list) else ([] if given is None else [given])
        if not all(map(_is_integer, named)):
            raise UnsupportedError(f"its {name} is not of fixed integers")
        found = tuple(from_front(axis, self.rank()) for axis in named)
        if len(set(found)) < len(found):
            raise UnsupportedError(f"its {name} names an axis twice: {given}")
        return found

    def meta(self, argument: Any) -> TensorMeta:
        """What the file says of a tensor argument (an argument's name, or a TensorRef)."""
        reference = self.get(argument) if isinstance(argument, str) else argument
        if not isinstance(reference, TensorRef) or reference.name not in self.state.metas:
            named = f"its {argument}" if isinstance(argument, str) else "one of its tensors"
            raise UnsupportedError(f"the shape of {named} is not known")
        return self.state.metas[reference.name]

    def sizes_known(self, argument: Any) -> tuple[int | str, ...] | None:
        """The sizes that the file says of a tensor argument; None where it says none."""
        known = isinstance(argument, TensorRef) and argument.name in self.state.metas
        return self.meta(argument).sizes if known else None

    def rank(self, argument: Any = "self", least: int = 0, most: int = MAX_AXES) -> int:
        """How many axes a tensor argument has; UnsupportedError for fewer or more than it may."""
        rank = len(self.meta(argument).sizes)
        if not least <= rank <= most:
            raise UnsupportedError(f"it works on a tensor with {rank} axes")
        return rank

    def shape(self, argument: str = "self", least: int = 0, most: int = MAX_AXES) -> Shape:
        """The sizes of a tensor argument; dynamic ones as its own, like(value, axis). Raises as
        `rank`."""
        value = self.value(argument)
        self.rank(argument, least, most)
        known = self.meta(argument).sizes
        return tuple(n if isinstance(n, int) else like(value, i) for i, n in enumerate(known))

    def own_sizes(self, argument: str = "self") -> Shape:
        """The sizes of a tensor argument; dynamic ones in terms of the graph's inputs."""
        reference = self.get(argument)
        shape = self.state.sizes_of(reference.name) if isinstance(reference, TensorRef) else None
        if shape is None:
            raise UnsupportedError(f"the shape of its {argument} is not known")
        return shape

    def output_shape(self, index: int = 0, least: int = 0) -> Shape:
        """The sizes of an output; dynamic ones in terms of the graph's inputs. UnsupportedError
        where it has fewer axes than it must have."""
        shape = self.state.sizes_of(self.node.outputs[index])
        if shape is None:
            raise UnsupportedError("the shape of its output is not known")
        if len(shape) < least:
            raise UnsupportedError(f"it gives a tensor with {len(shape)} axes")
        return shape

    def used_outputs(self) -> tuple[str, ...]:
        """The call's outputs without those behind the last that anyone reads; at least one."""
        outputs = self.node.outputs
        count = max((i for i, name in enumerate(outputs, 1) if name in self.state.used), default=1)
        return outputs[:count]

    def weight(self, name: str) -> Weight:
        """A weight argument as a layer's weight.

        Raises UnsupportedError where the network computes it.
        """
        data = self.constant(self.get(name))
        if data is None:
            raise UnsupportedError(f"its {name} is computed by the network, not stored")
        return Weight(data.shape, data)

    def weights(self, **names: str) -> dict[str, Weight]:
        """The weights that are given, by the names the operator record has for them."""
        return {
            ours: self.weight(theirs)
            for ours, theirs in names.items()
            if self.get(theirs) is not None
        }

    # Layers

    def emit(
        self,
        operator: Operator,
        inputs: Sequence[str],
        weights: Mapping[str, Weight] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> str:
        """Write the layer that gives the call's outputs; the first one's value.

        Tensors whose sizes the operator takes are added to its inputs.
        """
        names = tuple(outputs or self.node.outputs)
        made = self._write(operator, inputs, weights, names, self._title())
        self.state.values.update(zip(names, made, strict=True))
        return made[0]

    def step(
        self,
        operator: Operator,
        inputs: Sequence[str],
        what: str,
        weights: Mapping[str, Weight] | None = None,
        outputs: int = 1,
    ) -> str:
        """Write a layer on the way to the call's output; its first value."""
        names = [f"{self.node.outputs[0]}/{what}"] * outputs
        return self._write(operator, inputs, weights, names, f"{self._title()}/{what}")[0]

    def compose(self, composition: Composition) -> None:
        """Write the layers of a composition on the call's own tensor, which give its output."""

        def write(operator: Operator, inputs: Sequence[str], what: str) -> str:
            return self.step(operator, inputs, what) if what else self.emit(operator, inputs)

        composed(composition, self.value("self"), write)

    def same(self, argument: str = "self") -> None:
        """Let the output be the argument itself, under its own name."""
        self.emit(Identity(), [self.value(argument)])

    def _title(self) -> str:
        """The module's path for a module of torch.nn; the path and the node's name otherwise."""
        site, name = self.node.site, self.node.name
        if site.module and site.module_type.startswith(TORCH_MODULES):
            return site.module
        return f"{site.module}.{name}" if site.module else name

    def _write(
        self,
        operator: Operator,
        inputs: Sequence[str],
        weights: Mapping[str, Weight] | None,
        outputs: Sequence[str],
        title: str,
    ) -> tuple[str, ...]:
        if not (with_references(operator, inputs) or isinstance(operator, Constant | Unknown)):
            raise UnsupportedError("it has no tensor to work on")
        for made in (weight.data for weight in (weights or {}).values()):
            if isinstance(made, ArrayData):
                require_makeable(made.shape)
        if isinstance(operator, _NEEDS_VALUES) and self._is_empty():
            raise UnsupportedError("it works on a tensor without values")
        return self.state.work.add(title, operator, inputs, self.origin(), weights, outputs)

    def _is_empty(self) -> bool:
        metas = [self.state.metas.get(name) for name in self.node.outputs]
        return any(meta is not None and 0 in meta.sizes for meta in metas)

    def origin(self) -> Origin:
        """Where this call was written: the archive, and the user's own line."""
        return Origin(self.state.work.path, "pytorch", self.node.target, code=self.node.site.code)


def _scalar_array(number: float) -> FloatArray:
    import numpy as np

    with np.errstate(over="ignore"):
        return np.asarray(number, np.float32)


EXACT: Final = 1 << 24
"""Whole numbers are float32 here, which has every one up to this."""

LARGEST_MADE: Final = 1 << 28
"""Values of a tensor that is not in the file; a file of a few bytes may ask for any number."""


def require_makeable(shape: Sequence[int]) -> None:
    """Raise UnsupportedError for a tensor that cannot be made: too large, or of a size below 0."""
    if min(shape, default=0) < 0:
        raise UnsupportedError(f"it makes a tensor of the shape {tuple(shape)}")
    if prod(shape) > LARGEST_MADE:
        raise UnsupportedError(f"a tensor of {prod(shape)} values would have to be made for it")


def from_front(axis: int, rank: int) -> int:
    """An axis counted from the front; UnsupportedError where a tensor of this rank has none."""
    if not -rank <= axis < rank:
        raise UnsupportedError(f"it works along axis {axis} of a tensor with {rank} axes")
    return axis % rank


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


_POSITIVE: Final = ("kernel_size", "stride", "dilation")

_NEEDS_VALUES: Final = (Reshape, Flatten, Linear, GroupNorm)
"""Operators whose ONNX form takes an axis of size 0 for a word of its own, or for an error."""
