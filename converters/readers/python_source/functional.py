"""Functional models of Keras in straight lines of code: which call reads which results.

Only what surely runs, once and in this order, is followed: a name that a branch, a loop, a `with`
or another function may bind stands for nothing from there on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from upconv.converters.readers.python_source.calls import Site, Sites, last_name
from upconv.converters.readers.python_source.keras_layers import MERGES
from upconv.converters.readers.python_source.signatures import Signature, signature_of
from upconv.converters.readers.python_source.text import Fragment

MAX_DEPTH: Final = 60
MAX_USES: Final = 10_000

ENTRY: Final = "keras.layers.Input"
_MENTION: Final = re.compile(r"\bInput[ \t]*\(")
_SETS_FORMAT: Final = re.compile(
    r"\bset_image_(?:data_format|dim_ordering)\b(?![ \t]*\([ \t]*['\"](?:channels_last|tf)['\"])"
)
"""What changes the order of axes of all layers that do not say theirs."""

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_SIMPLE: Final = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)
_EXITS: Final = frozenset({"exit", "quit", "_exit", "abort"})


@dataclass(frozen=True, slots=True)
class Use:
    """An Input, or one call of a layer on tensors. `site` is the call that has its settings,
    `inputs` are the numbers of the uses whose results it reads."""

    site: Site
    signature: Signature
    inputs: tuple[int, ...]


Known: TypeAlias = "int | Site | None"
"""The number of a use, for its result; the call that makes a layer, for the layer; else None."""


def functional_models(sites: Sites, fragments: Sequence[Fragment]) -> Iterator[tuple[Use, ...]]:
    """The uses of each module, notebook's cell and function that has an Input, in their order."""
    if any(_SETS_FORMAT.search(fragment.code) for fragment in fragments):
        return
    mentioning = [fragment.tree for fragment in fragments if _MENTION.search(fragment.code)]
    if not mentioning:
        return
    trees = [fragment.tree for fragment in fragments]
    shared = {name for tree in trees for node in ast.walk(tree)
              if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}  # fmt: skip
    for tree in mentioning:
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]
        for body in (tree.body, *bodies):
            block = _Block(sites, frozenset(shared))
            block.run(body)
            if any(use.signature.path == ENTRY for use in block.uses):
                yield tuple(block.uses)


@dataclass(slots=True)
class _Block:
    """Statements that run one after another, and what the names bound by them stand for.

    `shared` are names that another function of the file may bind.
    """

    sites: Sites
    shared: frozenset[str]
    uses: list[Use] = field(default_factory=list)
    known: dict[str, int | Site] = field(default_factory=dict)

    def run(self, body: Iterable[ast.stmt]) -> None:
        """Follow the statements up to where it is open whether the next one runs."""
        for statement in body:
            inside = list(_inside(statement))
            simple = isinstance(statement, _SIMPLE)
            if simple and not any(isinstance(node, ast.NamedExpr) for node in inside):
                self.simple(statement, inside)
            else:
                self.forget(inside)
            if any(map(_leaves, inside)):
                return

    def simple(self, statement: ast.stmt, inside: Iterable[ast.AST]) -> None:
        value = getattr(statement, "value", None)
        found = self.value(value, 0) if value is not None else None
        self.forget(inside)
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name) and found is not None and target.id not in self.shared:
                self.known[target.id] = found

    def forget(self, inside: Iterable[ast.AST]) -> None:
        """What these nodes bind, or change in place, is known no more."""
        for node in inside:
            for name in _bound(node):
                self.known.pop(name, None)

    def value(self, node: ast.expr, depth: int) -> Known:
        """What an expression stands for; the calls in it are entered on the way."""
        if depth > MAX_DEPTH:
            return None
        match node:
            case ast.Name(id=name):
                return self.known.get(name)
            case ast.Call():
                return self.call(node, depth + 1)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                for item in items:
                    self.value(item, depth + 1)
        return None

    def call(self, node: ast.Call, depth: int) -> Known:
        layer = self.value(node.func, depth) if isinstance(node.func, ast.Call | ast.Name) else None
        site = layer if isinstance(layer, Site) else self.sites.by_node.get(id(node))
        signature = signature_of(site.names) if site is not None else None
        if site is None or signature is None or signature.framework != "keras":
            for one in (*node.args, *(keyword.value for keyword in node.keywords)):
                self.value(one, depth)
            return None
        if signature.path == ENTRY:
            return self.enter(Use(site, signature, ()))
        if isinstance(layer, Site) or signature.path in _MERGING_FUNCTIONS:
            inputs = self.tensors(node, depth, isinstance(layer, Site))
            return self.enter(Use(site, signature, inputs)) if inputs else None
        return site

    def enter(self, use: Use) -> int | None:
        if len(self.uses) >= MAX_USES:
            return None
        self.uses.append(use)
        return len(self.uses) - 1

    def tensors(self, node: ast.Call, depth: int, alone: bool) -> tuple[int, ...]:
        """The uses whose results a call reads, () where they are not all known; `alone`: it takes
        nothing else that matters."""
        others = [one.arg for one in node.keywords if one.arg != "training"]
        if not node.args or (alone and (len(node.args) > 1 or others)):
            return ()
        first = node.args[0]
        items = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
        found = [self.value(item, depth) for item in items]
        numbers = tuple(one for one in found if isinstance(one, int))
        return numbers if len(numbers) == len(found) else ()


_MERGING_FUNCTIONS: Final = frozenset(path for path in MERGES if path.rpartition(".")[2].islower())
"""`concatenate([a, b])`, which makes the layer and calls it."""


def _inside(statement: ast.stmt) -> Iterator[ast.AST]:
    """The statement and all in it, but what functions and classes defined in it hold."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def _leaves(node: ast.AST) -> bool:
    """Whether what follows a node may never run."""
    exits = isinstance(node, ast.Call) and last_name(node.func) in _EXITS
    return exits or isinstance(node, ast.Return | ast.Raise)


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that one node binds anew, or whose value it changes in place."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias():
            yield node.asname or node.name.partition(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
