"""A graph without functions: calls are inlined, and only what the outputs need is kept.

Nothing here recurses; depth, calls, nodes and steps are bounded, so that no file, however made,
keeps us busy for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.tensorflow.graphdef import Function, Graph, Node

MAX_DEPTH: Final = 64
MAX_CALLS: Final = 20_000
MAX_NODES: Final = 500_000
MAX_STEPS: Final = 10_000
MAX_OUTPUTS: Final = 1 << 12

Key: TypeAlias = tuple[int, str]
"""The number of a scope and the name of a node in it."""

_CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BRANCHES: Final = frozenset({"If", "StatelessIf"})
_CONDITIONS: Final = frozenset({"Identity", "PlaceholderWithDefault", "LogicalNot"})
MAX_CONDITION: Final = 16
"""Nodes between a condition and the constant that decides it."""
_BACK_EDGES: Final = frozenset({"NextIteration"})

OUTPUT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        ("y", "batch_mean", "batch_variance", *(f"reserve_space_{i}" for i in (1, 2, 3))),
    ),
    "Switch": ("output_false", "output_true"),
    "Merge": ("output", "value_index"),
    "TopKV2": ("values", "indices"),
    "MaxPoolWithArgmax": ("output", "argmax"),
    "Unique": ("y", "idx"),
    "SoftmaxCrossEntropyWithLogits": ("loss", "backprop"),
}
"""Operations with several outputs of different names, in order; those of others are one, or a
numbered list of one name."""


@dataclass(frozen=True, slots=True)
class Place:
    """One output of one node."""

    key: Key
    index: int


@dataclass(frozen=True, slots=True)
class FlatNode:
    """A node after inlining: its unique name, what was written, and what it reads."""

    key: Key
    name: str
    node: Node
    inputs: tuple[Place, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Scope:
    """The main graph, or one call of a function: `arguments` are tensors of the caller."""

    number: int
    path: str
    nodes: Mapping[str, Node]
    depth: int = 0
    function: Function | None = None
    arguments: Mapping[str, tuple[_Scope, str]] = field(default_factory=dict)


class Flattener:
    """Looks tensors up through calls, and lists nodes in an order in which they can run."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._scopes = [_Scope(0, "", graph.nodes)]
        self._calls: dict[Key, _Scope] = {}

    @property
    def main(self) -> _Scope:
        return self._scopes[0]

    def node(self, key: Key) -> Node:
        """The node of a key."""
        return self._scopes[key[0]].nodes[key[1]]

    def name(self, key: Key) -> str:
        """The node's name with those of the calls around it."""
        return self._scopes[key[0]].path + key[1]

    def place(self, tensor: str, scope: _Scope | None = None) -> Place:
        """The output that a tensor `node:index` of a scope is, calls and arguments followed.

        Raises UnreadableError where there is none, or only tensors that refer to each other.
        """
        scope = scope or self.main
        for _ in range(MAX_STEPS):
            name, index = _parsed(tensor, scope)
            if index > MAX_OUTPUTS:
                raise self._error(f"output {index} of '{name}'")
            if name in scope.arguments:
                scope, tensor = scope.arguments[name]
                continue
            node = scope.nodes.get(name)
            if node is None:
                raise self._error(f"the tensor '{tensor}' is written by no node")
            if not self._is_call(node) and self._branch(scope, node) is None:
                return Place((scope.number, name), index)
            scope = self.enter(scope, node)
            tensor = self._result(scope, node, index)
        raise self._error("functions whose results are each other")

    def inputs(self, key: Key) -> tuple[Place, ...]:
        """What a node reads."""
        scope = self._scopes[key[0]]
        node = scope.nodes[key[1]]
        if node.op in _BACK_EDGES:
            return ()
        return tuple(self.place(tensor, scope) for tensor in node.inputs)

    def _is_call(self, node: Node) -> bool:
        return node.op in _CALLS or node.op in self._graph.functions

    def _branch(self, scope: _Scope, node: Node) -> str | None:
        """The function of the branch that a tf.cond takes, None for other nodes and where that is
        only known when the graph runs."""
        if node.op not in _BRANCHES or not node.inputs:
            return None
        taken = self._decided(scope, node.inputs[0])
        return None if taken is None else node.function(f"{'then' if taken else 'else'}_branch")

    def _decided(self, scope: _Scope, tensor: str) -> bool | None:
        """A condition that is written in the file, or has a default there. Results of calls are
        not looked into: they may be branches again."""
        turned = False
        for _ in range(MAX_CONDITION):
            name = tensor.partition(":")[0]
            node = scope.nodes.get(name)
            if name in scope.arguments:
                scope, tensor = scope.arguments[name]
            elif node is not None and node.op == "Const":
                value = _truth(node)
                return None if value is None else value != turned
            elif node is not None and node.op in _CONDITIONS and node.inputs:
                turned ^= node.op == "LogicalNot"
                tensor = node.inputs[0]
            else:
                return None
        return None

    def _result(self, scope: _Scope, node: Node, index: int) -> str:
        function = scope.function
        assert function is not None, "a scope that was entered"
        if not 0 <= index < len(function.outputs):
            raise node.fail(f"the function {function.name} has no output {index}")
        name = function.outputs[index]
        if name not in function.results:
            raise node.fail(f"the function {function.name} does not return its '{name}'")
        return function.results[name]

    def enter(self, scope: _Scope, node: Node) -> _Scope:
        """The scope of a call, made once."""
        key = (scope.number, node.name)
        if key not in self._calls:
            self._calls[key] = self._entered(scope, node)
        return self._calls[key]

    def _entered(self, scope: _Scope, node: Node) -> _Scope:
        branch = self._branch(scope, node)
        name = branch or node.function("f") or node.op
        given = node.inputs if branch is None else node.inputs[1:]
        function = self._graph.functions.get(name)
        if function is None:
            raise node.fail(f"calls the function '{name}', which the file does not have")
        if scope.depth >= MAX_DEPTH or len(self._scopes) > MAX_CALLS:
            raise node.fail("functions that call each other without end")
        if len(function.arguments) > len(given):
            raise node.fail(f"calls '{name}' with {len(given)} arguments")
        pairs = zip(function.arguments, given, strict=False)
        made = _Scope(
            len(self._scopes),
            scope.path + _prefix(node),
            function.nodes,
            scope.depth + 1,
            function,
            {argument: (scope, tensor) for argument, tensor in pairs},
        )
        self._scopes.append(made)
        return made

    def order(self, outputs: Sequence[Place]) -> Iterator[FlatNode]:
        """The nodes that the outputs need, each after what it reads.

        Raises UnsupportedError for a loop.
        """
        done: set[Key] = set()
        open_nodes: set[Key] = set()
        for output in outputs:
            stack: list[tuple[Key, tuple[Place, ...], int]] = []
            self._visit(output.key, stack, done, open_nodes)
            while stack:
                key, inputs, at = stack.pop()
                if at < len(inputs):
                    stack.append((key, inputs, at + 1))
                    self._visit(inputs[at].key, stack, done, open_nodes)
                    continue
                open_nodes.discard(key)
                done.add(key)
                yield FlatNode(key, self.name(key), self.node(key), inputs)

    def _visit(
        self,
        key: Key,
        stack: list[tuple[Key, tuple[Place, ...], int]],
        done: set[Key],
        open_nodes: set[Key],
    ) -> None:
        if key in done:
            return
        if key in open_nodes:
            node = self.node(key)
            raise UnsupportedError(
                "a loop in the graph", path=self._graph.path, where=node.span, layer=node.name
            )
        if len(done) + len(stack) > MAX_NODES:
            raise self._error(f"more than {MAX_NODES} nodes")
        open_nodes.add(key)
        stack.append((key, self.inputs(key), 0))

    def _error(self, message: str) -> UnreadableError:
        return UnreadableError(message, path=self._graph.path)


def _truth(constant: Node) -> bool | None:
    """The value of a constant that is one bool, None for others."""
    tensor = constant.tensor("value")
    if tensor is None or tensor.shape != () or tensor.dtype.name != "bool":
        return None
    return bool(tensor.native())


def _parsed(tensor: str, scope: _Scope) -> tuple[str, int]:
    """(node, index): `node` or `node:index` in a graph, `node:output:index` in a function."""
    name, _, rest = tensor.partition(":")
    if not rest:
        return name, 0
    output, _, number = rest.rpartition(":")
    if number.isdecimal() and len(number) < 9:
        first = int(number)
    else:
        output, first = number, 0
    node = scope.nodes.get(name)
    names = OUTPUT_NAMES.get(node.op, ()) if node is not None else ()
    return name, first + (names.index(output) if output in names else 0)


def _prefix(node: Node) -> str:
    """What stands before the names of a call's nodes: the call's own name, without a last part
    that only says that it is a call."""
    before, _, last = node.name.rpartition("/")
    if last.rstrip("0123456789").rstrip("_") in _CALLS:
        return f"{before}/" if before else ""
    return f"{node.name}/"
