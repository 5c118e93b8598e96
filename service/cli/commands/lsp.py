"""`upconv lsp`: findings, sizes and fixes in the editor."""

from __future__ import annotations

from importlib.util import find_spec

import click

from upconv.converters.ir.errors import UsageError


@click.command()
@click.option(
    "--tcp",
    default="",
    metavar="HOST:PORT",
    help="Serve one editor over a socket.  [default: standard input and output]",
)
@click.option("--stdio", is_flag=True, help="The default; editors like to say it.")
def command(tcp: str, stdio: bool) -> int:
    """Serve an editor: findings while you type, sizes beside every layer, fixes.

    It speaks the Language Server Protocol; docs/editors/ says how each editor starts it.

    \b
    Examples:
      upconv lsp
      upconv lsp --tcp 127.0.0.1:2087
    """
    if find_spec("pygls") is None:
        raise UsageError("the language server is not installed", hint="pip install 'upconv[lsp]'")
    if tcp and stdio:
        raise UsageError("--tcp and --stdio: one of the two")
    from upconv.service.cli.collector import collect_seldom

    collect_seldom(0)
    from upconv.service.lsp.server import serve_stdio, serve_tcp

    collect_seldom(3)
    if tcp:
        serve_tcp(*_place(tcp))
    else:
        serve_stdio()
    return 0


def _place(tcp: str) -> tuple[str, int]:
    host, _, port = tcp.rpartition(":")
    if not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise UsageError(f"--tcp {tcp[:80]}: no HOST:PORT", hint="as in --tcp 127.0.0.1:2087")
    return host or "127.0.0.1", int(port)
