"""Functions of TorchScript's own, and the kinds of values they take: asked before one is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.script.values import Value

_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "any": object,
    "number": (int, float, Dim, Ratio),
    "real": (int, float),
    "integer": (int, Dim),
    "index": int,
    "str": str,
    "list": list,
    "dict": dict,
    "changeable": (list, dict),
    "sequence": (list, tuple, str),
    "container": (list, tuple, dict, str),
    "key": (int, float, str),
}


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    kind: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Function:
    """What it does, its parameters, and of which kind any more are; "" where there are none.

    `refuses`: what a function of Python's own raises for an element that is not there, say.
    """

    act: Callable[..., Value]
    parameters: tuple[_Parameter, ...]
    rest: str
    refuses: tuple[type[Exception], ...]

    def __call__(
        self, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value]
    ) -> Value:
        """Its result on values of the kinds it takes; UnsupportedError for others."""
        if not self._fits(arguments, keywords):
            raise UnsupportedError(f"the function {name} does not take what it is given")
        try:
            return self.act(*arguments, **keywords)
        except self.refuses as error:
            raise UnsupportedError(f"the function {name} refuses it: {error!s:.80}") from None

    def _fits(self, arguments: Sequence[Value], keywords: Mapping[str, Value]) -> bool:
        positional, more = self.parameters[: len(arguments)], arguments[len(self.parameters) :]
        kinds = {one.name: one.kind for one in self.parameters[len(arguments) :]}
        required = (one.name for one in self.parameters[len(arguments) :] if not one.optional)
        return (
            all(_is(one.kind, value) for one, value in zip(positional, arguments, strict=False))
            and all(bool(self.rest) and _is(self.rest, value) for value in more)
            and all(name in kinds and _is(kinds[name], value) for name, value in keywords.items())
            and all(name in keywords for name in required)
        )


def _is(kind: str, value: Value) -> bool:
    if kind.endswith("?"):
        return value is None or _is(kind[:-1], value)
    return isinstance(value, _KINDS[kind])


def takes(words: str, act: Callable[..., Value], *refuses: type[Exception]) -> Function:
    """The function with its parameters in words: kinds, in brackets what may be left out, behind a
    star what may come any number of times. A parameter that is given by its name says it.

    Only a function of Python's own `refuses`: what one of ours raises is our mistake.

    >>> power = takes("number number [mode=str?]", lambda x, y, mode=None: (x**y, mode))
    >>> power("pow", [2, 3], {"mode": "floor"})
    (8, 'floor')
    """
    parameters, rest = [], ""
    for word in words.split():
        if word.startswith("*"):
            rest = word[1:]
            continue
        name, _, kind = word.strip("[]").rpartition("=")
        parameters.append(_Parameter(name, kind, word.startswith("[")))
    return Function(act, tuple(parameters), rest, refuses)
