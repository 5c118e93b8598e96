"""What stands before every request: which hosts and pages may ask, how much and how slowly, and
what browsers are told of the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from upconv.converters.ir.records import record

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@record(frozen=True, slots=True)
class Guards:
    """`hosts` are the names that the server goes by, all where there are none: a page elsewhere can
    give its own name our address, and would then be let in. A body has at most `body` bytes, comes
    within `whole` seconds, and pauses for at most `pause` of them."""

    hosts: tuple[str, ...] = ()
    body: int = 2 << 30
    whole: float = 900.0
    pause: float = 30.0


class TooMuchError(Exception):
    """A body is larger, or comes more slowly, than is taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def guarded(app: App, guards: Guards, count: Callable[[str, int], None]) -> App:
    """The application behind its guards; `count` is told the method and status of each answer."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun = False

        async def tell(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *HEADERS]
                count(scope["method"], message["status"])
            await send(message)

        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = _refusal(scope["method"], headers, guards)
        if refusal is not None:
            await _say(tell, *refusal)
            return
        try:
            await app(scope, _bounded(receive, guards), tell)
        except TooMuchError as error:
            if not begun:
                await _say(tell, error.status, str(error))

    return answer


def _refusal(method: str, headers: Mapping[str, str], guards: Guards) -> tuple[int, str] | None:
    """Why a request is refused before it is read, or None."""
    host = headers.get("host", "")
    if guards.hosts and (urlsplit(f"//{host}").hostname or "") not in guards.hosts:
        return 421, "this server goes by another name (upconv serve --host-name)"
    origin = headers.get("origin")
    if method in CHANGING and origin is not None and urlsplit(origin).netloc != host:
        return 403, "the request comes from another site's page"
    length = headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > guards.body:
        return 413, f"more than {guards.body} bytes"
    return None


def _bounded(receive: Receive, guards: Guards) -> Receive:
    seen, deadline, whole = 0, time.monotonic() + guards.whole, False

    async def take() -> Message:
        nonlocal seen, whole
        if whole:  # what comes now is that the client goes, which may take as long as it likes
            return await receive()
        left = min(guards.pause, deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(receive(), max(left, 0.0))
        except TimeoutError:
            raise TooMuchError(408, "the body comes too slowly") from None
        seen += len(message.get("body", b""))
        if seen > guards.body:
            raise TooMuchError(413, f"more than {guards.body} bytes")
        whole = not message.get("more_body", False)
        return message

    return take


async def _say(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message, "hint": ""}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
