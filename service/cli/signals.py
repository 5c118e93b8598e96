"""Signals that ask a command to end."""

from __future__ import annotations

import signal


def end_as_interrupted() -> None:
    """Let such a signal be what Ctrl-C is, so that hidden files and child processes go too.

    For commands that have any: elsewhere a signal may end the process where it stands.
    """

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
