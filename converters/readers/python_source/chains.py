"""Sequential models written as lists of layers: which calls follow which."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from upconv.converters.readers.python_source.calls import Site, Sites, last_name
from upconv.converters.readers.python_source.scopes import Scope
from upconv.converters.readers.python_source.signatures import canonical

MAX_DEPTH: Final = 8
MAX_SPREAD: Final = 3
MAX_ELEMENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Link:
    """One element of a Sequential: its name in it, and its call; None where that is no call that
    is read, or does not always run."""

    name: str
    site: Site | None


@dataclass(frozen=True, slots=True)
class Chain:
    """The elements of one Sequential in order, nested ones flattened."""

    site: Site
    links: tuple[Link, ...]


def chains(sites: Sites) -> list[Chain]:
    """The outermost Sequentials of a file."""
    nested: set[int] = set()
    found = []
    for site in sites.sequentials:
        if id(site.node) in nested:
            continue
        links = tuple(_links(site, sites, nested, "", MAX_DEPTH))
        found.append(Chain(site, links))
    return [chain for chain in found if id(chain.site.node) not in nested]


def _links(site: Site, sites: Sites, nested: set[int], prefix: str, budget: int) -> Iterator[Link]:
    elements = list(_elements(site))
    for name, node in elements:
        yield from _link(f"{prefix}{name}", node, sites, nested, budget)
    for index, added in enumerate(_added(site, sites), start=len(elements)):
        node = added.node.args[0] if len(added.node.args) == 1 and added.visit.plain else None
        yield from _link(f"{prefix}{index}", node, sites, nested, budget)


def _link(
    name: str, node: ast.expr | None, sites: Sites, nested: set[int], budget: int
) -> Iterator[Link]:
    node = _normalized(node)
    site = sites.by_node.get(id(node)) if node is not None else None
    if site is not None and budget and _is_sequential(site):
        nested.add(id(site.node))
        yield from _links(site, sites, nested, f"{name}.", budget - 1)
    else:
        yield Link(name, site)


def _normalized(node: ast.expr | None) -> ast.expr | None:
    """The layer in `spectral_norm(layer)`, which has the layer's own sizes."""
    match node:
        case ast.Call(func=function, args=[inner, *_]) if last_name(function) in _NORMALIZING:
            return inner
    return node


_NORMALIZING: Final = frozenset({"spectral_norm", "weight_norm"})
"""Functions of torch.nn.utils, and of its parametrizations, that return the layer they take."""


def _is_sequential(site: Site) -> bool:
    return any(canonical(name).endswith(".Sequential") for name in site.names)


def _elements(site: Site) -> Iterator[tuple[str, ast.expr | None]]:
    """(name, expression) of the elements that are written in the call itself."""
    arguments = site.node.args
    layers = [one.value for one in site.node.keywords if one.arg == "layers"]
    if len(arguments) == 1 and not layers:
        arguments, named = _unwrapped(arguments[0])
        if named is not None:
            yield from named
            return
    elif layers:
        arguments, _ = _unwrapped(layers[0])
    spread = _spread(arguments, site.visit.scope, MAX_SPREAD)
    for index, one in enumerate(islice(spread, MAX_ELEMENTS)):
        yield str(index), one


def _spread(arguments: Sequence[ast.expr], scope: Scope, budget: int) -> Iterator[ast.expr | None]:
    """The arguments with `*[a, b]` taken apart; None for `*x` where x is no list of this file."""
    for one in arguments:
        elements = _list_of(one.value, scope) if isinstance(one, ast.Starred) and budget else None
        if elements is not None:
            yield from _spread(elements, scope, budget - 1)
        else:
            yield None if isinstance(one, ast.Starred) else one


def _list_of(node: ast.expr, scope: Scope) -> Sequence[ast.expr] | None:
    """The elements of a list that is written here, or is what a name bound once stands for."""
    if isinstance(node, ast.Name):
        found = scope.lookup(node.id)
        value = found[1][0].value if found is not None and len(found[1]) == 1 else None
        node = value if value is not None else node
    return node.elts if isinstance(node, ast.List | ast.Tuple) else None


def _unwrapped(
    argument: ast.expr,
) -> tuple[list[ast.expr], list[tuple[str, ast.expr | None]] | None]:
    """The elements of a list, or the named ones of an OrderedDict of pairs."""
    if isinstance(argument, ast.List | ast.Tuple):
        return argument.elts, None
    if (
        isinstance(argument, ast.Call)
        and argument.args
        and last_name(argument.func) == "OrderedDict"
    ):
        inner = argument.args[0]
        rows = inner.elts if isinstance(inner, ast.List | ast.Tuple) else []
        return [], [_named(index, row) for index, row in enumerate(rows)]
    return [argument], None


def _named(index: int, row: ast.expr) -> tuple[str, ast.expr | None]:
    if isinstance(row, ast.Tuple) and len(row.elts) == 2:
        key, value = row.elts
        name = key.value if isinstance(key, ast.Constant) else index
        return str(name), value
    return str(index), None


def _added(site: Site, sites: Sites) -> list[Site]:
    """The calls `model.add(...)` on the variable that holds the Sequential, in order."""
    target = site.target
    if not isinstance(target, ast.Name):
        return []
    scope = site.visit.scope
    found = scope.lookup(target.id)
    if found is None or found[0] is not scope or len(found[1]) != 1:
        return []
    return [
        one
        for one in sites.methods
        if one.visit.scope is scope
        and isinstance(one.node.func, ast.Attribute)
        and isinstance(one.node.func.value, ast.Name)
        and one.node.func.value.id == target.id
    ]
