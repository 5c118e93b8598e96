"""The golden comparison itself: it must fail where texts differ, line ends included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Golden


def test_golden_written_then_equal(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.txt"
    Golden(write=True)(path, "größer\r\n")
    Golden(write=False)(path, "größer\r\n")


def test_golden_refuses_another_text(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"one\r\n")
    with pytest.raises(AssertionError, match="differs"):
        Golden(write=False)(path, "one\n")


def test_golden_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="does not exist"):
        Golden(write=False)(tmp_path / "absent.txt", "")
