"""A walk over a syntax tree that enters every name into its scope on the way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from upconv.converters.readers.python_source.scopes import (
    PARAMETER,
    Binding,
    Kind,
    Scope,
    Store,
    function_around,
    module_of,
)


class Visit(NamedTuple):
    """An expression or statement, its scope, and the statement it belongs to.

    `plain` is whether that statement runs exactly once when its scope does: it stands in no
    branch, loop or handler of errors. A tuple, since there are millions of them.
    """

    node: ast.AST
    scope: Scope
    statement: ast.stmt | None
    plain: bool


_CONDITIONAL: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def walk(tree: ast.Module, module: Scope) -> Iterator[Visit]:
    """The nodes of a tree in the order of the text, its names entered into scopes on the way;
    not those that hold no others, and bind nothing.

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
        return [Visit(n, inner, visit.statement, False) for n in _inside(node)]
    _enter(node, scope)
    plain = visit.plain and not isinstance(node, _CONDITIONAL)
    statement = node if isinstance(node, ast.stmt) else visit.statement
    return [Visit(n, scope, statement, plain) for n in _inside(node)]


_LEAVES: Final = frozenset(
    {ast.Load, ast.Store, ast.Del, ast.Name, ast.Constant, ast.alias, ast.Pass, ast.Break}
    | {*ast.operator.__subclasses__(), *ast.unaryop.__subclasses__()}
    | {*ast.cmpop.__subclasses__(), *ast.boolop.__subclasses__()}
)
"""Two nodes of three: what a walk for calls and bindings need not visit. Names are bound by the
statements around them."""


def _inside(node: ast.AST) -> list[ast.AST]:
    """The nodes right below a node, but leaves."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, ast.AST) and type(one) not in _LEAVES:
                found.append(one)
    return found


def _plain(visit: Visit, nodes: Iterable[ast.AST]) -> Iterator[Visit]:
    return (Visit(node, visit.scope, visit.statement, visit.plain) for node in nodes)


def _function(visit: Visit, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Visit]:
    visit.scope.bind(node.name, Binding(what="a function"))
    inner = _inner(visit.scope, "function", node.name, node.args)
    inner.definition = node
    before = [*node.decorator_list, *_defaults(node.args)]
    return [*_plain(visit, before), *(Visit(n, inner, None, True) for n in node.body)]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]


def _inner(outer: Scope, kind: Kind, name: str, arguments: ast.arguments) -> Scope:
    inner = Scope(kind, name, outer)
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    for argument in names:
        inner.bind(argument.arg, Binding(what=PARAMETER))
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
    home = module_of(scope) if isinstance(node, ast.Global) else function_around(scope)
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


_CHANGING: Final = frozenset(
    {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}
    | {"popitem", "setdefault", "update"}
)
"""Methods of a list or a dictionary that change it."""


def _enter_call(node: Any, scope: Scope) -> None:
    """A method that changes a list or a dictionary in place."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
        _change(node.func.value, scope)


_ENTER: Final[dict[type, Callable[[Any, Scope], None]]] = {
    ast.Import: _enter_import,
    ast.ImportFrom: _enter_from,
    ast.Global: _enter_outer,
    ast.Nonlocal: _enter_outer,
    **dict.fromkeys((ast.Assign, ast.AnnAssign, ast.NamedExpr), _enter_assignment),
    **dict.fromkeys((ast.For, ast.AsyncFor, ast.comprehension), _loses("a loop's variable")),
    ast.Call: _enter_call,
    ast.AugAssign: _loses("changed in place"),
    ast.Delete: _loses("deleted"),
    ast.withitem: _enter_with,
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping), _enter_name),
}


def _assign(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        scope.bind(target.id, Binding(value))
        return
    if isinstance(target, ast.Attribute):
        _store(target, value, scope)
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
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            _store(node, None, scope)
        elif isinstance(node, ast.Subscript):
            _change(node.value, scope)


def _store(target: ast.Attribute, value: ast.expr | None, scope: Scope) -> None:
    base = target.value.id if isinstance(target.value, ast.Name) else ""
    module_of(scope).stores.setdefault(target.attr, []).append(Store(scope, base, value))


def _change(node: ast.expr, scope: Scope) -> None:
    """What a name or attribute stands for is changed in place."""
    if isinstance(node, ast.Name):
        scope.bind(node.id, Binding(what="changed in place"))
    elif isinstance(node, ast.Attribute):
        _store(node, None, scope)
