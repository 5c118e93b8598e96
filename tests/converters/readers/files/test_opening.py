"""What is no regular file is never waited for, whatever its name says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.opening import open_regular, read_regular
from upconv.converters.readers.formats import FORMATS, open_model
from upconv.converters.readers.options import ReadOptions

SUFFIXES = sorted({f".{end}" for entry in FORMATS for end in entry.searched})


def _make(folder: Path, kind: str, name: str) -> str:
    path = folder / name
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "itself":
            path.symlink_to(name)
        case "nothing":
            path.symlink_to("nowhere")
        case "folder":
            path.mkdir()
    return f"{path}\0" if kind == "nul" else str(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "a pipe, expected a regular file"),
        ("zero", "a device, expected a regular file"),
        ("itself", "Too many levels of symbolic links"),
        ("nothing", "No such file"),
        ("folder", "a folder, expected a file"),
        ("nul", "the path holds a NUL"),
        ("absent", "No such file"),
    ],
)
def test_one_reason_each(tmp_path: Path, kind: str, words: str) -> None:
    path = _make(tmp_path, kind, "a.prototxt")
    with pytest.raises(OSError, match=words):
        read_regular(path)


@pytest.mark.parametrize("kind", ["pipe", "zero", "itself"])
@pytest.mark.parametrize("suffix", [*SUFFIXES, ".caffemodel", ".txt", ".no"])
def test_no_format_waits(tmp_path: Path, kind: str, suffix: str) -> None:
    path = _make(tmp_path, kind, f"a{suffix}")
    with pytest.raises(UnreadableError) as caught:
        open_model(path, ReadOptions())
    assert caught.value.path == path


def test_a_regular_file_is_read_whole_and_bounded(tmp_path: Path) -> None:
    file = tmp_path / "a"
    data = os.urandom(3 << 20)
    file.write_bytes(data)
    (tmp_path / "link").symlink_to("a")
    assert read_regular(tmp_path / "link", len(data)) == data
    with open_regular(file) as opened:
        assert not os.get_inheritable(opened.fileno())
    with pytest.raises(OSError, match=f"larger than {len(data) - 1} bytes"):
        read_regular(file, len(data) - 1)
