"""`upconv format` as a user runs it: files, standard input, what would change, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.commands import upconv

ROUGH = b'\xef\xbb\xbflayer{name:"\xc3\xa9" # why\r\n type :"ReLU"}\r\n'
LAID_OUT = b'\xef\xbb\xbflayer {\r\n  name: "\xc3\xa9"  # why\r\n  type: "ReLU"\r\n}\r\n'


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_bytes(ROUGH)
    return path


def test_a_file_is_laid_out_in_place_with_its_line_ends_and_its_mark(net: Path) -> None:
    first = upconv("format", net)
    assert (first.code, first.out) == (0, f"laid out {net}\n")
    assert net.read_bytes() == LAID_OUT
    again = upconv("format", net)
    assert (again.code, again.out) == (0, "")


def test_check_and_diff_write_nothing(net: Path) -> None:
    check = upconv("format", "--check", net)
    assert (check.code, check.out) == (1, f"would lay out {net}\n")
    diff = upconv("format", "--diff", net)
    assert diff.code == 1
    assert '+  type: "ReLU"' in diff.out
    assert net.read_bytes() == ROUGH


def test_standard_input_goes_to_standard_output() -> None:
    assert upconv("format", "-", stdin="pad :1;").out == "pad: 1\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"layer {", "never closed"), (b"\0", "binary content"), (None, "a folder, expected files")],
)
def test_what_cannot_be_read_stays_as_it_is(net: Path, data: bytes | None, words: str) -> None:
    if data is not None:
        net.write_bytes(data)
    done = upconv("format", net if data is not None else net.parent)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert net.read_bytes() == (ROUGH if data is None else data)
