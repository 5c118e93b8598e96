"""The server as a process: where it listens, what it keeps, and that it never listens to strangers
without asking who they are."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import socket
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.service.http.tokens import Tokens, read_tokens

if TYPE_CHECKING:
    from upconv.service.http.app import Pages
    from upconv.service.jobs.settings import EngineSettings

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


@record(frozen=True, slots=True)
class ServeSettings:
    """What `upconv serve` is told. Sizes are bytes, times seconds; `port` 0 is any free one."""

    host: str = "127.0.0.1"
    port: int = 8000
    folder: str = "upconv-service"
    database: str = ""
    artefacts: str = ""
    scheduler: str = ""
    tokens: str = ""
    host_names: tuple[str, ...] = ()
    workers: int = 2
    upload: int = 2 << 30
    disk: int = 50 << 30
    retention: float = 7 * 86400.0
    seconds: float = 1800.0
    memory: int = 4 * 10**9


def serve(settings: ServeSettings, pages: Callable[[], Pages]) -> None:
    """Serve until the process is told to end. `pages` makes what browsers are shown.

    Raises UsageError where it would listen beyond this machine without tokens, and OSError where
    it cannot listen.
    """
    tokens = read_tokens(settings.tokens) if settings.tokens else Tokens()
    hosts = _allowed_hosts(settings, tokens)
    with _listening(settings.host, settings.port) as sock:
        _run(settings, tokens, hosts, sock, pages)


def _allowed_hosts(settings: ServeSettings, tokens: Tokens) -> tuple[str, ...]:
    """The names that the server goes by; with tokens any, unless they are said."""
    if tokens.hashes:
        return tuple(name.lower() for name in settings.host_names)
    if not is_loopback(settings.host):
        raise UsageError(
            f"--host {settings.host} is open to other machines, and anybody could use it",
            hint="make a token: upconv serve --tokens FILE --add-token NAME, then --tokens FILE",
        )
    return (*LOOPBACK_NAMES, settings.host.lower(), *(name.lower() for name in settings.host_names))


def is_loopback(host: str) -> bool:
    """Whether all addresses of a host are this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)

    Raises UsageError where it has none.
    """
    try:
        found = socket.getaddrinfo(
            host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror or error}") from None
    return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    # What is accepted inherits it. asyncio sets it for sockets only that say they are TCP, which
    # these do not, and an answer's body would wait 40 ms for the acknowledgement of its head.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _run(
    settings: ServeSettings,
    tokens: Tokens,
    hosts: tuple[str, ...],
    sock: socket.socket,
    pages: Callable[[], Pages],
) -> None:
    import uvicorn

    from upconv.service.http.app import make_app
    from upconv.service.http.context import Served
    from upconv.service.http.guard import Guards
    from upconv.service.http.metrics import Metrics
    from upconv.service.jobs.engine import Engine

    _log_as_json()
    engine = Engine(_engine_settings(settings))
    engine.start()
    incoming = Path(settings.folder, "incoming")
    incoming.mkdir(exist_ok=True)
    tempfile.tempdir = str(incoming)  # where the form parser keeps what it has not read to the end
    own = version("upconv")
    served = Served(engine, tokens, Metrics(), settings.upload, settings.disk, own)
    app = make_app(served, Guards(hosts, settings.upload), pages())
    host, port = sock.getsockname()[:2]
    _LOG.info("listening", extra={"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        limit_concurrency=500,
        h11_max_incomplete_event_size=1 << 16,
    )
    uvicorn.Server(config).run(sockets=[sock])
    logging.shutdown()
    os._exit(0)  # jobs that run are resumed by the next server: nothing waits for them here


def _engine_settings(settings: ServeSettings) -> EngineSettings:
    from upconv.service.jobs.settings import EngineSettings
    from upconv.service.work.confinement import Confinement

    confinement = Confinement(memory=settings.memory, cpu_seconds=max(1, int(2 * settings.seconds)))
    return EngineSettings(
        Path(os.path.abspath(settings.folder)),
        settings.database,
        settings.artefacts,
        settings.scheduler,
        settings.workers,
        retention=settings.retention,
        seconds=settings.seconds,
        confinement=confinement,
    )


_LOG: Final = logging.getLogger("upconv.http")
_WORDS: Final = ("url", "job", "step")
"""What a line of the log may have besides its message: never a name or a content of a file."""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        words = {"time": record.created, "level": record.levelname, "message": record.getMessage()}
        words |= {name: getattr(record, name) for name in _WORDS if hasattr(record, name)}
        if record.exc_info:
            words["trace"] = self.formatException(record.exc_info)
        return json.dumps(words)


def _log_as_json() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("upconv").setLevel(logging.INFO)
