"""Who does the same work on many files: this process, others, or other machines.

A check, an audit and a conversion of many files say what is to be done with one of them; who does
it is chosen elsewhere, and changes neither a result nor their order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from upconv.converters.ir.records import record

Item = TypeVar("Item")
Result = TypeVar("Result")

Done: TypeAlias = Generator[tuple[int, Result], None, None]
"""(its number, the result) of each item, as they are done."""


def _nothing(item: Any) -> tuple[str, ...]:
    return ()


def _taken(item: Any, result: Any, files: dict[str, bytes]) -> None:
    """There are none."""


@record(frozen=True, slots=True)
class Task(Generic[Item, Result]):
    """What is done with each item; both can be pickled.

    `lost` is the result of an item whose process was ended, and why. `files` are the files and
    folders that the work reads. `moved` is the item with each absolute path below another folder,
    and `made` are the files that it then may have written, which `taken` writes here.
    """

    work: Callable[[Item], Result]
    lost: Callable[[Item, str], Result]
    files: Callable[[Item], Iterable[str]]
    moved: Callable[[Item, str], Item]
    made: Callable[[Item], Iterable[str]] = _nothing
    taken: Callable[[Item, Result, dict[str, bytes]], None] = _taken


class Workers(Protocol):
    """Do the same work on many items."""

    def map(self, task: Task[Item, Result], items: Sequence[Item]) -> Done[Result]:
        """(its number, the result) of each item, as they are done. Raises what the work raises,
        which ends it all. Closing the iterator ends what is under way."""
        ...


def below(folder: str, path: str) -> str:
    """An absolute path below another folder; "" and relative ones stay.

    >>> below("/tmp/work", "/home/me/net.onnx"), below("/tmp/work", "net.onnx")
    ('/tmp/work/home/me/net.onnx', 'net.onnx')
    """
    return f"{folder}{path}" if os.path.isabs(path) else path


class Here:
    """This process, one item after the other. What ends it takes all with it."""

    def map(self, task: Task[Any, Result], items: Sequence[Any]) -> Done[Result]:
        """As `Workers.map`."""
        for number, item in enumerate(items):
            yield number, task.work(item)
