"""Progress: a line that is written again where a person watches, else one in ten seconds."""

from __future__ import annotations

import io
import sys

import pytest

from upconv.converters.proof.pace import Pace
from upconv.service.cli import progress


def lines(monkeypatch: pytest.MonkeyPatch, variable: str) -> list[str]:
    """What is written in 40 seconds of a message each second."""
    clock = iter(range(1000))
    written = io.StringIO()
    monkeypatch.setenv("UPCONV_PROGRESS", variable)
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress.progress_line() as show:
        for second in range(20):
            show(f"step {second}")
    return written.getvalue().splitlines()


def test_a_log_gets_a_line_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    said = lines(monkeypatch, "")
    assert 2 <= len(said) < 10
    assert lines(monkeypatch, "0") == []


def test_a_pace_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    pace = Pace(said.append, total=100.0, started=0.0)
    monkeypatch.setattr("time.monotonic", lambda: 30.0)
    pace.step(25.0)
    pace.tell("layer 3 of 9")
    assert said == ["layer 3 of 9, 30 s so far, about 90 s left"]
