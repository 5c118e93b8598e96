"""Calls on tensors: handed to ATen's lowerings, with the shapes that the layers so far give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from upconv.converters.ir.dims import Dim, Like, Size, Symbol, like, substitute
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.least import least, most
from upconv.converters.ir.model import Shape
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.torch.aten.calls import (
    Argument,
    CallSite,
    Node,
    TensorMeta,
    TensorRef,
)
from upconv.converters.readers.torch.aten.graph import Graph
from upconv.converters.readers.torch.aten.lowering import GraphState
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.aten.schemas import Schema, fitted
from upconv.converters.readers.torch.script import dtypes
from upconv.converters.readers.torch.script.numbers import checked
from upconv.converters.readers.torch.script.output_shapes import OUTPUT_SHAPES, Arguments, broadcast
from upconv.converters.readers.torch.script.overloads import SAME, overload
from upconv.converters.readers.torch.script.values import (
    Device,
    Number,
    Taken,
    Unsure,
    Value,
    tensors,
)
from upconv.converters.readers.torch.state.element_types import CODES, FLOAT, INTEGER

MAX_LAYERS: Final = 20_000


class TensorCalls:
    """The graph that a module's code becomes, and what is known of every tensor in it.

    The workspace has the shapes of values, with sizes in the symbols of the inputs.
    """

    def __init__(self, path: str) -> None:
        self._used: set[str] = set()
        self._metas: dict[str, TensorMeta] = {}
        self._sizes: dict[str, Shape] = {}
        self._axes: dict[str, Dim] = {}
        self._names: dict[str, int] = {}
        self._told: set[tuple[str, str, str]] = set()
        self.work = Workspace(path, "pytorch")
        self.state = GraphState(
            self.work, metas=self._metas, sizes_of=self._in_axes, used=self._used
        )
        self.graph = Graph(self.state)

    # Tensors

    def enter(self, name: str, shape: Shape, dtype: int) -> TensorRef:
        """A graph input; its open sizes are what every size after it is made of."""
        for axis, size in enumerate(shape):
            if isinstance(size, Dim):
                self._axes.setdefault(str(size), like(name, axis))
        self.state.feed(name, shape, integer=dtype == INTEGER)
        self._names[name] = 1
        self._remember(name, shape, dtype)
        return TensorRef(name)

    def stored(self, name: str, data: StoredTensor) -> TensorRef:
        """A tensor of the archive."""
        chosen = self._fresh(name)
        self.state.constants[chosen] = data
        self._remember(chosen, data.shape, CODES[data.dtype])
        return TensorRef(chosen)

    def shape(self, tensor: TensorRef) -> Shape:
        """The shape of a tensor; UnsupportedError where it is not known."""
        if tensor.name not in self._sizes:
            raise UnsupportedError("the shape of one of its tensors is not known")
        return self._sizes[tensor.name]

    def dtype(self, tensor: TensorRef) -> int:
        """A tensor's element type, in the numbers of exported programs."""
        meta = self._metas.get(tensor.name)
        return FLOAT if meta is None else meta.dtype

    def _remember(self, name: str, shape: Shape, dtype: int) -> None:
        sizes = tuple(size if isinstance(size, int) else str(size) for size in shape)
        self._sizes[name] = shape
        self._metas[name] = TensorMeta(dtype, sizes)

    def _fresh(self, wanted: str) -> str:
        count = self._names[wanted] = self._names.get(wanted, 0) + 1
        return wanted if count == 1 else self._fresh(f"{wanted}_{count - 1}")

    def _in_axes(self, name: str) -> Shape | None:
        shape = self._sizes.get(name)
        return None if shape is None else tuple(self._in_axis(size) for size in shape)

    def _in_axis(self, size: Size) -> Size:
        return substitute(size, self._axis_of)

    def _axis_of(self, leaf: Symbol | Like) -> Size | None:
        return self._axes.get(leaf.name) if isinstance(leaf, Symbol) else None

    # Calls

    def call(
        self,
        name: str,
        arguments: Sequence[Value],
        keywords: Mapping[str, Value],
        site: CallSite,
        wanted: Taken | None,
    ) -> Value:
        """What an operator gives: one tensor, or a tuple or list of them.

        `wanted` says which of the outputs the code takes apart and reads; None: all of them.
        """
        found = overload(name, arguments, keywords)
        parts = None if wanted is None else wanted.count
        if found is None:
            reason = "no overload of it that is known fits its arguments"
            made = self.unknown(
                f"aten.{name}" if "." not in name else name,
                [*arguments, *keywords.values()], parts or 1, site, UnsupportedError(reason),
            )  # fmt: skip
            return tuple(made) if parts else made[0]
        schema, named = found
        given = {key: _argument(one) for key, one in named.items() if one is not None}
        target = SAME.get(schema.target, schema.target)
        shapes, problem = self._output_shapes(target, schema, given)
        count = schema.outputs or (len(shapes) if shapes else parts or 1)
        outputs = tuple(self._fresh(name) for _ in range(count))
        self._used.update(o for i, o in enumerate(outputs) if wanted is None or i in wanted.read)
        for index, output in enumerate(outputs):
            if shapes is not None and index < len(shapes):
                self._remember(output, shapes[index], self._output_dtype(target, given, index))
        node = Node(target, name, given, outputs, site, schema.target)
        self._lower(node, problem if schema.outputs is None else None)
        references = [TensorRef(output) for output in outputs]
        if schema.outputs is None:
            return references
        return references[0] if schema.outputs == 1 else tuple(references)

    def unknown(
        self,
        target: str,
        reads: Sequence[Value],
        outputs: int,
        site: CallSite,
        error: UnsupportedError,
    ) -> list[TensorRef]:
        """An Unknown layer that reads the tensors of some values and gives so many others.

        One line of the user's is told once, though it may stand for many statements of the code.
        """
        names = tuple(self._fresh(target.rpartition(".")[2]) for _ in range(outputs))
        read = list(dict.fromkeys(tensor for value in reads for tensor in tensors(value)))
        arguments = {str(index): one for index, one in enumerate(read)}
        node = Node(target, names[0], arguments, names, site)
        self._bounded()
        key = (target, error.message, site.code)
        self.graph.unknown(node, error, told=not site.code or key not in self._told)
        self._told.add(key)
        return [TensorRef(name) for name in names]

    def _lower(self, node: Node, problem: UnsupportedError | None) -> None:
        self._bounded()
        if problem is None:
            self.graph.lower(node, self._resolved)
        else:
            self.graph.unknown(node, problem)
        for index, output in enumerate(node.outputs):
            value = self.state.values.get(output)
            if value is None:  # a constant
                continue
            shape = self.work.shapes.get(value)
            if shape is None and output in self._sizes:
                self.work.shapes[value] = self._sizes[output]
            elif shape is not None:
                dtype = self._output_dtype(node.target, node.arguments, index)
                self._remember(output, shape, dtype)

    def _bounded(self) -> None:
        if len(self.work.layers) > MAX_LAYERS:
            raise UnreadableError(
                f"the code makes more than {MAX_LAYERS} layers", path=self.work.path
            )

    def _output_shapes(
        self, target: str, schema: Schema, given: Mapping[str, Argument]
    ) -> tuple[list[Shape] | None, UnsupportedError | None]:
        """The outputs' shapes where the call alone decides them, else why it does not."""
        rule = OUTPUT_SHAPES.get(target)
        read = list(tensors(given))
        stored = self.state.constants
        try:
            if rule is not None:
                known = fitted(schema, {key: _resolved(one) for key, one in given.items()})
                return [*map(_checked, rule(Arguments(known, self.shape)))], None
            if read and all(one.name in stored for one in read):
                shape = broadcast([self.shape(one) for one in read])
                return [shape] * (schema.outputs or 1), None
        except UnsupportedError as error:
            return None, error
        return None, UnsupportedError("how many tensors it gives is not known")

    def _output_dtype(self, target: str, given: Mapping[str, Argument], index: int) -> int:
        own = dtypes.promoted(given, self.dtype)
        other = given.get("other")
        if isinstance(other, TensorRef) and target in dtypes.TO_OTHER:
            return self.dtype(other)
        return dtypes.of_output(target, given.get("dtype"), index, own)

    def _resolved(self, argument: Argument) -> Argument:
        """An argument as the lowerings take it: open sizes in terms of the inputs' axes."""
        value = _resolved(argument)
        if isinstance(value, list):
            return [self._resolved(one) for one in value]
        return self._in_axis(value) if isinstance(value, Dim) else value


def _argument(value: Value) -> Argument:
    """A value as a node's argument: tensors are references, everything else stays for later."""
    if isinstance(value, Unsure) and value.tensor is not None:
        return value.tensor
    if isinstance(value, list | tuple):
        return [_argument(one) for one in value]
    return value


def _resolved(argument: Argument) -> Argument:
    """An argument with its numbers known; UnsupportedError where one is not."""
    if isinstance(argument, list):
        return [_resolved(one) for one in argument]
    if isinstance(argument, Number):
        return _resolved(argument.value)
    if isinstance(argument, Unsure):
        raise UnsupportedError(argument.reason)
    if isinstance(argument, Ratio):
        raise UnsupportedError("one of its numbers changes with the inputs' sizes")
    if isinstance(argument, Device):
        return argument.name
    known = isinstance(argument, TensorRef | bool | int | float | str | Dim)
    if not known and argument is not None:
        raise UnsupportedError("one of its arguments is no tensor and no number")
    return argument


def _checked(shape: Shape) -> Shape:
    """Its sizes, of bounded length, and as a number what can be but one."""
    return tuple(map(_settled, map(checked, shape)))


def _settled(size: Size) -> Size:
    """A size as a number where it can be but one; an axis is taken not to be empty."""
    high = most(size)
    return size if high is None or (high != 1 and high != least(size)) else high
