"""The routes of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from upconv.converters.ir.errors import UsageError
from upconv.service.http.context import Owner, Parts, Served
from upconv.service.http.schemas import ErrorAnswer, JobAnswer, JobsAnswer, job_answer
from upconv.service.http.uploads import MOST_FILES, keep_files
from upconv.service.http.waiting import events, until_over
from upconv.service.jobs.artefacts import BYTES, JSON, TYPES
from upconv.service.jobs.engine import UnknownJobError
from upconv.service.jobs.job import Job, outcome_files
from upconv.service.jobs.options import canonical, schema
from upconv.service.jobs.spec import KINDS, JobSpec, Kind, Named

LONGEST_WAIT: Final = 60.0
LONGEST_OPTIONS: Final = 1 << 20


def _asked(kind: Kind) -> dict[str, Any]:
    """What a form of one kind of job has; a check is what is asked for where no kind is."""
    return {
        "title": kind,
        "required": [] if kind == KINDS[0] else ["kind"],
        "properties": {"kind": {"const": kind}, "options": schema(kind)},
    }


_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "kind": {"type": "string", "enum": list(KINDS), "default": KINDS[0]},
                        "options": {"type": "object"},
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "contentMediaType": BYTES},
                            "description": "Models and weights; what ends in .zip is expanded.",
                        },
                    },
                    "anyOf": [_asked(kind) for kind in KINDS],
                },
                "encoding": {"options": {"contentType": JSON}},
            }
        },
    }
}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer}
    for status in (400, 401, 403, 404, 408, 409, 413, 421, 422, 429, 507)
}

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=_ERRORS)

JobId = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])
]
Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the end.")]


class DiskFullError(UsageError):
    """The store has no room left."""


@router.post("", status_code=202, openapi_extra=_FORM, responses={200: {"model": JobAnswer}})
async def submit(
    request: Request, response: Response, parts: Parts, owner: Owner, wait: Wait = 0
) -> JobAnswer:
    """Send files and ask for a job. The same files and options again are the same job. The status
    is 200 where the job is over, as it may be with `wait`, and 202 where it is not."""
    async with taken_form(request) as (words, files):
        job = await run_in_threadpool(submit_files, parts, owner, words, files["files"])
    job = await until_over(parts.engine, job, wait)
    response.status_code = 200 if job.is_over else 202
    response.headers["location"] = f"/v1/jobs/{job.id}"
    return job_answer(job)


@asynccontextmanager
async def taken_form(
    request: Request, fields: Sequence[str] = ("files",)
) -> AsyncIterator[tuple[dict[str, str], dict[str, list[UploadFile]]]]:
    """The words of a form, and the files of these fields, as long as the request lasts."""
    async with request.form(
        max_files=MOST_FILES, max_fields=8, max_part_size=LONGEST_OPTIONS
    ) as form:
        words = {name: text for name, text in form.items() if isinstance(text, str)}
        yield (
            words,
            {
                field: [part for part in form.getlist(field) if isinstance(part, UploadFile)]
                for field in fields
            },
        )


def submit_files(
    parts: Served, owner: str, words: Mapping[str, str], files: Sequence[UploadFile]
) -> Job:
    """The job that a form asks for. Raises UsageError, and what `take_files` and `Engine.submit`
    raise."""
    kind = words.get("kind") or "check"
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise UsageError("there is no such kind of job", hint=f"kind is one of {', '.join(KINDS)}")
    options = canonical(known, words.get("options", ""))
    named = take_files(parts, files)
    return parts.engine.submit(JobSpec(owner, known, options, named, parts.version))


def take_files(parts: Served, files: Sequence[UploadFile]) -> tuple[Named, ...]:
    """The files, kept. Raises DiskFullError, and what `keep_files` raises."""
    if parts.engine.stored() > parts.disk:
        raise DiskFullError("the server's store is full", hint="ask again later")
    named = keep_files(files, parts.engine.store, parts.upload)
    parts.engine.note_stored(named)
    return named


@router.get("")
def list_jobs(
    parts: Parts, owner: Owner, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> JobsAnswer:
    """Your jobs, the newest first."""
    return JobsAnswer([job_answer(job) for job in parts.engine.jobs(owner, limit)])


@router.get("/{job}")
async def show(job: JobId, parts: Parts, owner: Owner, wait: Wait = 0) -> JobAnswer:
    """A job as it stands, or, with `wait`, once it is over."""
    there = await run_in_threadpool(parts.engine.job, job, owner)
    return job_answer(await until_over(parts.engine, there, wait))


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The job's progress"}},
)
async def follow(job: JobId, parts: Parts, owner: Owner) -> StreamingResponse:
    """Progress as server-sent events: "progress" again and again, "over" at last."""
    there = await run_in_threadpool(parts.engine.job, job, owner)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    stream = events(parts.engine, there)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.delete("/{job}")
def cancel(job: JobId, parts: Parts, owner: Owner) -> JobAnswer:
    """End a job that waits or runs; one that is over stays as it is."""
    return job_answer(parts.engine.cancel(job, owner))


@router.get(
    "/{job}/artefacts/{name}",
    response_class=FileResponse,
    responses={200: {"content": {BYTES: {}}, "description": "The file"}},
)
def download(job: JobId, name: str, parts: Parts, owner: Owner) -> FileResponse:
    """A file that a job has made: a report, the ONNX file, the certificate."""
    there = parts.engine.job(job, owner)
    found = next((one for one in outcome_files(there) if one.name == name), None)
    if found is None:
        raise UnknownJobError("the job has no such file", hint="see its result.artefacts")
    return FileResponse(
        parts.engine.store.local(found.sha256),
        media_type=TYPES[found.name],
        filename=found.name,
        headers={"etag": f'"{found.sha256}"', "cache-control": "private, no-cache"},
    )
