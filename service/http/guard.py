"""What stands before every request: which hosts and pages may ask, how much and how slowly, and
what browsers are told of the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
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
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (  # of answers that have none of their own
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # without any, a form would not say where it stands
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
PATIENCE: Final = 10.0
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


class _Body:
    """A request's body as it comes. Where it is too much, whoever reads it is told that the client
    is gone, and `refusal` says what the client is told."""

    def __init__(self, receive: Receive, guards: Guards, heads: Mapping[str, str]) -> None:
        self._receive = receive
        self._guards = guards
        self._seen = 0
        self._deadline = time.monotonic() + guards.whole
        self.whole = not {"content-length", "transfer-encoding"} & heads.keys()
        self.refusal: tuple[int, str] | None = None

    async def take(self) -> Message:
        if self.whole:  # what comes now is that the client goes, which may take its time
            return await self._receive()
        left = min(self._guards.pause, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.0))
        except TimeoutError:
            self.refusal = 408, "the body comes too slowly"
            return {"type": "http.disconnect"}
        self._seen += len(message.get("body", b""))
        if self._seen > self._guards.body:
            self.refusal = 413, f"more than {self._guards.body} bytes"
            return {"type": "http.disconnect"}
        self.whole = not message.get("more_body", False)
        return message

    async def throw_away(self) -> None:
        """Take the rest, for a while. Who is still sending reads the answer only afterwards, and
        not at all where the server hangs up first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not self.whole:
                    self.whole = not (await self._receive()).get("more_body", False)


def guarded(app: App, guards: Guards, count: Callable[[str, int], None]) -> App:
    """The application behind its guards; `count` is told the method and status of each answer."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        heads = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        body = _Body(receive, guards, heads)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [*message.get("headers", ())]
                told = {name.lower() for name, _ in own}
                message["headers"] = own + [each for each in HEADERS if each[0] not in told]
                count(scope["method"], message["status"])
            elif not message.get("more_body", False) and not body.whole:
                await send({**message, "more_body": True})
                await body.throw_away()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        async def tell_unless_refused(message: Message) -> None:
            if body.refusal is None:
                await tell(message)

        body.refusal = _refusal(scope["method"], heads, guards)
        if body.refusal is None:
            await app(scope, body.take, tell_unless_refused)
        if body.refusal is not None:
            await _say(tell, *body.refusal)

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
    if length.isdecimal() and int(length[:20]) > guards.body:
        return 413, f"more than {guards.body} bytes"
    return None


async def _say(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message, "hint": ""}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
