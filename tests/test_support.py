"""The golden comparison itself: it must fail where texts differ, line ends included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, Golden


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


@pytest.mark.parametrize(("folder", "said"), [("", False), ("/nowhere/shared", True)])
def test_what_skips_without_recorded_outputs_is_said_loudly(folder: str, said: bool) -> None:
    here = os.environ.get("UPCONV_SHARED") or str(ROOT.parent / "shared")
    if not folder and not Path(here).is_dir():
        pytest.skip("the summary of this very run says it")
    files = ["tests/converters/passes/test_cut.py", "tests/test_caffe_goldens.py"]
    names = "a_public_case or a_golden_net_converts" if folder else "a_public_case"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", names],
        cwd=ROOT,
        env={**os.environ, "UPCONV_SHARED": folder or here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    count = "NOT TESTED: 2 skipped, nothing to compare with in /nowhere/shared"
    assert (count in done.stdout) is said
