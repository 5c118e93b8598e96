"""The application: routes, errors as answers, and the guards before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.records import record
from upconv.service.http.context import Served, UnauthorizedError
from upconv.service.http.guard import App, Guards, guarded
from upconv.service.http.info import router as info
from upconv.service.http.jobs import DiskFullError
from upconv.service.http.jobs import router as jobs
from upconv.service.jobs.engine import UnknownJobError
from upconv.service.jobs.line import BusyError
from upconv.service.jobs.names import ClashError
from upconv.service.jobs.store import TooLargeError
from upconv.service.work.rules import UnknownRuleError

STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (UnknownJobError, 404),
    (UnknownRuleError, 404),
    (BusyError, 429),
    (ClashError, 409),
    (TooLargeError, 413),
    (DiskFullError, 507),
    (UpconvError, 400),
)
"""What an error's status is: the first that fits."""


@record(frozen=True, slots=True)
class Pages:
    """What is shown to browsers: routes, files that they name, and how an error looks."""

    router: APIRouter
    static: StaticFiles
    error: Callable[[Request, str, int], Response]


def make_app(parts: Served, guards: Guards, pages: Pages) -> App:
    """The application, behind its guards."""
    app = FastAPI(
        title="upconv",
        version=parts.version,
        summary="Check, convert and prove the layers that make feature maps larger",
        docs_url=None,  # they load scripts of other hosts
        redoc_url=None,
    )
    app.state.served = parts
    app.include_router(jobs)
    app.include_router(info)
    app.include_router(pages.router)
    app.mount("/static", pages.static)
    app.state.pages = pages
    for kind, handler in _HANDLERS:
        app.add_exception_handler(kind, handler)
    return guarded(app, guards, parts.metrics.count)


async def _users_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UpconvError)
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    words = {"error": str(error).removesuffix(f" ({error.hint})"), "hint": error.hint}
    headers = {"retry-after": "10"} if status in (429, 507) else {}
    return _answer(request, words, status, headers)


def _answer(
    request: Request, words: dict[str, str], status: int, headers: Mapping[str, str]
) -> Response:
    """An error as JSON, or as a page for who asks for one with a browser."""
    if "text/html" in request.headers.get("accept", "") and not _is_api(request.url.path):
        pages: Pages = request.app.state.pages
        hint = f" ({words['hint']})" if words["hint"] else ""
        return pages.error(request, f"{words['error']}{hint}", status)
    return JSONResponse(words, status, headers)


def _is_api(path: str) -> bool:
    return path.startswith("/v1/")


async def _no_token(request: Request, error: Exception) -> Response:
    if "authorization" in request.headers:
        words = {"error": "the token is not known here", "hint": "is it whole, and this server's?"}
    else:
        words = {"error": "a token is needed", "hint": "Authorization: Bearer TOKEN"}
    return _answer(request, words, 401, {"www-authenticate": "Bearer"})


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    words = {"error": f"{where}: {first['msg']}", "hint": "see /openapi.json"}
    return _answer(request, words, 422, {})


async def _gone(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the request was cut off", "hint": ""}, 400)  # nobody reads it


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unknown = error.status_code == 404
    told = "there is nothing at this address" if unknown else str(error.detail)
    words = {"error": told, "hint": "see /openapi.json" if unknown else ""}
    headers = dict(error.headers or {})
    if error.status_code == 405:  # what stands there are the methods of one route of the path
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return _answer(request, words, error.status_code, headers)


def _methods(request: Request) -> set[str]:
    """The methods of all routes of the path that is asked for."""
    app: FastAPI = request.app
    matched = (
        route
        for router in (jobs, info, app.state.pages.router)
        for route in router.routes
        if route.matches(request.scope)[0] != Match.NONE
    )
    return {method for route in matched for method in getattr(route, "methods", None) or ()}


_Handler = Callable[[Request, Exception], Awaitable[Response]]
_HANDLERS: Final[tuple[tuple[type[Exception], _Handler], ...]] = (
    (UpconvError, _users_error),
    (UnauthorizedError, _no_token),
    (RequestValidationError, _not_understood),
    (HTTPException, _refused),
    (ClientDisconnect, _gone),
)
