"""Who is next: jobs in rounds, in each of which every token has one.

A job's round is written into the database as its priority when it is queued, so that the order
outlives the server. A token's next job comes in the round behind its last one that waits; its first
one in the round that is being served. So a job waits for at most one of each other token, and for
those that run, however many another token has sent before it.
"""

from __future__ import annotations

import threading

from upconv.converters.ir.errors import UpconvError


class BusyError(UpconvError):
    """As many jobs wait as may wait."""


class Line:
    """The jobs that wait, with their owners and rounds, and those that are under way, of which
    there are `places`. At most `waiting` wait, and `each` of one owner."""

    def __init__(self, places: int, waiting: int, each: int) -> None:
        self._places, self._waiting, self._each = places, waiting, each
        self._queued: dict[str, tuple[str, int]] = {}
        self._under_way: set[str] = set()
        self._served = 1
        self._lock = threading.Lock()

    def turn(self, job: str, owner: str) -> int | None:
        """A new job's round, None where it can begin at once. Raises BusyError."""
        with self._lock:
            if not self._queued and len(self._under_way) < self._places:
                self._under_way.add(job)
                return None
            own = [turn for who, turn in self._queued.values() if who == owner]
            if len(self._queued) >= self._waiting or len(own) >= self._each:
                raise BusyError(f"{len(self._queued)} jobs wait already", hint="ask again later")
            turn = max(own) + 1 if own else self._served
            self._queued[job] = owner, turn
            return turn

    def join(self, job: str, owner: str, turn: int | None) -> None:
        """A job that waits since another server."""
        with self._lock:
            self._queued[job] = owner, turn or 1
            self._served = min(known for _, known in self._queued.values())

    def begin(self, job: str) -> None:
        """A job waits no more."""
        with self._lock:
            self._under_way.add(job)
            _, turn = self._queued.pop(job, ("", self._served))
            self._served = max(self._served, turn) if self._queued else 1

    def leave(self, job: str) -> None:
        """A job has ended, or will not begin."""
        with self._lock:
            self._queued.pop(job, None)
            self._under_way.discard(job)
