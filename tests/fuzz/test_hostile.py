"""Every kind of hostile file: one clear answer, within ten seconds of CPU and a gigabyte."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.fuzz.bounded import SECONDS, in_memory, in_time
from tests.fuzz.hostile import KINDS, made, special_files
from tests.fuzz.making import TENTH, WEIGHTS
from tests.service.commands import upconv
from tests.support import ROOT
from upconv.converters.ir.errors import UpconvError
from upconv.converters.readers.files.budgets import Budget, Meter
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import CheckOptions, check_path
from upconv.linter.settings.config import read_config

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits are the system's"),
    pytest.mark.filterwarnings("ignore"),
]
GOOD = ROOT / "fixtures" / "rules" / "UP201" / "good.prototxt"


def _report(path: Path) -> FileReport | None:
    """The report of a file; None where the command itself is refused."""
    net = WEIGHTS.get(path.suffix)
    model = path.with_name(net) if net else path
    options = CheckOptions(ReadOptions(weights=str(path) if net else ""))
    try:
        return check_path(model, options)
    except UpconvError:
        return None


@pytest.fixture
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the steps that each reader may take, for files that are a tenth as large."""
    real = Meter.__init__

    def smaller(self: Meter, budget: Budget, fail: Callable[[str], NoReturn]) -> None:
        real(self, replace(budget, steps=budget.steps // TENTH), fail)

    monkeypatch.setattr(Meter, "__init__", smaller)


@pytest.mark.usefixtures("small_budgets")
@pytest.mark.parametrize("kind", KINDS)
def test_each_file_is_answered_in_bounds(kind: str, tmp_path: Path) -> None:
    files = made(kind, tmp_path)
    assert files
    for path in files:
        with in_time(SECONDS if TENTH == 1 else SECONDS / 3), in_memory():
            report = _report(path)
        assert report is None or not report.crashed, (path.name, report.findings[:1])
        unreadable = [f for f in (report.findings if report else ()) if f.code == "UP001"]
        assert all("not enough memory" not in f.message for f in unreadable), path.name
        path.unlink()


LONG: Final = 500_000


@pytest.mark.parametrize(
    "text",
    [
        "a = '" + "9" * LONG,
        "9" * LONG,
        '"\\' * LONG,
        "'" * LONG,
        '"!".' * LONG + "a = 1",
        "\n" * LONG,
    ],
    ids=["text", "digits", "escapes", "quotes", "quoted parts", "lines"],
)
@pytest.mark.parametrize("name", ["upconv.toml", "pyproject.toml"])
def test_long_settings_are_read_in_time_that_grows_with_their_length(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with in_time(2), suppress(UpconvError):
        read_config(tmp_path / name)


def test_what_is_no_file_stops_no_search(tmp_path: Path) -> None:
    special_files(tmp_path)
    for number in range(50):
        shutil.copy(GOOD, tmp_path / f"net{number}.prototxt")
    began = time.monotonic()
    done = upconv("check", ".", "--no-cache", cwd=tmp_path)
    assert time.monotonic() - began < 60
    assert done.code == 0, done.err
    assert "50 files checked" in done.out + done.err
    for path in sorted(tmp_path.iterdir()):
        if not path.is_file():
            named = upconv("check", path.name, cwd=tmp_path) if path.suffix == ".h5" else None
            assert named is None or named.code in (1, 2)


@pytest.mark.parametrize("option", ["--weights", "--baseline", "--config"])
@pytest.mark.parametrize("kind", ["pipe", "zero", "itself"])
def test_what_is_no_file_is_refused_as_an_option(tmp_path: Path, option: str, kind: str) -> None:
    shutil.copy(GOOD, tmp_path / "net.prototxt")
    special_files(tmp_path)
    done = upconv("check", "net.prototxt", option, f"{kind}.keras", cwd=tmp_path)
    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert f"{kind}.keras" in done.out + done.err


def test_pipes_in_the_cache_and_as_settings_are_passed_over(tmp_path: Path) -> None:
    for number in range(2):
        shutil.copy(GOOD, tmp_path / f"net{number}.prototxt")
    first = upconv("check", ".", "--cache", cwd=tmp_path)
    entries = list((tmp_path / ".upconv_cache").rglob("??/*.json"))
    assert len(entries) == 2
    for entry in entries:
        entry.unlink()
        subprocess.run(["mkfifo", str(entry)], check=True)
    subprocess.run(["mkfifo", str(tmp_path / ".gitignore")], check=True)
    again = upconv("check", ".", "--cache", cwd=tmp_path)
    assert (again.code, again.out) == (first.code, first.out)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select = " + "[" * 100_000, "nested too deep"),
        ("jobs = " + "9" * 5000, "is no TOML"),
        ('exclude = ["a\\u0000b"]', ""),
        ('baseline = "a\\u0000b"', "control character"),
        ('cache-dir = "a\\u0000b"', "control character"),
        ('exclude = ["!", "\\\\", "[z-a]", "["]', ""),
        ('exclude = ["' + "*a" * 2000 + 'b"]', ""),
        ("a." * 100_000 + "a = 1", "a key of more than 64 parts"),
        ("x = " + "{a=" * 50_000, "nested too deep"),
    ],
)
def test_settings_are_answered(tmp_path: Path, text: str, words: str) -> None:
    for number in range(2):
        shutil.copy(GOOD, tmp_path / f"{'a' * 100}{number}.prototxt")
    (tmp_path / "upconv.toml").write_text(text)
    done = upconv("check", ".", "--cache", cwd=tmp_path)
    assert "failed" not in done.err
    assert done.code == (2 if words else done.code)
    assert done.code in (0, 2)
    assert words in done.err
    assert len(done.err) < 2000
