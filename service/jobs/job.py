"""A job as it stands: what the database knows of it, and what it told last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir.records import record
from upconv.service.jobs.spec import JobSpec, Named, State, from_json
from upconv.service.jobs.steps import refused

if TYPE_CHECKING:
    from dbos import WorkflowStatus

OVER: Final[tuple[State, ...]] = ("done", "failed", "cancelled")
STATES: Final[tuple[State, ...]] = ("queued", "running", *OVER)


@record(frozen=True, slots=True)
class Progress:
    """How far a job is: percent, where it can be said, and in which phase."""

    percent: float | None
    phase: str


WAITS: Final = Progress(0, "queued")
"""What is told of a job that the database has as running, and that waits for others."""

ENDS: Final = Progress(100, "done")
"""What is told of a job that the database is about to have as over."""


@record(frozen=True, slots=True)
class Job:
    """A job as it stands. `outcome` is what it came to, empty before."""

    id: str
    spec: JobSpec
    state: State
    created: float
    finished: float | None
    progress: Progress
    outcome: Mapping[str, Any]

    @property
    def is_over(self) -> bool:
        return self.state in OVER


def outcome_files(job: Job) -> tuple[Named, ...]:
    """What a job has made, for its owner."""
    return tuple(Named(*words) for words in job.outcome.get("artefacts", ()))


def job_of(status: WorkflowStatus, told: Progress | None) -> Job:
    """The job of a row; `told` is what it said last, None where it said nothing."""
    assert status.input is not None
    state = state_of(status)
    if state == "running" and told == WAITS:
        state = "queued"
    over = state in OVER
    finished = status.completed_at / 1000 if status.completed_at else None
    waits = Progress(0 if state == "queued" else None, state)
    return Job(
        status.workflow_id,
        from_json(status.input["args"][0]),
        state,
        (status.created_at or 0) / 1000,
        finished if over else None,
        Progress(100, state) if over else told or waits,
        status.output or _said(status),
    )


_STATES: Final[Mapping[str, State]] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "done",
    "CANCELLED": "cancelled",
}


def state_of(status: WorkflowStatus) -> State:
    """The state, which DBOS calls otherwise; a job that ended by itself may have failed."""
    if status.status == "SUCCESS" and (status.output or {}).get("failed"):
        return "failed"
    return _STATES.get(status.status, "failed")


def _said(status: WorkflowStatus) -> Mapping[str, Any]:
    """The outcome of a job that has none of its own."""
    if status.error is None:
        return {}
    return refused(f"upconv failed: {type(status.error).__name__} (please report it)")
