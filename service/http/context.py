"""What every route needs: the engine, who asks, and what is taken."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request

from upconv.converters.ir.records import record
from upconv.service.http.metrics import Metrics
from upconv.service.http.tokens import Tokens
from upconv.service.jobs.engine import Engine

COOKIE: Final = "upconv_token"


class UnauthorizedError(Exception):
    """There is no token, or nobody's."""


@record(frozen=True, slots=True)
class Served:
    """The parts of a running server. `upload` bytes are taken at most, inflated ones included, and
    the store has at most `disk` bytes; `version` is upconv's."""

    engine: Engine
    tokens: Tokens
    metrics: Metrics
    upload: int
    disk: int
    version: str


def served(request: Request) -> Served:
    """The server's parts."""
    parts: Served = request.app.state.served
    return parts


def owner(request: Request) -> str:
    """The name whose token comes with the request, "" where the server has none. Raises
    UnauthorizedError."""
    tokens = served(request).tokens
    if not tokens.hashes:
        return ""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token = given.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    name = tokens.owner(token)
    if name is None:
        raise UnauthorizedError
    return name


Parts = Annotated[Served, Depends(served)]
Owner = Annotated[str, Depends(owner)]
