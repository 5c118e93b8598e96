"""Steps of jobs on other machines: what is handed to an executor, dask.distributed's or any other.

A worker does a step as the server does, in a confined child of its own. Files are read where the
worker is: from the same path, where the machines share a disk, or from the copy of the store
elsewhere, where there is one. What it then has not is sent, in a second try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from upconv.converters.ir.records import record
from upconv.service.jobs.artefacts import TYPES
from upconv.service.jobs.children import child_environment, new_template
from upconv.service.jobs.remote import Remote
from upconv.service.jobs.steps import IN, OUT, Answer, Laid, StepRequest, run_step
from upconv.service.jobs.store import Store
from upconv.service.work.child import run_in_child
from upconv.service.work.scheduler import outcome
from upconv.service.work.template import Template

ON_A_WORKER: Final = "on a worker"


@record(frozen=True, slots=True)
class Sent:
    """A step for a worker: `contents` are the files that it has not, by their SHA-256, and
    `artefacts` is the URL of the store's copy elsewhere, if any."""

    request: StepRequest
    artefacts: str
    contents: Mapping[str, bytes]


@record(frozen=True, slots=True)
class Done:
    """What came of it: the answer, and the files that were made. `missing` are the SHA-256 of
    files that the worker needs first; there is no answer then."""

    answer: Answer
    files: Mapping[str, bytes]
    missing: tuple[str, ...] = ()


def run_scheduled(
    executor: Executor, sent: Sent, out: Path, started: Callable[[Callable[[], object]], None]
) -> Answer:
    """A step on some worker; what it made lies in `out`. `started` is given what cancels it. Raises
    ChildError where it was ended, KilledError where the workers that had it were."""
    done = _result(executor.submit(do_step, sent), started)
    if done.missing:
        by_name = {_sha256(file): Path(file.blob) for file in _files(sent.request)}
        contents = {sha256: by_name[sha256].read_bytes() for sha256 in done.missing}
        again = replace(sent, contents=contents)
        done = _result(executor.submit(do_step, again), started)
    for name, data in done.files.items():
        (out / name).write_bytes(data)
    return done.answer


def _result(future: Future[Done], started: Callable[[Callable[[], object]], None]) -> Done:
    started(future.cancel)
    return outcome(future)


def do_step(sent: Sent) -> Done:
    """On a worker: the step. Raises ChildError where its child was ended."""
    with TemporaryDirectory(prefix="upconv-step-") as name:
        folder = Path(name)
        for each in (IN, OUT, "tmp"):
            (folder / each).mkdir()
        store = Store(folder / "store", Remote(sent.artefacts) if sent.artefacts else None)
        have = {_sha256(file): _here(file, store, sent) for file in _files(sent.request)}
        if missing := tuple(sha256 for sha256, path in have.items() if path is None):
            return Done({}, {}, missing)
        answer = run_in_child(
            run_step,
            replace(
                sent.request,
                files=_at(sent.request.files, have),
                made=_at(sent.request.made, have),
            ),
            lambda _: None,
            what="the job",
            environment=child_environment(folder / "tmp"),
            seconds=sent.request.seconds,
            folder=str(folder / IN),
            confinement=sent.request.confinement,
            start=_template().spawn,
        )
        return Done(answer, dict(_made(folder / OUT)))


@cache
def _template() -> Template:
    """This worker's."""
    return new_template(Path("/tmp"))


def _files(request: StepRequest) -> tuple[Laid, ...]:
    return (*request.files, *request.made)


def _sha256(file: Laid) -> str:
    """The hash of a stored file, which its path ends with."""
    return "".join(Path(file.blob).parts[-2:])


def _here(file: Laid, store: Store, sent: Sent) -> str | None:
    """Where this worker has a file, None where it has it not."""
    sha256 = _sha256(file)
    if sha256 in sent.contents:
        store.put([sent.contents[sha256]], len(sent.contents[sha256]))
        return str(store.path(sha256))
    if Path(file.blob).is_file():
        return file.blob
    try:
        path = store.local(sha256)
    except OSError:
        return None
    return str(path) if path.is_file() else None


def _at(files: tuple[Laid, ...], have: Mapping[str, str | None]) -> tuple[Laid, ...]:
    return tuple(replace(file, blob=have[_sha256(file)] or "") for file in files)


def _made(out: Path) -> Iterator[tuple[str, bytes]]:
    """The files that a step made, and those that it was given and has left."""
    for name in TYPES:
        path = out / name
        if path.is_file() and not path.is_symlink():
            yield name, path.read_bytes()
