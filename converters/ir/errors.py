"""The one family of errors that users cause: what is wrong, where, and what to do next."""

from __future__ import annotations

from typing import Any, Final, Self

from upconv.converters.ir.dims import Size
from upconv.converters.ir.origin import Origin, Span

MOST_SHOWN: Final = 2000
"""Characters of a text that are shown: a name in a file may be the whole file."""


def shortened(words: str) -> str:
    """Words as they are shown, the middle of very long ones left out.

    >>> shortened("a" * 5000)[995:1040]
    'aaaaa ... (5000 characters) ... aaaaaaaaaaaaa'
    """
    if len(words) <= MOST_SHOWN:
        return words
    half = MOST_SHOWN // 2
    return f"{words[:half]} ... ({len(words)} characters) ... {words[-half:]}"


class UpconvError(Exception):
    """A problem in the user's input, printed as one line and never as a traceback.

    `message` says what is wrong, `hint` what to do next, `where` the place in the file, and
    `layer` the layer's own name. `path` names the file when there is no narrower place; `code` is
    the line of the program that made the file, where it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        where: Span | Origin | None = None,
        layer: str = "",
        hint: str = "",
    ) -> None:
        message = shortened(message)
        super().__init__(message)
        self.message = message
        self.where = where.span if isinstance(where, Origin) else where
        self.path = path or (where.path if where is not None else "")
        self.code = where.code if isinstance(where, Origin) else ""
        self.layer = layer
        self.hint = shortened(hint)

    def noted(self) -> Self:
        """The error for a list of what is wrong: without the frames that raised it, which would
        hold all that a reader had at hand, and the list itself."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self

    def __str__(self) -> str:
        place = self.path
        if self.where is not None:
            place += f":{self.where.line}:{self.where.column}"
        parts = [
            place,
            self.code,
            f"layer '{shortened(self.layer)}'" if self.layer else "",
            self.message,
        ]
        line = ": ".join(part for part in parts if part)
        return f"{line} ({self.hint})" if self.hint else line

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors come out of child processes as what they were raised as; Python would make one
        anew from its message alone."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[UpconvError], words: tuple[Any, ...], state: dict[str, Any]) -> UpconvError:
    error = kind.__new__(kind, *words)
    error.__dict__.update(state)
    return error


class UnreadableError(UpconvError):
    """The file is no such model, is truncated, corrupt or hostile."""


class NotAModelError(UnreadableError):
    """The text is something else; `known` is whether it is clear what. A search leaves it out."""

    def __init__(
        self,
        message: str,
        *,
        known: bool,
        path: str = "",
        where: Span | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, path=path, where=where, hint=hint)
        self.known = known


class UnsupportedError(UpconvError):
    """The model is readable, but what it asks for cannot be said; the message says why."""


class AmbiguousError(UnsupportedError):
    """The file alone does not decide the meaning; the hint names the choices."""


class ShapeError(UpconvError):
    """The model's sizes contradict each other; the source framework would refuse it too.

    `kind` says how: "non_positive" (an output size <= 0), "merge" (inputs of different sizes or
    channels), "crop" (a box outside its input), "channels" (channels do not fit the layer),
    "rank" (too few or too many axes), "axis", "reshape" or "weights". `guess` holds the output
    shapes to go on with, so that one mistake does not hide the next.
    """

    def __init__(
        self, message: str, kind: str, guess: tuple[tuple[Size, ...] | None, ...] = ()
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.guess = guess


class UsageError(UpconvError):
    """The command or call itself is wrong."""
