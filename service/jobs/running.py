"""How a step of a job is done: in a confined child, of this process or on another machine, as one
of a few at a time; what is told of it meanwhile; and how it is ended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from upconv.service.jobs.artefacts import artefacts_of
from upconv.service.jobs.children import child_environment, new_template
from upconv.service.jobs.job import ENDS, WAITS, Progress
from upconv.service.jobs.scheduled import ON_A_WORKER, Sent, run_scheduled
from upconv.service.jobs.settings import EngineSettings
from upconv.service.jobs.spec import STEPS, JobSpec, Kind, Named
from upconv.service.jobs.steps import IN, OUT, Answer, Laid, StepRequest, refused, run_step
from upconv.service.jobs.store import Store
from upconv.service.work.child import TRIES, ChildError, KilledError, run_in_child
from upconv.service.work.scheduler import dask_executor

_LOG: Final = logging.getLogger("upconv.jobs")


class Runner:
    """The steps of one server's jobs. `start` it before the first."""

    def __init__(self, settings: EngineSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._template = new_template(settings.folder / "incoming")
        self._executor: Executor | None = None
        self._slots = threading.Semaphore(settings.workers)
        self._progress: dict[str, Progress] = {}
        self._kills: dict[str, Callable[[], object]] = {}
        self._cancelled: set[str] = set()
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def start(self) -> None:
        """Look for the scheduler, or start the template of children. Raises UsageError."""
        if self._settings.scheduler:
            self._executor = dask_executor(self._settings.scheduler)
        else:
            self._template.start()

    def allow(self, job: str) -> None:
        """A job that was cancelled is asked for again."""
        self._cancelled.discard(job)

    def cancel(self, job: str) -> None:
        """End a job's step, now and whenever one is begun."""
        self._cancelled.add(job)
        if kill := self._kills.get(job):
            kill()

    def run(self, job: str, spec: JobSpec, step: str, before: list[Answer]) -> Answer:
        """One step. Raises ChildError where the job was cancelled; any other end of its child is
        the job's answer."""
        try:
            return self._run(job, spec, step, before)
        except ChildError as error:
            if job in self._cancelled:
                raise
            return refused(str(error)) | {"failed": True}
        finally:
            shutil.rmtree(self._folder(job), ignore_errors=True)

    def _run(self, job: str, spec: JobSpec, step: str, before: list[Answer]) -> Answer:
        """Raises ChildError."""
        request = self._request(spec, step, before)
        folder = self._folder(job)
        for left in reversed(range(TRIES)):
            if job in self._cancelled:
                raise ChildError("the job was cancelled")
            _LOG.info("step", extra={"job": job, "step": step})
            shutil.rmtree(folder, ignore_errors=True)  # what a try that was cut short has left
            for name in (IN, OUT, "tmp"):
                (folder / name).mkdir(parents=True)
            try:
                return self._with_artefacts(self._in_child(job, request, folder), folder, before)
            except KilledError:
                if not left or job in self._cancelled:
                    raise
        raise AssertionError

    def _folder(self, job: str) -> Path:
        return self._settings.folder / "work" / job

    def _with_artefacts(self, answer: Answer, folder: Path, before: list[Answer]) -> Answer:
        if "reason" not in answer:
            known = {words[0] for one in before for words in one["artefacts"]}
            made = artefacts_of(folder / OUT, self._store, self._settings.largest, known)
            answer["artefacts"] = [[one.name, one.sha256, one.size] for one in made]
        return answer

    def _request(self, spec: JobSpec, step: str, before: list[Answer]) -> StepRequest:
        made = [Named(*words) for answer in before for words in answer["artefacts"]]
        settings = self._settings
        return StepRequest(
            spec.kind,
            step,
            spec.options,
            self._laid(spec.files),
            self._laid(made),
            settings.confinement,
            settings.seconds,
        )

    def _laid(self, files: Iterable[Named]) -> tuple[Laid, ...]:
        return tuple(
            Laid(os.path.abspath(self._store.local(file.sha256)), file.name) for file in files
        )

    def _in_child(self, job: str, request: StepRequest, folder: Path) -> Answer:
        def started(kill: Callable[[], object]) -> None:
            self._kills[job] = kill
            if job in self._cancelled:
                kill()

        try:
            with self._slot(job):
                if self._executor is not None:
                    self._progress[job] = Progress(None, ON_A_WORKER)
                    sent = Sent(request, self._settings.artefacts, {})
                    return run_scheduled(self._executor, sent, folder / OUT, started)
                return run_in_child(
                    run_step,
                    request,
                    lambda text: self._tell(job, request.kind, request.step, text),
                    what="the job",
                    environment=child_environment(folder / "tmp"),
                    seconds=self._settings.seconds,
                    folder=str(folder / IN),
                    started=started,
                    confinement=self._settings.confinement,
                    start=self._template.spawn,
                )
        finally:
            self._kills.pop(job, None)

    @contextmanager
    def _slot(self, job: str) -> Iterator[None]:
        """One of the few places of children that run at a time."""
        if not self._slots.acquire(blocking=False):
            self._progress[job] = WAITS
            self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    def _tell(self, job: str, kind: Kind, step: str, text: str) -> None:
        """Percent are of the whole job, of which each step is an equal part."""
        percent, phase = json.loads(text)
        steps = STEPS[kind]
        if percent is not None:
            percent = (100 * steps.index(step) + percent) / len(steps)
        self._progress[job] = Progress(percent, phase)

    @contextmanager
    def listening(self, job: str, told: Callable[[], None]) -> Iterator[None]:
        """Call `told`, from any thread, when a job is about to be over."""
        self._listeners.setdefault(job, []).append(told)
        try:
            yield
        finally:
            others = self._listeners[job]
            others.remove(told)
            if not others:
                self._listeners.pop(job, None)

    def glance(self, job: str) -> Progress | None:
        """What was told last of a job, without asking the database; another object once there is
        more to say. None where nothing was told since the server started, or nothing is any more.
        """
        return self._progress.get(job)

    def forget(self, job: str) -> None:
        """A job is over, and there is nothing more to say of it than the database knows."""
        self._progress.pop(job, None)

    def end(self, job: str) -> None:
        """A job is about to be over: who waits for it looks at the database now."""
        self._progress[job] = ENDS
        for tell in tuple(self._listeners.get(job, ())):
            tell()
