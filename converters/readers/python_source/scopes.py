"""Which names are bound where, and what modules and functions they stand for.

Only what can be proved counts: a name is a constant where its scope binds it exactly once, and
never where it is a parameter, a loop's variable or changed in place.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

MAX_ALIASES: Final = 12

Kind: TypeAlias = Literal["module", "class", "function", "expression"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One place that binds a name: to an expression, to something imported, or to neither.

    `what` says in words what a name is that has no fixed value ("a parameter").
    """

    value: ast.expr | None = None
    imported: str = ""
    what: str = ""


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function, lambda or comprehension, with the names bound in it."""

    kind: Kind
    name: str = ""
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    outer_names: dict[str, Scope] = field(default_factory=dict)

    def bind(self, name: str, binding: Binding) -> None:
        """Enter one more place that binds a name here, or where `global` says it belongs."""
        home = self.outer_names.get(name, self)
        home.bindings.setdefault(name, []).append(binding)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope that binds a name seen from here, and its bindings; class bodies are not
        seen from the functions in them."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and (scope is self or scope.kind != "class"):
                return scope, scope.bindings[name]
            scope = scope.parent
        return None

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


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """An expression or statement, its scope, and the statement it belongs to.

    `plain` is whether that statement runs exactly once when its scope does: it stands in no
    branch, loop or handler of errors.
    """

    node: ast.AST
    scope: Scope
    statement: ast.stmt | None
    plain: bool


_CONDITIONAL: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def walk(tree: ast.Module, module: Scope) -> Iterator[Visit]:
    """Every node of a tree in the order of the text, its names entered into scopes on the way.

    What is yielded must be looked up only after the walk has ended: names may be bound later.
    """
    stack = [Visit(node, module, None, True) for node in reversed(tree.body)]
    while stack:
        visit = stack.pop()
        yield visit
        stack.extend(reversed(list(_children(visit))))


def _children(visit: Visit) -> Iterable[Visit]:
    node, scope = visit.node, visit.scope
    if isinstance(node, _FUNCTIONS):
        return _function(visit, node)
    if isinstance(node, ast.Lambda):
        inner = _inner(scope, "expression", "", node.args)
        return [
            *_plain(visit, _defaults(node.args)),
            Visit(node.body, inner, visit.statement, False),
        ]
    if isinstance(node, ast.ClassDef):
        scope.bind(node.name, Binding(what="a class"))
        inner = Scope("class", node.name, scope)
        before = [*node.decorator_list, *node.bases, *node.keywords]
        return [*_plain(visit, before), *(Visit(n, inner, None, True) for n in node.body)]
    if isinstance(node, _COMPREHENSIONS):
        inner = Scope("expression", "", scope)
        return [Visit(n, inner, visit.statement, False) for n in ast.iter_child_nodes(node)]
    _enter(node, scope)
    plain = visit.plain and not isinstance(node, _CONDITIONAL)
    statement = node if isinstance(node, ast.stmt) else visit.statement
    return [Visit(n, scope, statement, plain) for n in ast.iter_child_nodes(node)]


def _plain(visit: Visit, nodes: Iterable[ast.AST]) -> Iterator[Visit]:
    return (Visit(node, visit.scope, visit.statement, visit.plain) for node in nodes)


def _function(visit: Visit, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Visit]:
    visit.scope.bind(node.name, Binding(what="a function"))
    inner = _inner(visit.scope, "function", node.name, node.args)
    before = [*node.decorator_list, *_defaults(node.args)]
    return [*_plain(visit, before), *(Visit(n, inner, None, True) for n in node.body)]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]


def _inner(outer: Scope, kind: Kind, name: str, arguments: ast.arguments) -> Scope:
    inner = Scope(kind, name, outer)
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    for argument in names:
        inner.bind(argument.arg, Binding(what="a parameter"))
    return inner


def _enter(node: ast.AST, scope: Scope) -> None:
    """Enter the names that one statement or expression binds."""
    enter = _ENTER.get(type(node))
    if enter is not None:
        enter(node, scope)


def _enter_import(node: Any, scope: Scope) -> None:
    for alias in node.names:
        path = alias.name if alias.asname else alias.name.partition(".")[0]
        scope.bind(alias.asname or path, Binding(imported=path))


def _enter_from(node: Any, scope: Scope) -> None:
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(module)
        else:
            path = f"{module}.{alias.name}" if not module.endswith(".") else module + alias.name
            scope.bind(alias.asname or alias.name, Binding(imported=path))


def _enter_outer(node: Any, scope: Scope) -> None:
    home = _module_of(scope) if isinstance(node, ast.Global) else _function_around(scope)
    scope.outer_names.update(dict.fromkeys(node.names, home))


def _enter_assignment(node: Any, scope: Scope) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if node.value is not None:
            _assign(target, node.value, scope)


def _loses(what: str) -> Callable[[Any, Scope], None]:
    """What a statement binds to a value that is not fixed."""

    def enter(node: Any, scope: Scope) -> None:
        targets = node.targets if isinstance(node, ast.Delete) else [node.target]
        for target in targets:
            _lose(target, scope, what)

    return enter


def _enter_with(node: Any, scope: Scope) -> None:
    if node.optional_vars is not None:
        _lose(node.optional_vars, scope, "not constant")


def _enter_name(node: Any, scope: Scope) -> None:
    name = node.rest if isinstance(node, ast.MatchMapping) else node.name
    if name is not None:
        scope.bind(name, Binding(what="not constant"))


_ENTER: Final[dict[type, Callable[[Any, Scope], None]]] = {
    ast.Import: _enter_import,
    ast.ImportFrom: _enter_from,
    ast.Global: _enter_outer,
    ast.Nonlocal: _enter_outer,
    **dict.fromkeys((ast.Assign, ast.AnnAssign, ast.NamedExpr), _enter_assignment),
    **dict.fromkeys((ast.For, ast.AsyncFor, ast.comprehension), _loses("a loop's variable")),
    ast.AugAssign: _loses("changed in place"),
    ast.Delete: _loses("deleted"),
    ast.withitem: _enter_with,
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping), _enter_name),
}


def _assign(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        scope.bind(target.id, Binding(value))
        return
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        starred = any(isinstance(one, ast.Starred) for one in (*target.elts, *value.elts))
        if not starred and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                _assign(one, other, scope)
            return
    _lose(target, scope, "not constant")


def _lose(target: ast.expr, scope: Scope, what: str) -> None:
    """The names of a target have no fixed value. A subscript or attribute changes its base."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            scope.bind(node.id, Binding(what=what))
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            scope.bind(node.value.id, Binding(what="changed in place"))


def _module_of(scope: Scope) -> Scope:
    while scope.parent is not None:
        scope = scope.parent
    return scope


def _function_around(scope: Scope) -> Scope:
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
