"""Which names are bound where, and what modules and functions they stand for.

Only what can be proved counts: a name is a constant where its scope binds it exactly once, and
never where it is a parameter, a loop's variable or changed in place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

MAX_ALIASES: Final = 12
MAX_BINDINGS: Final = 100
"""Places that bind a name, of which each may be what it stands for; with more, it may be anything.
A notebook's cells import the same again and again, which counts once."""

PARAMETER: Final = "a parameter"

Kind: TypeAlias = Literal["module", "class", "function", "expression"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One place that binds a name: to an expression, to something imported, or to neither.

    `what` says in words what a name is that has no fixed value ("a parameter").
    """

    value: ast.expr | None = None
    imported: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """One place that sets an attribute: the scope it stands in, of which name's value it is an
    attribute ("" for other expressions), and the value, None where that is not fixed."""

    scope: Scope
    base: str
    value: ast.expr | None = None


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function, lambda or comprehension, with the names bound in it.

    `stores`, of a module, are all places in it that set an attribute of that name. `definition` is
    the statement that makes a function.
    """

    kind: Kind
    name: str = ""
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    outer_names: dict[str, Scope] = field(default_factory=dict)
    stores: dict[str, list[Store]] = field(default_factory=dict)
    definition: ast.FunctionDef | ast.AsyncFunctionDef | None = None

    def bind(self, name: str, binding: Binding) -> None:
        """Enter one more place that binds a name here, or where `global` says it belongs."""
        home = self.outer_names.get(name, self)
        found = home.bindings.setdefault(name, [])
        if not binding.imported or binding not in found[:MAX_BINDINGS]:
            found.append(binding)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope that binds a name seen from here, and its bindings; class bodies are not
        seen from the functions in them."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and (scope is self or scope.kind != "class"):
                return scope, scope.bindings[name]
            scope = scope.parent
        return None

    def own_attribute(self, name: str) -> Store | None:
        """Where `self.name` of the class around gets its one value; None where there is none, or
        where anything else in the module sets an attribute of that name."""
        stores = module_of(self).stores.get(name, [])
        klass = class_around(self)
        if len(stores) != 1 or klass is None or name in klass.bindings:
            return None
        store = stores[0]
        mine = store.base == "self" and class_around(store.scope) is klass
        return store if mine and store.value is not None else None

    @property
    def path(self) -> str:
        """The names of the classes and functions around, joined by dots."""
        names = []
        scope: Scope | None = self
        while scope is not None:
            if scope.name:
                names.append(scope.name)
            scope = scope.parent
        return ".".join(reversed(names))

    def star_modules(self) -> Iterator[str]:
        """The modules whose every name is imported, seen from here."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.stars
            scope = scope.parent


def module_of(scope: Scope) -> Scope:
    """The scope that all others lie in."""
    while scope.parent is not None:
        scope = scope.parent
    return scope


def class_around(scope: Scope) -> Scope | None:
    """The class whose method a scope is, or stands in."""
    inner: Scope | None = scope
    while inner is not None and inner.kind != "class":
        inner = inner.parent
    return inner


def function_around(scope: Scope) -> Scope:
    """Where `nonlocal` takes a name from: the next function outwards, else the module."""
    outer = scope.parent
    while outer is not None and outer.parent is not None and outer.kind != "function":
        outer = outer.parent
    return outer or scope


def dotted_names(node: ast.expr, scope: Scope) -> tuple[str, ...]:
    """What an expression such as `nn.Upsample` may stand for, as dotted paths of modules.

    More than one where a name is imported in several ways (`try: ... except ImportError:`).
    """
    return tuple(dict.fromkeys(_dotted(node, scope, MAX_ALIASES)))


def _dotted(node: ast.expr, scope: Scope, budget: int) -> list[str]:
    rest: list[str] = []
    while isinstance(node, ast.Attribute) and len(rest) < MAX_ALIASES:
        rest.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not budget:
        return []
    tail = "".join(f".{name}" for name in reversed(rest))
    return [f"{base}{tail}" for base in _bases(node.id, scope, budget)]


def _bases(name: str, scope: Scope, budget: int) -> list[str]:
    found = scope.lookup(name)
    if found is None:
        return [f"{module}.{name}" for module in scope.star_modules()]
    home, bindings = found
    if len(bindings) > MAX_BINDINGS:
        return []
    imported = [one.imported for one in bindings if one.imported]
    if len(imported) == len(bindings):
        return imported
    if len(bindings) == 1 and bindings[0].value is not None:
        return _dotted(bindings[0].value, home, budget - 1)
    if imported and all(one.imported or _is_none(one.value) for one in bindings):
        return imported
    return []


def _is_none(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
