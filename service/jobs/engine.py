"""The engine of jobs: DBOS keeps what was asked and which steps are finished, in SQLite or in
PostgreSQL; the files are in the store; the work is done by confined children.

DBOS has one instance in a process, so there is one engine too. Whatever ends the server, jobs are
resumed by the next one: executor and application version are names of ours and not of a build, and
a step that was cut short leaves nothing that the next try would stumble over.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
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

from upconv.converters.ir.errors import UpconvError, UsageError
from upconv.service.jobs.artefacts import final_artefacts
from upconv.service.jobs.database import sqlite_engine
from upconv.service.jobs.job import STATES, Job, job_of, outcome_files, state_of
from upconv.service.jobs.line import Line
from upconv.service.jobs.remote import Remote
from upconv.service.jobs.running import Runner
from upconv.service.jobs.settings import EngineSettings
from upconv.service.jobs.spec import STEPS, JobSpec, Named, State, from_json
from upconv.service.jobs.steps import Answer
from upconv.service.jobs.store import Store
from upconv.service.work.child import run_in_child
from upconv.service.work.confinement import Held, probe

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

FRESH: Final = 3600.0
"""Seconds for which the sweep leaves a file alone that no job speaks of: its job is on its way."""


_LOG: Final = logging.getLogger("upconv.jobs")


PAGE: Final = 500

COUNTED: Final = 60.0
"""Seconds between two counts of what is stored, which look at every file."""


def _held_alone(folder: Path) -> int:
    """A handle that keeps other servers from this folder for as long as this process is there: they
    would resume its jobs. Raises UsageError where another is faster."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"--data {folder}: another server uses it", hint="give each a folder of its own"
        ) from None
    except (ImportError, OSError):  # a system, or a file system, without locks
        pass
    return handle


class UnknownJobError(UpconvError):
    """There is no such job, or it is another's."""


class Engine:
    """Jobs of one server. `start` it once in a process."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        remote = Remote(settings.artefacts) if settings.artefacts else None
        self.store = Store(settings.folder / "artefacts", remote)
        self.held = Held(False, False)
        self.runner = Runner(settings, self.store)
        self._submitting = threading.Lock()
        self._hold = -1
        self._line = Line(settings.workers, settings.waiting, settings.waiting_each)
        self._stored, self._counted = 0, -COUNTED

    def start(self) -> None:
        """Open the database, resume what was not finished, and look at the queue."""
        folder = self.settings.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hold = _held_alone(folder)
        self.runner.start()
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
        for one in DBOS.list_queued_workflows(load_input=False, app_version=MEANING):
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
            self.runner.allow(spec.id)
            self._enqueue(spec)
        return self.job(spec.id, spec.owner)

    def _enqueue(self, spec: JobSpec) -> None:
        """Raises BusyError."""
        turn = self._line.turn(spec.id, spec.owner)
        try:
            with DBOSContextSetAuth(spec.owner, []), SetWorkflowID(spec.id):
                if turn is None:
                    DBOS.start_workflow(run_job, spec.as_json())
                    return
                with SetEnqueueOptions(priority=turn):
                    DBOS.enqueue_workflow(QUEUE, run_job, spec.as_json())
        except BaseException:
            self._line.leave(spec.id)
            raise

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
        self._line.leave(job)
        _LOG.info("cancelled", extra={"job": job})
        self.runner.cancel(job)
        return self.job(job, owner)

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        counts = dict.fromkeys(STATES, 0)
        for status in _all(load_input=False):
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
        job = job_of(status, self.runner.glance(status.workflow_id))
        if job.is_over:
            self.runner.forget(job.id)
        return job

    @contextmanager
    def counted(self, job: str) -> Iterator[None]:
        """For as long as a job is under way: it waits no more, and fills one of few places. At its
        end, who waits for it is told to look at the database."""
        self._line.begin(job)
        try:
            yield
        finally:
            self._line.leave(job)
            self.runner.end(job)

    def run(self, job: str, spec: JobSpec, step: str, before: list[Answer]) -> Answer:
        """One step. Raises ChildError where the job was cancelled."""
        answer = self.runner.run(job, spec, step, before)
        self.note_stored(Named(*words) for words in answer.get("artefacts", ()))
        return answer

    def _sweep_for_ever(self) -> None:
        while True:
            with suppress(Exception):  # a database that is away now is there the next time
                self.sweep()
            time.sleep(min(600.0, max(self.settings.retention / 10, 1.0)))

    def sweep(self, fresh: float = FRESH) -> None:
        """Remove jobs that ended long ago, and the files that no job speaks of."""
        oldest = time.time() - self.settings.retention
        kept: set[str] = set()
        old: list[str] = []
        for status in _all():
            job = self._job(status)
            if job.finished is not None and job.finished < oldest:
                old.append(job.id)
                continue
            kept |= {file.sha256 for file in (*job.spec.files, *outcome_files(job))}
            if not job.is_over:
                kept |= set(self._between(job.id))
        if old:
            DBOS.delete_workflows(old)
        self.store.sweep(kept, min(fresh, self.settings.retention))

    def _between(self, job: str) -> Iterable[str]:
        """What the finished steps of a job that is not over have made."""
        for step in DBOS.list_workflow_steps(job):
            for _, sha256, _ in (step["output"] or {}).get("artefacts", ()):
                yield sha256


def _all(load_input: bool = True) -> Iterator[WorkflowStatus]:
    """Every job, a page at a time: there may be more than memory should hold."""
    seen = 0
    while found := DBOS.list_workflows(limit=PAGE, offset=seen, load_input=load_input):
        yield from found
        seen += len(found)


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
            _LOG.info("kept", extra={"job": job, "step": step})
            if "reason" in done[-1]:
                break
        return final_artefacts(done)
