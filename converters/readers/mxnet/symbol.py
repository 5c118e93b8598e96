"""A symbol in JSON: its nodes, in whatever version's words, and the order they run in.

The layout is nnvm's (3rdparty/tvm/nnvm/src/pass/saveload_json.cc), and what 0.8 wrote before it
(legacy_json_util.cc): operator parameters in `param` and the user's in `attr`; later both in `attr`
(0.9) or `attrs` (1.0 on).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, TypeAlias

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.source import Source, Span
from upconv.converters.readers.files.json_spans import JsonObject, parse_json

Place: TypeAlias = tuple[int, int]
"""(node, which of its outputs)."""

VARIABLE: Final = "null"
FUSED: Final = ("_sg_mkldnn_", "_sg_onednn_")
"""How operators begin that hold a graph for oneDNN."""
_MOST_HEADS: Final = 1 << 12
_USERS: Final = re.compile(
    r"__.*__|(?:.*_)?(?:lr_mult|wd_mult|ctx_group|force_mirroring|mirror_stage|profiler_scope)"
)
"""Attributes of the user's, which no operator reads."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: an operator and its attributes, or a variable (`null`). `written` is the object in
    the file, `settings` that inside of it where the operator's attributes stand."""

    op: str
    name: str
    inputs: tuple[Place, ...]
    attributes: Mapping[str, str]
    users: Mapping[str, str]
    written: JsonObject
    settings: JsonObject


@dataclass(frozen=True, slots=True)
class Symbol:
    """A graph: its nodes, its outputs, and MXNet's version as 10901 for 1.9.1 (800 for 0.8)."""

    nodes: tuple[Node, ...]
    heads: tuple[Place, ...]
    version: int
    span: Span

    def order(self, reads: Mapping[str, int]) -> Iterator[int]:
        """The numbers of the nodes that the outputs need, each behind what it reads; of operators
        in `reads` only so many inputs are.

        Raises UnreadableError where a node needs its own output.
        """
        begun: set[int] = set()
        done: set[int] = set()
        waiting = [index for index, _ in reversed(self.heads)]
        while waiting:
            index = waiting[-1]
            node = self.nodes[index]
            before = [at for at, _ in node.inputs[: reads.get(node.op)] if at not in done]
            if index in done or not before:
                waiting.pop()
                if index not in done:
                    done.add(index)
                    yield index
            elif index in begun:
                raise UnreadableError(
                    "needs its own output", where=node.written.span, layer=node.name
                )
            else:
                begun.add(index)
                waiting += reversed(before)


def read_symbol(source: Source) -> Symbol:
    """The symbol in a JSON text; raises UnreadableError where there is none."""
    outer = parse_json(source)
    if not isinstance(outer, JsonObject) or "arg_nodes" not in outer:
        raise UnreadableError("JSON, but no symbol of MXNet", path=source.path)
    listed = outer.list("nodes")
    nodes = [_node(one, at, len(listed), outer) for at, one in enumerate(listed)]
    for index, node in enumerate(nodes):  # which become more on the way
        if node.op.startswith(FUSED):
            nodes[index] = _written_out(node, nodes)
    heads = tuple(_places(outer.get("heads"), len(listed), outer))
    if not 0 < len(heads) <= _MOST_HEADS:
        _fail(f"a symbol with {len(heads)} outputs (heads)", outer)
    return Symbol(tuple(nodes), heads, _version(outer), outer.span)


def _written_out(node: Node, nodes: list[Node]) -> Node:
    """The graph inside of a node of oneDNN's, whose variables are the node's inputs, behind the
    other nodes; the node then passes on what it makes."""
    graph = next(iter(node.written.list("subgraphs")), None)
    listed = graph.list("nodes") if isinstance(graph, JsonObject) else []
    inner = [_node(one, at, len(listed), node.written) for at, one in enumerate(listed)]
    variables = [at for at, one in enumerate(inner) if one.op == VARIABLE]
    others = [at for at, one in enumerate(inner) if one.op != VARIABLE]
    if not isinstance(graph, JsonObject) or len(variables) > len(node.inputs):
        _fail(f"no graph with the inputs of '{node.name:.50}' inside of it", node.written)
    fed = dict(zip(variables, node.inputs, strict=False))
    number = {at: len(nodes) + place for place, at in enumerate(others)}

    def outside(place: Place) -> Place:
        return fed.get(place[0]) or (number[place[0]], place[1])

    for at in others:
        nodes.append(replace(inner[at], inputs=tuple(map(outside, inner[at].inputs))))
    ends = tuple(map(outside, _places(graph.get("heads"), len(listed), graph)))
    kept = {key: text for key, text in node.attributes.items() if key == "quantized"}
    return replace(node, inputs=ends, attributes=kept)


def _fail(message: str, where: JsonObject, name: str = "") -> NoReturn:
    raise UnreadableError(f"no symbol of MXNet: {message}", where=where.span_of(name))


def _version(outer: JsonObject) -> int:
    attributes = outer.object("attrs")
    stated = attributes.list("mxnet_version") if attributes is not None else []
    return stated[1] if len(stated) == 2 and type(stated[1]) is int else 800


def _node(node: Any, index: int, count: int, outer: JsonObject) -> Node:
    if not isinstance(node, JsonObject) or not node.text("op"):
        _fail(f"node {index} has no op", node if isinstance(node, JsonObject) else outer)
    param, name = node.object("param"), node.text("name") or f"{node.text('op')}#{index}"
    own = param or node.object("attrs") or node.object("attr") or node
    texts = {} if own is node else _texts(own)
    users = _texts(node.object("attr")) if param is not None and node.object("attr") else {}
    users |= {key: text for key, text in texts.items() if _USERS.fullmatch(key)}
    plain = {key: text for key, text in texts.items() if key not in users or own is param}
    inputs = tuple(_places(node.get("inputs"), count, node))
    return Node(node.text("op"), name, inputs, plain, users, node, own)


def _texts(settings: JsonObject | None) -> dict[str, str]:
    found = dict(settings.values) if settings is not None else {}
    for key, text in found.items():
        if not isinstance(text, str) and settings is not None:
            _fail(f"the attribute {key:.50} is no text", settings, key)
    return found


def _places(listed: Any, count: int, where: JsonObject) -> Iterator[Place]:
    """Pairs of a node and its output, behind which a version may stand."""
    if not isinstance(listed, list):
        _fail("no list of inputs" if "op" in where else "no list of heads", where)
    for one in listed:
        sound = isinstance(one, list) and len(one) in (2, 3) and all(type(n) is int for n in one)
        if not sound or not (0 <= one[0] < count and 0 <= one[1] < 1 << 16):
            _fail(f"an input that is no output of a node: {str(one)[:50]}", where, "inputs")
        yield one[0], one[1]


def used_outputs(nodes: Sequence[Node], heads: Sequence[Place]) -> dict[int, int]:
    """Node -> how many of its outputs somebody reads, counted up to the last of them."""
    used: dict[int, int] = {}
    for index, output in (*heads, *(place for node in nodes for place in node.inputs)):
        used[index] = max(used.get(index, 0), output + 1)
    return used
