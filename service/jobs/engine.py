"""The engine of jobs: DBOS keeps what was asked and which steps are finished, in SQLite or in
PostgreSQL; the files are in the store; the work is done by confined children.

DBOS has one instance in a process, so there is one engine too. Whatever ends the server, jobs are
resumed by the next one: executor and application version are names of ours and not of a build, and
a step that was cut short leaves nothing that the next try would stumble over.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from dbos import (
    DBOS,
    DBOSConfig,
    DBOSContextSetAuth,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowStatus,
)

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.records import record
from upconv.service.jobs.artefacts import artefacts_of, final_artefacts
from upconv.service.jobs.database import sqlite_engine
from upconv.service.jobs.job import STATES, WAITS, Job, Progress, job_of, outcome_files, state_of
from upconv.service.jobs.line import Line
from upconv.service.jobs.spec import STEPS, JobSpec, Kind, Named, State, from_json
from upconv.service.jobs.steps import IN, OUT, Answer, Laid, StepRequest, refused, run_step
from upconv.service.jobs.store import Store
from upconv.service.work.child import ChildError, KilledError, run_in_child
from upconv.service.work.confinement import Confinement, Held, probe
from upconv.service.work.proving import ONE_THREAD
from upconv.service.work.template import Template

QUEUE: Final = "jobs"
EXECUTOR: Final = "upconv"
MEANING: Final = "jobs-1"
"""DBOS's version of the application: raised when what a job's record or step means changes. Jobs of
another meaning are not resumed, and stay queued until a server of theirs runs."""

POLLED: Final = 0.1
"""Seconds between two looks at the queue. A job that comes while nothing waits is not queued, and
of a queue as many jobs are taken ahead as are done between two looks."""

AHEAD: Final = 2
"""Jobs that are taken from the queue ahead of their time, times those that run."""

TRIES: Final = 3
"""How often a step is begun whose process somebody else kills."""

TEMPLATE: Final = (
    "upconv.service.jobs.steps",
    "upconv.service.work",
    "upconv.service.reports",
    "upconv.linter",
    "upconv.converters",
)
"""What the children's template imports. onnxruntime is not among it: it starts a thread."""

FRESH: Final = 3600.0
"""Seconds for which the sweep leaves a file alone that no job speaks of: its job is on its way."""


_LOG: Final = logging.getLogger("upconv.jobs")


COUNTED: Final = 60.0
"""Seconds between two counts of what is stored, which look at every file."""


class UnknownJobError(UpconvError):
    """There is no such job, or it is another's."""


@record(frozen=True, slots=True)
class EngineSettings:
    """`folder` holds everything; `database` is a URL, "" for SQLite in the folder. `workers` jobs
    run at a time, `waiting` may wait, and a job is kept for `retention` seconds after its end."""

    folder: Path
    database: str = ""
    workers: int = 2
    waiting: int = 1000
    waiting_each: int = 200
    retention: float = 7 * 86400.0
    seconds: float = 1800.0
    largest: int = 4 << 30
    confinement: Confinement = Confinement()


class Engine:
    """Jobs of one server. `start` it once in a process."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.store = Store(settings.folder / "artefacts")
        self.held = Held(False, False)
        self._template = Template(TEMPLATE, _environment(settings.folder / "incoming"), "warm_up")
        self._progress: dict[str, Progress] = {}
        self._kills: dict[str, Callable[[], None]] = {}
        self._cancelled: set[str] = set()
        self._submitting = threading.Lock()
        self._line = Line(settings.workers, settings.waiting, settings.waiting_each)
        self._slots = threading.Semaphore(settings.workers)
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._stored, self._counted = 0, -COUNTED

    def start(self) -> None:
        """Open the database, resume what was not finished, and look at the queue."""
        folder = self.settings.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._template.start()
        self.held = run_in_child(probe, self.settings.confinement, print, what="the probe")
        config: DBOSConfig = {
            "name": "upconv",
            "application_version": MEANING,
            "executor_id": EXECUTOR,
            "log_level": "ERROR",
            "serializer": DBOSPortableJSONSerializer(),
        }
        if self.settings.database:
            config["system_database_url"] = self.settings.database
        else:
            config["system_database_engine"] = sqlite_engine(folder / "jobs.sqlite")
        DBOS(config=config)
        _serve(self)
        DBOS.launch()
        for one in DBOS.list_queued_workflows(load_input=False):
            self._line.join(one.workflow_id, one.authenticated_user or "", one.priority)
        taken = self.settings.workers * (1 + AHEAD)
        DBOS.register_queue(QUEUE, worker_concurrency=taken, polling_interval_sec=POLLED)
        threading.Thread(target=self._sweep_for_ever, daemon=True, name="retention").start()

    def submit(self, spec: JobSpec) -> Job:
        """The job that is asked for: the one that there is, or a new one. What was cancelled, or
        failed for want of time or memory, is tried again.

        Raises BusyError where too many wait.
        """
        with self._submitting:
            there = self._status(spec.id)
            if there is not None:
                job = self._job(there)
                if job.state not in ("failed", "cancelled"):
                    return job
                DBOS.delete_workflow(spec.id)
            self._cancelled.discard(spec.id)
            self._enqueue(spec)
        return self.job(spec.id, spec.owner)

    def _enqueue(self, spec: JobSpec) -> None:
        """Raises BusyError."""
        turn = self._line.turn(spec.id, spec.owner)
        with DBOSContextSetAuth(spec.owner, []), SetWorkflowID(spec.id):
            if turn is None:
                DBOS.start_workflow(run_job, spec.as_json())
                return
            with SetEnqueueOptions(priority=turn):
                DBOS.enqueue_workflow(QUEUE, run_job, spec.as_json())

    def job(self, job: str, owner: str) -> Job:
        """A job of this owner's. Raises UnknownJobError."""
        status = self._status(job)
        if status is None or (status.authenticated_user or "") != owner:
            raise UnknownJobError("there is no such job")
        return self._job(status)

    def jobs(self, owner: str, limit: int = 50) -> list[Job]:
        """The owner's jobs, the newest first."""
        found = DBOS.list_workflows(user=owner, limit=limit, sort_desc=True)
        return [self._job(status) for status in found]

    def cancel(self, job: str, owner: str) -> Job:
        """End a job that is not over, whether it waits or runs. Raises UnknownJobError."""
        there = self.job(job, owner)
        if there.is_over:
            return there
        DBOS.cancel_workflow(job)  # first, since a job whose step fails meanwhile has failed
        self._cancelled.add(job)
        self._line.leave(job)
        _LOG.info("cancelled", extra={"job": job})
        if kill := self._kills.get(job):
            kill()
        return self.job(job, owner)

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        counts = dict.fromkeys(STATES, 0)
        for status in DBOS.list_workflows(load_input=False):
            counts[state_of(status)] += 1
        return counts

    def stored(self) -> int:
        """The bytes of the store, counted every minute; what comes in between is added."""
        if time.monotonic() - self._counted >= COUNTED:
            self._counted = time.monotonic()
            self._stored = sum(self.store.sizes())
        return self._stored

    def note_stored(self, files: Iterable[Named]) -> None:
        """More is stored. What was there before is counted again, until the next count."""
        self._stored += sum(file.size for file in files)

    def is_ready(self) -> bool:
        """Whether the database answers and the folder can be written."""
        try:
            DBOS.list_workflows(limit=1, load_input=False, load_output=False)
        except Exception:  # whatever a driver says: it does not answer
            return False
        return os.access(self.settings.folder, os.W_OK)

    def _status(self, job: str) -> WorkflowStatus | None:
        found = DBOS.list_workflows(workflow_ids=[job])
        return found[0] if found else None

    def _job(self, status: WorkflowStatus) -> Job:
        job = job_of(status, self._progress.get(status.workflow_id))
        if job.is_over:
            self._progress.pop(job.id, None)
        return job

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
        return self.settings.folder / "work" / job

    def _with_artefacts(self, answer: Answer, folder: Path, before: list[Answer]) -> Answer:
        if "reason" not in answer:
            known = {words[0] for one in before for words in one["artefacts"]}
            made = artefacts_of(folder / OUT, self.store, self.settings.largest, known)
            self.note_stored(made)
            answer["artefacts"] = [[one.name, one.sha256, one.size] for one in made]
        return answer

    def _request(self, spec: JobSpec, step: str, before: list[Answer]) -> StepRequest:
        made = [Named(*words) for answer in before for words in answer["artefacts"]]
        settings = self.settings
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
            Laid(os.path.abspath(self.store.path(file.sha256)), file.name) for file in files
        )

    def _in_child(self, job: str, request: StepRequest, folder: Path) -> Answer:
        def started(kill: Callable[[], None]) -> None:
            self._kills[job] = kill
            if job in self._cancelled:
                kill()

        try:
            with self._slot(job):
                return run_in_child(
                    run_step,
                    request,
                    lambda text: self._tell(job, request.kind, request.step, text),
                    what="the job",
                    environment=_environment(folder / "tmp"),
                    seconds=self.settings.seconds,
                    folder=str(folder / IN),
                    started=started,
                    confinement=self.settings.confinement,
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

    @contextmanager
    def counted(self, job: str) -> Iterator[None]:
        """For as long as a job is under way: it waits no more, and fills one of few places. At its
        end, who waits for it is told to look at the database."""
        self._line.begin(job)
        try:
            yield
        finally:
            self._line.leave(job)
            self._progress[job] = Progress(100, "done")
            for tell in tuple(self._listeners.get(job, ())):
                tell()

    def _sweep_for_ever(self) -> None:
        while True:
            with suppress(Exception):  # a database that is away now is there the next time
                self.sweep()
            time.sleep(min(600.0, max(self.settings.retention / 10, 1.0)))

    def sweep(self, fresh: float = FRESH) -> None:
        """Remove jobs that ended long ago, and the files that no job speaks of."""
        oldest = time.time() - self.settings.retention
        rest: list[Job] = []
        old: list[Job] = []
        for status in DBOS.list_workflows():
            job = self._job(status)
            (old if job.finished is not None and job.finished < oldest else rest).append(job)
        if old:
            DBOS.delete_workflows([job.id for job in old])
        kept = {file.sha256 for job in rest for file in (*job.spec.files, *outcome_files(job))}
        kept |= {sha for job in rest if not job.is_over for sha in self._between(job.id)}
        self.store.sweep(kept, min(fresh, self.settings.retention))

    def _between(self, job: str) -> Iterable[str]:
        """What the finished steps of a job that is not over have made."""
        for step in DBOS.list_workflow_steps(job):
            for _, sha256, _ in (step["output"] or {}).get("artefacts", ()):
                yield sha256


def _environment(folder: Path) -> dict[str, str]:
    """A child's: nothing of the server's but where programs are, and folders of the job's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "XDG_CACHE_HOME"), str(folder))
    return kept | own | {"PYTHONHASHSEED": "0", ONE_THREAD: "1"}


_served: list[Engine] = []


def _serve(engine: Engine) -> None:
    _served[:] = [engine]


@DBOS.step(name="step")
def _do_step(words: dict[str, Any], job: str, step: str, before: list[Answer]) -> Answer:
    return _served[0].run(job, from_json(words), step, before)


@DBOS.workflow(name="job")
def run_job(words: dict[str, Any]) -> Answer:
    """A job, step by step; what it comes to is what its last step says, with all artefacts."""
    job, engine = DBOS.workflow_id, _served[0]
    assert job is not None
    done: list[Answer] = []
    with engine.counted(job):
        for step in STEPS[words["kind"]]:
            done.append(_do_step(words, job, step, done))
            if "reason" in done[-1]:
                break
        return final_artefacts(done)
