"""The routes that say what the server is, knows and does."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import PlainTextResponse

from upconv.converters.readers.formats import FORMATS
from upconv.service.http.context import Owner, Parts
from upconv.service.http.schemas import (
    ErrorAnswer,
    FormatAnswer,
    HealthAnswer,
    RuleAnswer,
    VersionAnswer,
)
from upconv.service.work.rules import all_rules, find_rule, rule_record

API = 1

router = APIRouter(tags=["server"])


@router.get("/v1/rules")
def rules() -> list[RuleAnswer]:
    """The rules and their pages."""
    return [RuleAnswer(**rule_record(rule)) for rule in all_rules()]


@router.get("/v1/rules/{code}", responses={404: {"model": ErrorAnswer}})
def rule(code: Annotated[str, Path(max_length=100, examples=["UP201"])]) -> RuleAnswer:
    """A rule, by its code or name."""
    return RuleAnswer(**rule_record(find_rule(code)))


@router.get("/v1/formats")
def formats() -> list[FormatAnswer]:
    """The formats of model files, and what is built for each."""
    return [FormatAnswer(one.name, one.state, list(one.extensions)) for one in FORMATS]


@router.get("/v1/version")
def show_version() -> VersionAnswer:
    """Which upconv answers."""
    return VersionAnswer(version("upconv"), API)


@router.get("/health")
def health(parts: Parts) -> HealthAnswer:
    """Whether the server lives. It asks nobody else."""
    held = parts.engine.held
    return HealthAnswer(True, held.limits, held.sockets)


@router.get("/ready", responses={503: {"model": HealthAnswer}})
def ready(parts: Parts, response: Response) -> HealthAnswer:
    """Whether the server can take a job: its database answers, its folder can be written."""
    can = parts.engine.is_ready()
    response.status_code = 200 if can else 503
    held = parts.engine.held
    return HealthAnswer(can, held.limits, held.sockets)


@router.get("/metrics", response_class=PlainTextResponse, responses={401: {"model": ErrorAnswer}})
def metrics(parts: Parts, owner: Owner) -> PlainTextResponse:
    """Numbers for Prometheus."""
    text = parts.metrics.text(parts.engine.counts(), parts.engine.stored())
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")
