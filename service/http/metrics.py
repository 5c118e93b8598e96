"""Numbers for Prometheus, in its text format 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping

from upconv.service.jobs.spec import State


class Metrics:
    """What was answered since the server started."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def count(self, method: str, status: int) -> None:
        """Note an answer."""
        known = method if method in ("GET", "HEAD", "POST", "DELETE") else "other"
        with self._lock:
            self._answers[known, status] += 1

    def text(self, jobs: Mapping[State, int], stored: int) -> str:
        """All numbers, with the jobs of each state and the bytes of the store."""
        return "\n".join([*self._lines(jobs, stored), ""])

    def _lines(self, jobs: Mapping[State, int], stored: int) -> Iterator[str]:
        yield "# HELP upconv_http_responses_total Answers by method and status."
        yield "# TYPE upconv_http_responses_total counter"
        with self._lock:
            answers = sorted(self._answers.items())
        for (method, status), number in answers:
            yield f'upconv_http_responses_total{{method="{method}",status="{status}"}} {number}'
        yield "# HELP upconv_jobs Jobs that are kept, by state."
        yield "# TYPE upconv_jobs gauge"
        for state, number in jobs.items():
            yield f'upconv_jobs{{state="{state}"}} {number}'
        yield "# HELP upconv_store_bytes Bytes of uploads and artefacts."
        yield "# TYPE upconv_store_bytes gauge"
        yield f"upconv_store_bytes {stored}"
