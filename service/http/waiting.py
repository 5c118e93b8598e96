"""Waiting for jobs: until one is over, or for each thing that is told of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool

from upconv.service.http.schemas import job_answer
from upconv.service.jobs.engine import Engine
from upconv.service.jobs.job import ENDS, Job

LOOKED: Final = 0.05
"""Seconds between two looks at what a job told last, which cost nothing."""

SOON: Final = 0.01
"""Seconds between two questions to the database for the end of a job that has told its end."""

ASKED: Final = 2.0
"""Seconds after which the database is asked although nothing was told: the job may have ended
otherwise."""

ALIVE: Final = 10.0
"""Seconds after which a stream says that it is still there, so that no proxy ends it."""


async def until_over(engine: Engine, job: Job, seconds: float) -> Job:
    """The job once it is over, or as it stands after so many seconds."""
    end = time.monotonic() + seconds
    async for seen in _changes(engine, job, min(ASKED, seconds)):
        if seen.is_over or time.monotonic() >= end:
            return seen
    return job


async def _changes(engine: Engine, job: Job, look: float) -> AsyncIterator[Job]:
    """The job, again and again, soon after its end, `look` seconds after there is more to say of
    it, and at least every ASKED seconds; the last one is over."""
    yield job
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(told.set)

    with engine.runner.listening(job.id, wake):
        while not job.is_over:
            before, begun, ended = engine.runner.glance(job.id), time.monotonic(), told.is_set()
            job = await run_in_threadpool(engine.job, job.id, job.spec.owner)
            yield job
            if ended or before == ENDS:
                await asyncio.sleep(SOON)
                continue
            while engine.runner.glance(job.id) is before and time.monotonic() - begun < ASKED:
                if await _happens(told, look):
                    break


async def _happens(told: asyncio.Event, seconds: float) -> bool:
    """Whether something is told within so many seconds."""
    try:
        await asyncio.wait_for(told.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def events(engine: Engine, job: Job) -> AsyncIterator[str]:
    """Server-sent events: "progress" with the state, percent and phase, and at last "over" with the
    job as the API shows it. Who comes back after a lost connection gets the same from where it is.
    """
    told, spoken = "", time.monotonic()
    async for seen in _changes(engine, job, LOOKED):
        words = {
            "state": seen.state,
            "percent": seen.progress.percent,
            "phase": seen.progress.phase,
        }
        text = json.dumps(words)
        if text != told:
            told, spoken = text, time.monotonic()
            yield f"event: progress\ndata: {text}\n\n"
        elif time.monotonic() - spoken > ALIVE:
            spoken = time.monotonic()
            yield ": still there\n\n"
        if seen.is_over:
            yield f"event: over\ndata: {_as_text(seen)}\n\n"


def _as_text(job: Job) -> str:
    from pydantic import TypeAdapter

    from upconv.service.http.schemas import JobAnswer

    return TypeAdapter(JobAnswer).dump_json(job_answer(job)).decode()
