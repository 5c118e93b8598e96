"""Workers on other machines: those of a dask scheduler, or of any other executor.

The work on a file is done in a child process of the worker, in a folder that holds what it reads at
the same paths as here. Files are taken where the worker is, if they are there and the same; the
others are sent. A worker that is lost has its files done again by another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from copy import copy
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.converters.ir.origin import Source
from upconv.converters.ir.records import record
from upconv.converters.processors import ONE_THREAD
from upconv.linter.running.workers import Done, Item, Result, Task
from upconv.service.work.child import TRIES, ChildError, KilledError, run_in_child
from upconv.service.work.template import TEMPLATE, Template


class SchedulerError(ChildError):
    """The scheduler is gone, or has ended the work, or its workers do not know it."""


AHEAD: Final = 64
"""Files under way at a time, so that what is sent of them does not fill the scheduler."""


def dask_executor(address: str) -> Executor:
    """The workers of a dask scheduler at tcp://HOST:PORT, as an executor. Raises UsageError."""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--scheduler needs dask.distributed", hint="pip install 'upconv[distributed]'"
        ) from None
    try:
        executor: Executor = Client(address, timeout="20s").get_executor(pure=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {address}: {error}") from None
    return executor


def outcome(future: Future[Result]) -> Result:
    """What a worker made. Raises what the work raises, KilledError where the workers that had it
    were lost, and SchedulerError where the scheduler ended it."""
    try:
        return future.result()
    except UpconvError:
        raise
    except BaseException as error:  # dask's KilledWorker, a cancellation, a scheduler that is gone
        if type(error).__name__ == "KilledWorker":
            raise KilledError("the workers that had it were killed") from None
        raise SchedulerError(f"the scheduler ended it: {type(error).__name__}") from None


@record(frozen=True, slots=True)
class Needed:
    """A file that the work reads: where it is here, and its SHA-256."""

    path: str
    sha256: str


@record(frozen=True, slots=True)
class Sent:
    """Work on one item, for a worker: from which folder, with which version of upconv, and the
    contents of files that the worker has not, by their SHA-256."""

    task: Task[Any, Any]
    item: Any
    folder: str
    version: str
    files: tuple[Needed, ...]
    contents: Mapping[str, bytes]


@record(frozen=True, slots=True)
class Came:
    """What came of it: the result, and the files that were made, by their paths. `missing` are the
    SHA-256 of files that the worker needs first; there is no result then."""

    result: Any
    made: Mapping[str, bytes]
    missing: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class Scheduler:
    """The workers of the scheduler at an address."""

    address: str

    def map(self, task: Task[Item, Result], items: Sequence[Item]) -> Done[Result]:
        """As `Workers.map`."""
        executor = dask_executor(self.address)
        try:
            yield from mapped(executor, task, items)
        finally:
            executor.shutdown(wait=False)


def mapped(executor: Executor, task: Task[Item, Result], items: Sequence[Item]) -> Done[Result]:
    """(its number, the result) of each item, done by an executor, as they are done."""
    waiting = deque(range(len(items)))
    under_way: dict[Future[Came], tuple[int, Sent]] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < AHEAD:
                number = waiting.popleft()
                sent = _packed(task, items[number])
                under_way[executor.submit(do, sent)] = number, sent
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                number, sent = under_way.pop(future)
                try:
                    came = outcome(future)
                except SchedulerError as error:
                    hint = "is it running, and is upconv installed where its workers are?"
                    raise UsageError(f"--scheduler: {error.message}", hint=hint) from None
                except ChildError as error:
                    yield number, task.lost(items[number], error.message)
                    continue
                if came.missing:
                    sent = replace(sent, contents=_contents(sent.files, came.missing))
                    under_way[executor.submit(do, sent)] = number, sent
                    continue
                task.taken(items[number], came.result, dict(came.made))
                yield number, came.result
    finally:
        for future in under_way:
            future.cancel()


def _packed(task: Task[Item, Result], item: Item) -> Sent:
    files = tuple(
        Needed(os.path.abspath(path), _hash_of(path))
        for path in dict.fromkeys(each for one in task.files(item) for each in files_below(one))
    )
    return Sent(task, item, os.getcwd(), version("upconv"), files, {})


def files_below(path: str) -> Iterator[str]:
    """The file, or all of a folder's; none where nothing is there."""
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in sorted(names))


def _hash_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contents(files: Iterable[Needed], missing: Sequence[str]) -> Mapping[str, bytes]:
    paths = {file.sha256: file.path for file in files}
    return {sha256: Path(paths[sha256]).read_bytes() for sha256 in missing}


def do(sent: Sent) -> Came:
    """On a worker: the work. Raises what it raises, and ChildError where its process was ended."""
    if sent.version != version("upconv"):
        raise UsageError(
            f"a worker has upconv {version('upconv')}, and this is {sent.version}",
            hint="install the same everywhere",
        )
    with TemporaryDirectory(prefix="upconv-work-") as name:
        top = os.path.realpath(name)
        if missing := _laid_out(sent, top):
            return Came(None, {}, missing)
        item = sent.task.moved(sent.item, top)
        folder = f"{top}{sent.folder}"
        places = [os.path.join(folder, path) for path in sent.task.made(item)]
        for place in (folder, *map(os.path.dirname, places)):
            os.makedirs(place, exist_ok=True)
        try:
            result = _in_child(sent.task, item, folder)
        except UpconvError as error:
            vars(error).update(_back(vars(error), top))
            raise
        made = {path: Path(path).read_bytes() for path in places if os.path.isfile(path)}
        return Came(_back(result, top), _back(made, top))


def _laid_out(sent: Sent, top: str) -> tuple[str, ...]:
    """Put the files where they are read, below a folder; returns the SHA-256 of those that are
    neither here nor were sent."""
    missing = []
    for file in sent.files:
        target = f"{top}{file.path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if (data := sent.contents.get(file.sha256)) is not None:
            Path(target).write_bytes(data)
        elif not _copied(file, target):
            missing.append(file.sha256)
    return tuple(dict.fromkeys(missing))


def _copied(file: Needed, target: str) -> bool:
    """Whether this machine has the file, the same one, which is copied then."""
    try:
        shutil.copyfile(file.path, target)
    except OSError:
        return False
    return _hash_of(target) == file.sha256


def _in_child(task: Task[Any, Any], item: object, folder: str) -> Any:
    for left in reversed(range(TRIES)):
        try:
            return run_in_child(
                _work,
                (task.work, item),
                lambda message: None,
                what="the work",
                environment={ONE_THREAD: "1", **os.environ},
                folder=folder,
                start=_template().spawn,
            )
        except KilledError:
            if not left:
                raise
    raise AssertionError("it is tried at least once")


def _work(asked: tuple[Callable[[Any], Any], Any], progress: Callable[[str], None]) -> Any:
    work, item = asked
    return work(item)


@cache
def _template() -> Template:
    """This worker's, of the children that work."""
    return Template(TEMPLATE, dict(os.environ))


def _back(value: Any, top: str) -> Any:
    """The value with every path below `top` as it is where the work came from.

    >>> _back({"a": ("/tmp/x/home/me/net.onnx: unreadable", 1)}, "/tmp/x")
    {'a': ('/home/me/net.onnx: unreadable', 1)}
    """
    if isinstance(value, str):
        return value.replace(top, "")
    if isinstance(value, Mapping):
        return {_back(key, top): _back(each, top) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_back(each, top) for each in value)
    if isinstance(value, Source):
        value = copy(value)
        value.path = _back(value.path, top)
        return value
    if isinstance(value, Path):
        return Path(_back(str(value), top))
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: _back(getattr(value, one.name), top) for one in fields(value)}
        return replace(value, **changed)
    return value
