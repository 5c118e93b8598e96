"""A server of ours, asked from the command line with nothing but Python's own library."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ssl import SSLEOFError
from typing import Any, Final, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.jobs.names import safe_name

TOKEN: Final = "UPCONV_TOKEN"
"""Where the token is: on a command line, others of the machine could read it."""

WAIT: Final = 30
PATIENCE: Final = 120.0
PIECE: Final = 1 << 20
LARGEST_ANSWER: Final = 1 << 28


@record(frozen=True, slots=True)
class Remote:
    """A server, by its URL. Every call raises UsageError, with the server's own words, where it
    cannot be reached or refuses."""

    url: str

    def done(
        self,
        kind: str,
        options: Mapping[str, Any],
        files: Sequence[tuple[str, str]],
    ) -> dict[str, Any]:
        """The job of these files, once it is over; (name, path) of each file."""
        fields = {"kind": kind, "options": json.dumps(options)}
        job = self._json(f"/v1/jobs?wait={WAIT}", _Form(fields, files))
        while job["finished"] is None:
            job = self._json(f"/v1/jobs/{job['id']}?wait={WAIT}")
        if job["state"] == "cancelled":
            raise UsageError(f"{self.url}: the job was cancelled")
        result: dict[str, Any] = job["result"]
        if result["reason"]:
            raise UsageError(result["reason"])
        return result

    def artefact(self, result: Mapping[str, Any], name: str) -> bytes:
        """A file that a job has made."""
        for one in result["artefacts"]:
            if one["name"] == name:
                return self._ask(one["href"])
        raise UsageError(f"{self.url}: the job made no {name}")

    def _json(self, path: str, form: _Form | None = None) -> Any:
        try:
            return json.loads(self._ask(path, form))
        except ValueError:
            self._fail("it is no server of upconv's")

    def _ask(self, path: str, form: _Form | None = None) -> bytes:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise UsageError(f"--server {self.url}: no http:// or https:// URL")
        request = Request(self.url.rstrip("/") + path)
        if token := os.environ.get(TOKEN):
            request.add_header("Authorization", f"Bearer {token}")
        if form is not None:
            request.data = form.pieces()
            request.add_header("Content-Type", f"multipart/form-data; boundary={form.edge}")
            request.add_header("Content-Length", str(form.size))
        try:
            with _opener().open(request, timeout=PATIENCE) as answer:
                body: bytes = answer.read(LARGEST_ANSWER)
                return body
        except HTTPError as error:
            self._fail(_words(error))
        except URLError as error:
            self._fail(
                f"cannot be reached: {getattr(error.reason, 'strerror', '') or error.reason}"
            )
        except OSError as error:
            self._fail(f"cannot be reached: {error.strerror or error}")

    def _fail(self, why: str) -> NoReturn:
        raise UsageError(f"--server {self.url}: {why}")


class _NoRedirect(HTTPRedirectHandler):
    """A token is for the server that was named."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


class _Heard:
    """A server that does not want all of a body answers and hangs up: its answer is what counts,
    and not that the rest could not be sent."""

    sock: Any

    def request(self, *arguments: Any, **named: Any) -> None:
        try:
            super().request(*arguments, **named)  # type: ignore[misc]
        except (BrokenPipeError, ConnectionResetError, SSLEOFError):
            if self.sock is None:  # there was no connection
                raise


class _Plain(_Heard, HTTPConnection):
    pass


class _Secure(_Heard, HTTPSConnection):
    pass


class _PlainHandler(HTTPHandler):
    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_Plain, request)


class _SecureHandler(HTTPSHandler):
    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_Secure, request)


def _opener() -> OpenerDirector:
    return build_opener(_NoRedirect, _PlainHandler, _SecureHandler)


def _words(error: HTTPError) -> str:
    try:
        words = json.loads(error.read(1 << 16))
        said, hint = words["error"], words.get("hint", "")
    except (ValueError, KeyError, TypeError, OSError):
        said, hint = error.reason, ""  # no server of ours, or one that hung up
    if error.code == 401 and not os.environ.get(TOKEN):
        hint = f"put it into {TOKEN}"
    told = f"{said} ({hint})" if hint else str(said)
    return f"{error.code}: {' '.join(told.split())}"


class _Form:
    """A multipart form (RFC 7578) whose files are read while they are sent."""

    def __init__(self, fields: Mapping[str, str], files: Sequence[tuple[str, str]]) -> None:
        self.edge = uuid.uuid4().hex
        heads = [(self._head(f'name="{name}"'), text.encode()) for name, text in fields.items()]
        self._fields = b"".join(head + text + b"\r\n" for head, text in heads)
        self._files = [
            (self._head(f'name="files"; filename="{safe_name(name)}"'), path, os.path.getsize(path))
            for name, path in files
        ]
        self._end = f"--{self.edge}--\r\n".encode()
        sizes = (len(head) + size + 2 for head, _, size in self._files)
        self.size = len(self._fields) + sum(sizes) + len(self._end)

    def _head(self, what: str) -> bytes:
        return f"--{self.edge}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode()

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises OSError where a file is another than when it was asked for its size."""
        yield self._fields
        for head, path, size in self._files:
            yield head
            left = size
            with open(path, "rb") as file:
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece
            if left:
                raise OSError(5, "became shorter while it was sent", path)
            yield b"\r\n"
        yield self._end
