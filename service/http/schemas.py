"""What the API answers, as records that OpenAPI describes."""

from __future__ import annotations

from typing import Any

from pydantic.dataclasses import dataclass

from upconv.service.jobs.job import Job, outcome_files
from upconv.service.jobs.spec import Kind, State


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """A file that was sent."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ArtefactAnswer:
    """A file that a job has made, and where it is."""

    name: str
    sha256: str
    size: int
    href: str


@dataclass(frozen=True, slots=True)
class ProgressAnswer:
    """How far a job is; `percent` is null where it cannot be said."""

    percent: float | None
    phase: str


@dataclass(frozen=True, slots=True)
class ResultAnswer:
    """What a job came to. `exit_code` is the command line's: 0, 1 for findings or a proof that did
    not pass, 2 for what could not be done, with its `reason`."""

    exit_code: int
    reason: str
    line: str
    summary: dict[str, Any]
    artefacts: list[ArtefactAnswer]


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A job; `created` and `finished` are seconds since 1970."""

    id: str
    kind: Kind
    state: State
    created: float
    finished: float | None
    progress: ProgressAnswer
    files: list[FileAnswer]
    result: ResultAnswer | None


@dataclass(frozen=True, slots=True)
class JobsAnswer:
    """The newest jobs of who asks."""

    jobs: list[JobAnswer]


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What is wrong with a request, and the next step."""

    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class FormatAnswer:
    """A format of model files."""

    name: str
    state: str
    extensions: list[str]


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """A rule; `sections` are its page, by heading."""

    code: str
    name: str
    severity: str
    status: str
    source: str
    fixes: list[str]
    formats: list[str]
    summary: str
    sections: dict[str, str]


@dataclass(frozen=True, slots=True)
class VersionAnswer:
    """Which upconv answers. `api` changes where an answer means something else."""

    version: str
    api: int


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Whether the server lives, or can take jobs, and what the system keeps of a job's limits."""

    ok: bool
    limits: bool
    no_network: bool


def job_answer(job: Job) -> JobAnswer:
    """A job as the API shows it."""
    return JobAnswer(
        job.id,
        job.spec.kind,
        job.state,
        job.created,
        job.finished,
        ProgressAnswer(job.progress.percent, job.progress.phase),
        [FileAnswer(file.name, file.sha256, file.size) for file in job.spec.files],
        _result(job) if job.outcome else None,
    )


def _result(job: Job) -> ResultAnswer:
    outcome = job.outcome
    artefacts = [
        ArtefactAnswer(one.name, one.sha256, one.size, f"/v1/jobs/{job.id}/artefacts/{one.name}")
        for one in outcome_files(job)
    ]
    return ResultAnswer(
        outcome["exit_code"],
        outcome.get("reason", ""),
        outcome.get("line", ""),
        dict(outcome.get("summary", {})),
        artefacts,
    )
