"""Fixtures every test may ask for, and one deterministic hypothesis profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support import ROOT, Golden, is_absence, shared_file, shared_folder

# The same examples on every machine: a red build is a change of ours, never luck. Search wider
# with HYPOTHESIS_PROFILE=explore.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))

# A slow machine would write lines of progress where tests want nothing on standard error.
os.environ["UPCONV_PROGRESS"] = "0"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly how much was not tested: a green run without recorded outputs proves less."""
    count = sum(map(is_absence, terminalreporter.stats.get("skipped", ())))
    if count:
        where = f"nothing to compare with in {shared_folder()}; set UPCONV_SHARED"
        terminalreporter.write_sep(
            "!", f"NOT TESTED: {count} skipped, {where}", red=True, bold=True
        )


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and corpora; the test skips where it is absent."""
    return shared_file("")


@pytest.fixture
def golden() -> Golden:
    """`golden(path, text)` compares text with a stored file; `make golden` rewrites the file.

    Mark the test with `pytest.mark.golden`, or `make golden` will not run it.
    """
    return Golden(write=os.environ.get("UPCONV_GOLDEN") == "write")
