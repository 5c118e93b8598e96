"""What every framework's loader gives, and the words for one that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError, UsageError

Feeds: TypeAlias = Mapping[str, Any]

MAX_TEXT: Final = 300

LARGEST: Final = 255
SPREAD: Final = 64
"""What one standard deviation of noise is in a whole number."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in its framework: `run` maps input values by name to output values by name.

    The names are those of upconv's own model, the values NumPy arrays in the source's own layout.
    `types` are the element types of the inputs, as NumPy calls them; those it lacks are float32.
    """

    framework: str
    version: str
    run: Callable[[Feeds], Mapping[str, Any]]
    types: Mapping[str, str]


def suited(values: Any, type_name: str) -> Any:
    """Values of a stimulus in an input's element type: whole numbers as they are, or of 0 to 255
    where noise is to be such, as of an image."""
    import numpy as np

    dtype = np.dtype(type_name)
    if values.dtype.kind == "i":
        return values.astype(dtype)
    if dtype.kind == "b":
        return values > 0
    if dtype.kind in "iu":
        largest = min(LARGEST, np.iinfo(dtype).max)
        return np.clip(np.rint(np.abs(values) * SPREAD), 0, largest).astype(dtype)
    return values.astype(dtype)


@contextmanager
def importing(framework: str, extra: str) -> Iterator[None]:
    """Imports of a framework; raises UsageError, which says how to install it, where one fails."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"--against source runs {framework}, which cannot be imported: {one_line(error)}",
            hint=f"pip install 'upconv[{extra}]'",
        ) from None


@contextmanager
def asking(framework: str, path: str) -> Iterator[None]:
    """A call into a framework, and nothing of ours: it may raise anything, which is its refusal of
    the file, an UnreadableError."""
    try:
        yield
    except (UpconvError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableError(f"{framework} refuses it: {one_line(error)}", path=path) from None


def in_order(names: Sequence[str], feeds: Feeds) -> list[Any]:
    """The values of inputs that the framework calls so; UnsupportedError where upconv knows no
    input of a name."""
    unknown = [name for name in names if name not in feeds]
    if unknown:
        raise UnsupportedError(
            f"its inputs are {', '.join(names)}, and upconv reads {', '.join(feeds)}",
            hint="please report it",
        )
    return [feeds[name] for name in names]


def by_name(names: Sequence[str], values: Sequence[Any], what: str) -> dict[str, Any]:
    """Values under their names; UnsupportedError where the framework has another number of them."""
    if len(names) != len(values):
        raise UnsupportedError(
            f"it has {len(values)} {what}, and upconv reads {len(names)}: {', '.join(names)}",
            hint="please report it",
        )
    return dict(zip(names, values, strict=True))


def one_line(error: Exception) -> str:
    """What an exception says, on one line of bounded length: its begin, and its end, where
    frameworks put the reason."""
    text = " ".join(str(error).split()) or type(error).__name__
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]} ... {text[-half:]}"
