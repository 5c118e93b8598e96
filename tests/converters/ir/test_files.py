"""Files that are written whole, with the mode that the system gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from upconv.converters.ir.files import write_whole
from upconv.converters.ir.temporaries import (
    HOLDS,
    clear_abandoned,
    remove_folder,
    temporary_file,
    temporary_folder,
)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    """In a process of its own: the umask is the whole process's."""
    script = (
        "import os, sys\n"
        "from upconv.converters.ir.files import write_whole\n"
        f"os.umask({mask})\n"
        "write_whole(sys.argv[1], b'new')\n"
    )
    path = tmp_path / "file"
    subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=True)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_private_file_is_private_all_the_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen: list[int] = []
    real = os.open

    def watched(*given: object, **named: object) -> int:
        handle: int = real(*given, **named)  # type: ignore[arg-type]
        seen.append(os.fstat(handle).st_mode & 0o777)
        return handle

    monkeypatch.setattr(os, "open", watched)
    write_whole(path, b"new")
    assert seen == [0o600]
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_temporary_files_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the chance of one name: another is tried."""
    names = iter([b"a" * 8, b"a" * 8, b"b" * 8])
    monkeypatch.setattr(os, "urandom", lambda count: next(names))
    made = [temporary_file(tmp_path) for _ in range(2)]
    for handle, _ in made:
        os.close(handle)
    assert made[0][1] != made[1][1]


_KILLED = """
import os, signal, sys
from upconv.converters.ir.temporaries import temporary_file, temporary_folder
temporary_file(sys.argv[1])
temporary_file(sys.argv[1], suffix=".onnx")
_, folder = temporary_folder(sys.argv[1])
(folder / "weights").write_bytes(b"1")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not HOLDS, reason="no locks that end with their process")
def test_what_a_killed_process_left_goes_with_the_next_file_written(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 3
    write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_somebody_holds_or_has_named_stays(tmp_path: Path) -> None:
    (tmp_path / ".upconv-mine").mkdir()
    handle, name = temporary_file(tmp_path)
    held, folder = temporary_folder(tmp_path)
    clear_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([Path(name), folder, tmp_path / ".upconv-mine"])
    os.close(handle)
    remove_folder(held, folder)
    assert not folder.exists()
