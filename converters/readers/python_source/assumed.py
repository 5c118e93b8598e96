"""What parameters and `**options` are worth, as far as defaults and this file's own calls say it.

Neither is proof: another file may call with other values. What is found so is said with its reason,
and only where every call in the file that decides it agrees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from upconv.converters.readers.python_source.scopes import Scope, class_around
from upconv.converters.readers.python_source.values import NotConstantError, evaluate

MAX_NESTING: Final = 8
MAX_SITES: Final = 200
MAX_TRIALS: Final = 20_000
"""Values of parameters that are tried for one file: functions may call each other many times."""

Placed: TypeAlias = tuple[ast.expr, Scope]
"""An expression and the scope it stands in."""

Entry: TypeAlias = tuple[str, ast.expr, Scope]
"""A keyword argument of a dictionary: name, value, and the value's scope."""


@dataclass(slots=True)
class Callers:
    """The calls in a file of its own functions, by the function's scope.

    `trials` counts what was tried of parameters, `sizes` what functions call the size of a filter.
    """

    by_function: dict[object, list[Placed]] = field(default_factory=dict)
    trials: int = 0
    sizes: dict[int, tuple[str, int] | None] = field(default_factory=dict)

    def enter(self, node: ast.Call, scope: Scope) -> None:
        """Note one call: of a name, or of `self.method`."""
        key: object = None
        if isinstance(node.func, ast.Name):
            found = scope.lookup(node.func.id)
            key = (id(found[0]), node.func.id) if found is not None else None
        elif isinstance(node.func, ast.Attribute) and _is_self(node.func.value):
            klass = class_around(scope)
            key = (id(klass), node.func.attr) if klass is not None else None
        if key is not None:
            self.by_function.setdefault(key, []).append((node, scope))

    def of(self, function: Scope) -> list[Placed]:
        """The calls of a function; of `__init__`, those of its class."""
        holder = function.parent
        if function.name == "__init__" and holder is not None and holder.parent is not None:
            return self.by_function.get((id(holder.parent), holder.name), [])
        return self.by_function.get((id(holder), function.name), [])


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


@dataclass(slots=True)
class Assumptions:
    """Evaluates with parameters; `notes` say what was assumed, in the order it was met."""

    callers: Callers
    notes: list[str] = field(default_factory=list)
    _open: list[tuple[int, str]] = field(default_factory=list)

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """What an expression is worth.

        Raises NotConstantError where neither the file, nor a default, nor a call in it decides it.
        """
        try:
            return evaluate(node, scope)
        except NotConstantError:
            return evaluate(node, scope, self._parameter)

    def _parameter(self, function: Scope, name: str) -> Any:
        key = (id(function), name)
        if key in self._open or len(self._open) >= MAX_NESTING or function.definition is None:
            raise NotConstantError(f"'{name}' is a parameter")
        self._open.append(key)
        try:
            value, how = self._agreed(function, name)
        finally:
            self._open.pop()
        note = f"'{name}' is {value!r} {how}"
        if note not in self.notes:
            self.notes.append(note)
        return value

    def _agreed(self, function: Scope, name: str) -> tuple[Any, str]:
        """The one value of a parameter, and where it stands."""
        assert function.definition is not None
        default = _default(function.definition.args, name)
        home = function.parent or function
        calls = self.callers.of(function)[:MAX_SITES]
        given = [self._given(function, name, *call) for call in calls] or [None]
        values: list[tuple[Any, str]] = []
        for one in given:
            if one is not None:
                values += self._decided([one], "where it is called")
            elif default is not None:
                values += self._decided([(default, home)], "by default")
        if not values or any(one[0] != values[0][0] for one in values):
            raise NotConstantError(f"'{name}' is a parameter")
        return values[0]

    def _decided(self, placed: Iterable[Placed], how: str) -> Iterator[tuple[Any, str]]:
        for node, scope in placed:
            self.callers.trials += 1
            if self.callers.trials > MAX_TRIALS:
                return
            try:
                yield evaluate(node, scope, self._parameter), how
            except NotConstantError:
                continue

    def _given(self, function: Scope, name: str, call: ast.expr, scope: Scope) -> Placed | None:
        """What a call gives for a parameter; None where it leaves it to the default."""
        assert isinstance(call, ast.Call)
        assert function.definition is not None
        names = positional(function)
        plain = [one for one in call.args if not isinstance(one, ast.Starred)]
        if name in names[: len(plain)] and len(plain) == len(call.args):
            return plain[names.index(name)], scope
        for keyword in call.keywords:
            if keyword.arg == name:
                return keyword.value, scope
            for entry in self.entries(keyword.value, scope) if keyword.arg is None else ():
                if entry[0] == name:
                    return entry[1], entry[2]
        return None

    def filter_size(self, function: Scope) -> int | None:
        """The size of a filter that a function is given, where the function names it."""
        sizes = self.callers.sizes
        if id(function) not in sizes:
            sizes[id(function)] = documented_size(function)
        found = sizes[id(function)]
        if found is not None:
            self.notes.append(f"the filter is as large as '{found[0]}' is by default")
        return found[1] if found is not None else None

    def entries(self, node: ast.expr, scope: Scope) -> tuple[Entry, ...]:
        """What `**node` gives.

        Raises NotConstantError where that is neither a literal dictionary nor the options of a
        function that this file calls in one place.
        """
        for _ in range(MAX_NESTING):
            literal = _literal(node, scope)
            if literal is not None:
                return literal
            found = scope.lookup(node.id) if isinstance(node, ast.Name) else None
            if found is None or len(found[1]) != 1:
                break
            home, (binding,) = found
            if binding.value is None:
                return self._options(home, _name_of(node))
            node, scope = binding.value, home
        raise NotConstantError("its options are not constant")

    def _options(self, function: Scope, name: str) -> tuple[Entry, ...]:
        """The keyword arguments that a function's `**name` takes up, of its one call."""
        arguments = function.definition.args if function.definition is not None else None
        calls = self.callers.of(function)
        key = (id(function), f"**{name}")
        taken = arguments is not None and arguments.kwarg is not None
        if not taken or len(calls) != 1 or key in self._open or len(self._open) >= MAX_NESTING:
            raise NotConstantError("its options are not constant")
        assert arguments is not None
        if arguments.kwarg is None or arguments.kwarg.arg != name:
            raise NotConstantError("its options are not constant")
        call, scope = calls[0]
        assert isinstance(call, ast.Call)
        named = {*positional(function), *(one.arg for one in arguments.kwonlyargs)}
        self._open.append(key)
        try:
            entries = tuple(self._keywords(call, scope))
        finally:
            self._open.pop()
        self.notes.append(f"'{name}' as it is called in line {call.lineno}")
        return tuple(entry for entry in entries if entry[0] not in named)

    def _keywords(self, call: ast.Call, scope: Scope) -> Iterator[Entry]:
        for keyword in call.keywords:
            if keyword.arg is None:
                yield from self.entries(keyword.value, scope)
            else:
                yield keyword.arg, keyword.value, scope


def positional(function: Scope) -> list[str]:
    """The names of a function's parameters by position, without a method's own object."""
    assert function.definition is not None
    arguments = function.definition.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    method = function.parent is not None and function.parent.kind == "class"
    return names[1:] if method else names


def _default(arguments: ast.arguments, name: str) -> ast.expr | None:
    """The default of a parameter, None where it has none."""
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    by_name: dict[str, ast.expr | None] = dict(
        zip(reversed(names), reversed(arguments.defaults), strict=False)
    )
    only = [one.arg for one in arguments.kwonlyargs]
    by_name |= dict(zip(only, arguments.kw_defaults, strict=True))
    return by_name.get(name)


def _literal(node: ast.expr, scope: Scope) -> tuple[Entry, ...] | None:
    """The entries of `{"a": 1}` and `dict(a=1)`, None of anything else."""
    match node:
        case ast.Dict(keys=keys, values=values):
            named = [one.value for one in keys if isinstance(one, ast.Constant)]
            if len(named) == len(values) and all(isinstance(one, str) for one in named):
                return tuple((str(k), v, scope) for k, v in zip(named, values, strict=True))
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            if scope.lookup("dict") is None and all(one.arg for one in keywords):
                return tuple((str(one.arg), one.value, scope) for one in keywords)
    return None


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


_SIZES: Final = frozenset({"kernel_size", "filter_size", "k_size", "ksize", "size"})
"""Names by which functions call the size of a filter that they are given."""


def documented_size(function: Scope) -> tuple[str, int] | None:
    """(name, default) of a parameter that names the size of the filter which a function is given:
    nothing in the function reads it, so that it says nothing else."""
    if function.definition is None:
        return None
    read = {one.id for one in ast.walk(function.definition) if isinstance(one, ast.Name)}
    found = [
        (name, default.value)
        for name in positional(function)
        if name in _SIZES - read
        and isinstance(default := _default(function.definition.args, name), ast.Constant)
        and type(default.value) is int
    ]
    return found[0] if len(found) == 1 else None
