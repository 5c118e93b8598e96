"""The graph that ATen calls become, one call after the other, whoever reads them from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Notice
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.torch.aten.aliases import Aliases
from upconv.converters.readers.torch.aten.calls import Argument, Node, TensorRef, references
from upconv.converters.readers.torch.aten.constants import OF_A_SHAPE, fold
from upconv.converters.readers.torch.aten.lowering import (
    LOWERINGS,
    AtenCall,
    GraphState,
    require_makeable,
)
from upconv.converters.readers.torch.aten.schemas import Schema, fitted, schema_of

BLOCKS: Final = {
    "higher_order.wrap_with_autocast": "a block under torch.autocast computes in half precision",
    "higher_order.cond": "which block is run depends on the data",
    "higher_order.while_loop": "how often a block is run depends on the data",
}
"""Why a block of calls is not read."""


class Graph:
    """Takes a program's calls in their order; lives as long as the reading of its file.

    A call on stored tensors alone is folded, one that a table knows is lowered, and any other
    becomes an Unknown and a notice.
    """

    def __init__(self, state: GraphState) -> None:
        self.state = state
        self.aliases = Aliases(state.pending)

    def lower(self, node: Node, resolve: Callable[[Argument], Argument]) -> None:
        """Write the layers of a call; `resolve` says what its symbolic arguments are.

        An UnsupportedError, of the call's lowering or of `resolve`, makes it an Unknown.
        """
        mark = len(self.state.work.layers)
        self._count_reads(node)
        try:
            self._lower_known(node, resolve)
        except UnsupportedError as error:
            self.state.work.undo(mark)
            self.unknown(node, error)

    def _lower_known(self, node: Node, resolve: Callable[[Argument], Argument]) -> None:
        self.aliases.require_plain(node)
        schema = schema_of(node.schema or node.target)
        if schema is None:
            raise UnsupportedError(BLOCKS.get(node.target, ""))
        given = {k: self._current(resolve(v)) for k, v in node.arguments.items()}
        arguments = fitted(schema, given)
        _require_outputs(node, schema)
        tensors = [one for value in arguments.values() for one in references(value)]
        if node.target.startswith("aten.index.") and any(map(self._is_mask, tensors[1:])):
            raise UnsupportedError("it picks entries by truth values")
        stored = self.state.constants
        lowering = LOWERINGS.get(node.target)
        known = all(one.name in stored for one in tensors) or node.target in OF_A_SHAPE
        if known and len(node.outputs) == 1:
            try:
                self._fold(node, arguments)
                return
            except UnsupportedError:
                if lowering is None:
                    raise
        if lowering is None:
            raise UnsupportedError("")
        lowering(AtenCall(self.state, node, arguments))
        self.aliases.note(node)

    def _is_mask(self, tensor: TensorRef) -> bool:
        meta = self.state.metas.get(tensor.name)
        return meta is not None and meta.dtype_name in ("bool", "uint8")

    def _count_reads(self, node: Node) -> None:
        pending = self.state.pending
        for name in (one.name for value in node.arguments.values() for one in references(value)):
            if name in pending:
                pending[name] -= 1

    def _current(self, argument: Any) -> Any:
        """References to what an in-place operator has changed since, in its new state."""
        if isinstance(argument, TensorRef):
            return TensorRef(self.aliases.current(argument.name))
        if isinstance(argument, list):
            return [self._current(one) for one in argument]
        return argument

    def _fold(self, node: Node, arguments: Mapping[str, Any]) -> None:
        shape = self.state.sizes_of(node.outputs[0]) or ()
        if 0 in shape:  # nothing is in it, whatever its other sizes are
            shape = tuple(size if isinstance(size, int) else 0 for size in shape)
        fixed = tuple(size for size in shape if isinstance(size, int))
        if len(fixed) != len(shape):
            raise UnsupportedError("it makes a constant whose shape changes with the inputs")
        require_makeable(fixed)
        stored = self.state.constants
        origin, output = AtenCall(self.state, node, {}).origin(), node.outputs[0]
        meta = self.state.metas.get(output)
        stored[output] = fold(node.target, arguments, stored, meta, fixed, origin)
        self.aliases.note(node)

    def unknown(self, node: Node, error: UnsupportedError, *, told: bool = True) -> None:
        """A layer that is not understood: it flows through, and a notice says where it is."""
        call, work = AtenCall(self.state, node, {}), self.state.work
        read = [one for value in node.arguments.values() for one in references(value)]
        names = [self.aliases.current(one.name) for one in read]
        inputs = [self.state.values[name] for name in names if name in self.state.values]
        title = node.name
        if node.outputs:
            call.emit(Unknown(node.target, error.message), list(dict.fromkeys(inputs)))
            self.aliases.note(node)
            title = work.layers[-1].name
        reason = f": {error.message}" if error.message else ""
        message = f"the operator {node.target} is not understood{reason}"
        if told:
            origin = call.origin()
            work.refuse(UnsupportedError(message, where=origin, layer=title, hint=error.hint))

    def refuse(self, message: str, hint: str) -> None:
        """Note why the model is not converted; it is checked all the same."""
        error = UnsupportedError(message, path=self.state.work.path, hint=hint)
        self.state.work.notices.append(Notice("unreadable-part", error))

    def value(self, name: str) -> str:
        """The value that carries a tensor in its present state.

        Raises UnsupportedError where it is no value of the network.
        """
        current = self.aliases.current(name)
        if current not in self.state.values:
            message = f"the output '{name}' does not depend on the inputs"
            raise UnsupportedError(message, path=self.state.work.path)
        return self.state.values[current]

    def rename(self, names: Mapping[str, str]) -> None:
        """Give values new names, which are taken already."""
        self.state.work.rename(names)
        carried = self.state.values.items()
        self.state.values |= {name: names[value] for name, value in carried if value in names}

    def leave(self, name: str, output: str) -> None:
        """Let a tensor leave the graph under a name, which is taken for it; raises as `value`."""
        origin = Origin(self.state.work.path, "pytorch", "output")
        self.state.work.leave(self.value(name), output, output, origin)


def _require_outputs(node: Node, schema: Schema) -> None:
    count = len(node.outputs)
    if count != (count or 1 if schema.outputs is None else schema.outputs):
        raise UnsupportedError(f"it gives {count} tensors, where it has {schema.outputs or 'some'}")


def output_names(count: int, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """output, output_1 ... for every tensor a program returns, and no input's name.

    >>> output_names(2, ("x", "output"))
    ('output_out', 'output_1')
    """
    names = (f"output_{index}" if index else "output" for index in range(count))
    return tuple(f"{name}_out" if name in inputs else name for name in names)
