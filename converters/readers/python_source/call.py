"""One call as it is written: its arguments by name, which of them are given, and their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.origin import Span

if TYPE_CHECKING:
    import ast

    from upconv.converters.readers.python_source.assumed import Assumptions
    from upconv.converters.readers.python_source.scopes import Scope
    from upconv.converters.readers.python_source.text import Fragment

_LARGEST: Final = 1 << 31

OPEN_SIZE: Final = "its size is decided where the model runs"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A call that could not be read, and why."""

    span: Span
    name: str
    reason: str


class NotProvableError(UnsupportedError):
    """What the file alone does not decide; the message says which argument, and why."""


class NoOperatorError(NotProvableError):
    """What the rules ask of a call was read, but no operator says it: its size is decided where
    the model runs, or it cannot run at all."""


class RefusedError(NoOperatorError):
    """What PyTorch refuses, when the call is made or when it runs."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that is written in a call.

    `span` is the value's place, `whole` that of `name=value`. `reason` says why the value is not
    known, and is "" where it is.
    """

    name: str
    span: Span
    whole: Span
    node: ast.expr = field(repr=False)
    value: Any = None
    reason: str = ""

    @property
    def known(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call of a known function or class.

    `path` is its canonical name ("torch.nn.Upsample"), `defaults` its parameters that have one.
    `complete` is False where `*args` or `**kwargs` may give arguments that are not seen.
    `assumptions` evaluate with parameters, and hold what was assumed of them.
    `sized` is whether the module that it makes may be told an output size where it is called.
    `room` is where a further keyword argument may be inserted, with what must stand before it.
    """

    path: str
    framework: str
    span: Span
    callee: Span
    arguments: Mapping[str, Argument]
    defaults: Mapping[str, Any]
    complete: bool
    room: tuple[Span, str]
    node: ast.Call = field(repr=False)
    scope: Scope = field(repr=False)
    fragment: Fragment = field(repr=False)
    assumptions: Assumptions | None = field(default=None, repr=False)
    problem: str = ""
    sized: bool = False

    @property
    def assumed(self) -> str:
        """What was taken from defaults and from calls in this file, in words; "" where all that is
        known is constant."""
        return ", ".join(self.assumptions.notes) if self.assumptions is not None else ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    def writes(self, name: str) -> bool:
        """Whether an argument is written."""
        return name in self.arguments

    def takes(self, name: str) -> bool:
        """Whether there is such a parameter, with a default."""
        return name in self.defaults

    def spelled(self, text: str) -> str:
        """Code as it is written into this file: in a notebook, inside of a JSON string."""
        if not self.fragment.escaped:
            return text
        import json

        return json.dumps(text, ensure_ascii=False)[1:-1]

    def given(self, name: str) -> bool:
        """Whether an argument is written, and is not the literal None."""
        found = self.arguments.get(name)
        return found is not None and not (found.known and found.value is None)

    def known(self, name: str) -> bool:
        """Whether an argument's value is decided: written as a constant, or surely defaulted."""
        found = self.arguments.get(name)
        if found is not None:
            return found.known
        return self.complete and name in self.defaults

    def value(self, name: str) -> Any:
        """The value of an argument, its default where it is not written.

        Raises NotProvableError where the file does not decide it.
        """
        found = self.arguments.get(name)
        if found is not None and not found.known:
            raise self.not_provable(f"{name}: {found.reason}")
        if found is not None:
            return found.value
        if not self.complete:
            raise self.not_provable(f"{name} may come from *args or **kwargs")
        if name not in self.defaults:
            raise self.not_provable(f"{name} is not given")
        return self.defaults[name]

    def probably(self, name: str, default: Any = None) -> Any:
        """The value of an argument, `default` where the file does not decide it."""
        return self.value(name) if self.known(name) else default

    def span_of(self, *names: str) -> Span | None:
        """Where the first of these arguments is written."""
        found = (self.arguments[name].whole for name in names if name in self.arguments)
        return next(found, None)

    def not_provable(self, message: str) -> NotProvableError:
        return NotProvableError(message, where=self.span)

    def no_operator(self, message: str) -> NoOperatorError:
        return NoOperatorError(message, where=self.span)

    def refused(self, message: str) -> NotProvableError:
        """A value that PyTorch refuses; of other frameworks, one that is not understood."""
        if self.framework != "pytorch":
            return self.not_provable(message)
        return RefusedError(f"PyTorch refuses it: {message}", where=self.span)

    def is_open(self, name: str) -> bool:
        """Whether an argument is written whose value the file does not decide."""
        found = self.arguments.get(name)
        return found is not None and not found.known

    def integers(self, name: str, axes: int, least: int = 0) -> tuple[int, ...]:
        """An argument of one whole number, or of one for each axis.

        Raises NotProvableError where it is not decided, or is no such thing.
        """
        value = self.value(name)
        items = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in items):
            raise self.refused(f"{name} is {value!r}, which is no int")
        if len(items) not in (1, axes):
            raise self.refused(f"{name} has {len(items)} numbers for {axes} axes")
        if any(not least <= one < _LARGEST for one in items):
            raise self.refused(f"{name} is {value!r}, which is out of range")
        return tuple(items) if len(items) == axes else (items[0],) * axes

    def integer(self, name: str, least: int = 0) -> int:
        """An argument of one whole number."""
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _LARGEST:
            raise self.refused(f"{name} is {value!r}, which is out of range")
        return value

    def literal_int(self, name: str) -> int | None:
        """One whole number, None where the file does not decide it or it is something else."""
        value = self.probably(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and 0 <= value < _LARGEST else None
