"""The application: routes, errors as answers, and the guards before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from upconv.converters.ir.errors import UpconvError
from upconv.service.http.context import Served, UnauthorizedError
from upconv.service.http.guard import App, Guards, guarded
from upconv.service.http.info import router as info
from upconv.service.http.jobs import DiskFullError
from upconv.service.http.jobs import router as jobs
from upconv.service.jobs.engine import BusyError, UnknownJobError
from upconv.service.jobs.store import TooLargeError

STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (UnknownJobError, 404),
    (BusyError, 429),
    (TooLargeError, 413),
    (DiskFullError, 507),
    (UpconvError, 400),
)
"""What an error's status is: the first that fits."""


def make_app(parts: Served, guards: Guards) -> App:
    """The application, behind its guards."""
    app = FastAPI(
        title="upconv",
        version=version("upconv"),
        summary="Check, convert and prove the layers that make feature maps larger",
        docs_url=None,  # they load scripts of other hosts
        redoc_url=None,
    )
    app.state.served = parts
    app.include_router(jobs)
    app.include_router(info)
    for kind, handler in _HANDLERS:
        app.add_exception_handler(kind, handler)
    return guarded(app, guards, parts.metrics.count)


async def _users_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpconvError)
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    words = {"error": str(error), "hint": error.hint}
    headers = {"retry-after": "10"} if status in (429, 507) else {}
    return JSONResponse(words, status, headers)


async def _no_token(request: Request, error: Exception) -> JSONResponse:
    words = {"error": "a token is needed", "hint": "Authorization: Bearer TOKEN"}
    return JSONResponse(words, 401, {"www-authenticate": "Bearer"})


async def _not_understood(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": f"{where}: {first['msg']}", "hint": "see /openapi.json"}, 422)


async def _gone(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "the request was cut off", "hint": ""}, 400)  # nobody reads it


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    words = {"error": str(error.detail), "hint": ""}
    return JSONResponse(words, error.status_code, dict(error.headers or {}))


_Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]
_HANDLERS: Final[tuple[tuple[type[Exception], _Handler], ...]] = (
    (UpconvError, _users_error),
    (UnauthorizedError, _no_token),
    (RequestValidationError, _not_understood),
    (HTTPException, _refused),
    (ClientDisconnect, _gone),
)
