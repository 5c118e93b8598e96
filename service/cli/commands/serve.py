"""`upconv serve`: the HTTP service."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from upconv.converters.ir.errors import UsageError

if TYPE_CHECKING:
    from upconv.service.http.app import Pages

GIGABYTE = 10**9
DAY = 86400.0


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; beyond this machine only with --tokens.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any that is free; the log says which.",
)
@click.option(
    "--data",
    "folder",
    default="upconv-service",
    show_default=True,
    type=click.Path(),
    metavar="DIR",
    help="Uploads, artefacts and, without --database, the jobs.",
)
@click.option(
    "--database",
    default="",
    envvar="UPCONV_DATABASE",
    metavar="URL",
    help="postgresql://...  [default: SQLite in --data]",
)
@click.option(
    "--artefacts",
    default="",
    envvar="UPCONV_ARTEFACTS",
    metavar="URL",
    help="s3://bucket/prefix ...: uploads and artefacts are kept there too.",
)
@click.option(
    "--scheduler",
    default="",
    envvar="UPCONV_SCHEDULER",
    metavar="URL",
    help="tcp://HOST:8786: jobs are done by the workers of this dask scheduler.",
)
@click.option(
    "--tokens",
    default="",
    type=click.Path(),
    metavar="FILE",
    help="Who may ask: names and hashes of tokens.",
)
@click.option(
    "--add-token",
    default="",
    metavar="NAME",
    help="Make a token, print it once, keep its hash in --tokens, and end.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="A name that the server goes by; others are refused.",
)
@click.option(
    "--jobs",
    "workers",
    type=click.IntRange(1, 256),
    default=2,
    show_default=True,
    metavar="N",
    help="Jobs that run at a time.",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1),
    default=1800.0,
    show_default=True,
    metavar="SECONDS",
    help="Of one step of a job.",
)
@click.option(
    "--memory",
    type=click.FloatRange(0.1),
    default=4.0,
    show_default=True,
    metavar="GB",
    help="Of one process of a job.",
)
@click.option(
    "--upload",
    type=click.FloatRange(0.001),
    default=2.0,
    show_default=True,
    metavar="GB",
    help="Of one request, archives expanded.",
)
@click.option(
    "--disk",
    type=click.FloatRange(0.01),
    default=50.0,
    show_default=True,
    metavar="GB",
    help="Of all uploads and artefacts; a full store takes no more.",
)
@click.option(
    "--retention",
    type=click.FloatRange(0.001),
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="For which a job is kept after its end.",
)
def command(add_token: str, **given: Any) -> int:
    """Serve check, convert, verify and audit over HTTP, with a page for browsers.

    \b
    Examples:
      upconv serve                                      for this machine: http://127.0.0.1:8000
      upconv serve --tokens tokens.txt --add-token ci
      upconv serve --tokens tokens.txt --host 0.0.0.0
    """
    if add_token:
        return _add_token(given["tokens"], add_token)
    for package in ("fastapi", "uvicorn", "dbos", "jinja2", "multipart"):
        if find_spec(package) is None:
            raise UsageError("the service is not installed", hint="pip install 'upconv[service]'")
    from upconv.service.http.serve import ServeSettings, serve

    for name in ("memory", "upload", "disk"):
        given[name] = int(given[name] * GIGABYTE)
    given["retention"] *= DAY
    serve(ServeSettings(**given), _pages)
    return 0


def _pages() -> Pages:
    from upconv.service.http.app import Pages
    from upconv.service.page.routes import router, show_error, static

    return Pages(router, static, show_error)


def _add_token(path: str, name: str) -> int:
    from upconv.service.http.tokens import add_token

    if not path:
        raise UsageError("--add-token needs the file that keeps it", hint="--tokens FILE")
    click.echo(add_token(path, name))
    return 0
