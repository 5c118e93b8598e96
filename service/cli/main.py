"""The command line: `upconv check`, `convert`, `inspect`, `verify`, `audit` and the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130
"""The exit code of what Ctrl-C ends, as shells have it: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every error a user can cause is one line and exit code 2."""
    from upconv.converters.processors import ONE_THREAD
    from upconv.service.cli.collector import collect_seldom

    if arguments is None:  # then the process is the command's own
        os.environ.setdefault(ONE_THREAD, "1")
        _replace_closed_streams()
    collect_seldom()  # before anything else, since importing makes more objects than most commands

    import click

    from upconv.converters.ir.errors import UpconvError
    from upconv.service.cli.ending import end
    from upconv.service.cli.group import cli

    try:
        code = cli.main(args=arguments, prog_name="upconv", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 2
    except click.Abort:
        _complain("stopped")
        code = INTERRUPTED
    except UpconvError as error:
        _complain(str(error))
        code = 2
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has stopped reading, as `head` does
        code = 0
    except OSError as error:
        _complain(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
        code = 2
    except Exception as error:  # a defect of ours, which is neither "clean" nor "findings"
        _complain_of_ourselves(error)
        code = 2
    status = code if isinstance(code, int) else 0
    if arguments is None:
        end(status)
    sys.exit(status)


def _replace_closed_streams() -> None:
    """Where the caller has closed a standard stream, write to nowhere. Else the next file that is
    opened would take its number, and with it what others write there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _complain_of_ourselves(error: Exception) -> None:
    if os.environ.get("UPCONV_DEBUG"):
        import traceback

        traceback.print_exc()
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    _complain(f"upconv failed: {reason} (please report it; UPCONV_DEBUG=1 shows where)")


def _complain(message: str) -> None:
    import click

    click.echo(f"error: {message}", err=True)


if __name__ == "__main__":
    main()
