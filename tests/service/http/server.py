"""A server of its own in a process, as `upconv serve` starts it, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support import ROOT

PATH = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    folder: Path
    log: Path

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            heads = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, heads, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def send(
        self,
        files: Mapping[str, bytes],
        kind: str = "check",
        options: Mapping[str, Any] | None = None,
        wait: int = 60,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body, type_ = form({"kind": kind, "options": json.dumps(options or {})}, files)
        return self.ask(
            "POST", f"/v1/jobs?wait={wait}", body, {"Content-Type": type_, **(headers or {})}
        )

    def artefact(self, job: Mapping[str, Any], name: str) -> bytes:
        answer = self.get(f"/v1/jobs/{job['id']}/artefacts/{name}")
        assert answer.status == 200, answer.body
        return answer.body

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def form(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """A multipart body and its type; names are sent as they are."""
    edge = uuid.uuid4().hex
    parts = []
    for name, text in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"--{edge}\r\n{head}\r\n\r\n{text}\r\n".encode())
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="files"; filename="{name}"'
        parts += [f"--{edge}\r\n{head}\r\n\r\n".encode(), data, b"\r\n"]
    parts.append(f"--{edge}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={edge}"


def start(
    folder: Path, *options: str, run: tuple[str, ...] = ("-m", "upconv"), **environment: str
) -> Server:
    """Start a server, or start it again: the folder has its jobs. It listens once this returns.
    `run` is what Python runs; the environment is this process's and more."""
    folder.mkdir(exist_ok=True)
    log = folder / f"log-{len(list(folder.glob('log-*')))}"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, *run, "serve", "--port", "0",
             "--data", str(folder / "data"), *options],
            stderr=stream,
            text=True,
            env={**os.environ, "PYTHONPATH": PATH, **environment},
            cwd=folder,
        )  # fmt: skip
    for _ in range(600):
        for line in log.read_text().splitlines():
            if '"url"' in line:
                return Server(process, json.loads(line)["url"], folder, log)
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@contextmanager
def serving(
    folder: Path, *options: str, run: tuple[str, ...] = ("-m", "upconv"), **environment: str
) -> Iterator[Server]:
    server = start(folder, *options, run=run, **environment)
    try:
        yield server
    finally:
        server.kill()
