"""Patterns against git itself, and against those who want them to take for ever."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from upconv.linter.settings.patterns import Patterns, parsed

_PIECES = (
    *("a", "b", "ab", "*", "?", "]", "!", "\\", "/", "**", "-", "[a-b]", "[!a]", "#", " "),
    *("[[:alpha:]]", "[]a]", "[z-a]", "a/", "/a", "**/", "/**", "\\*", "[^b]", "["),
)
_NAMES = ("a", "b", "ab", "ba", "aab", "!", "#", "]", "-", "a b", "*", "[a")


@pytest.mark.skipif(shutil.which("git") is None, reason="git judges")
def test_as_git_does(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    rng = random.Random(11)
    for _ in range(120):
        lines = [
            "".join(rng.choices(_PIECES, k=rng.randint(1, 5))) for _ in range(rng.randint(1, 3))
        ]
        if any("//" in line or re.search(r"\[.*/", line) for line in lines):
            continue  # to git a bracket goes on after a slash, and "//" is a name of its own
        (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
        paths = {"/".join(rng.choices(_NAMES, k=rng.randint(1, 4))) for _ in range(30)}
        patterns = Patterns(parsed(lines))
        ours = {path for path in paths if patterns.verdict(path)}
        assert ours == _ignored_by_git(tmp_path, sorted(paths)), lines


def _ignored_by_git(folder: Path, paths: list[str]) -> set[str]:
    command = ["git", "-C", str(folder), "check-ignore", "--no-index", "--stdin", "-z"]
    names = "".join(f"{path}\0" for path in paths)
    done = subprocess.run(command, input=names, capture_output=True, text=True, check=False)
    return set(done.stdout.split("\0")) - {""}


@pytest.mark.parametrize("line", ["!", "\\", "a\\", "[z-a]", "[", "[a", "[[:no:]]", "/", "//", " "])
def test_what_is_no_pattern_matches_nothing(line: str) -> None:
    patterns = Patterns(parsed([line]))
    assert not any(patterns.verdict(path) for path in ("a", "m", "a/m", "!", "[", "[a"))


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("*a" * 2000 + "b", "a" * 255),
        ("[!b]*" * 800 + "c", "a" * 255),
        ("?*" * 2000, "a" * 255),
        ("**/a/" * 800 + "b", "a/" * 1000 + "a"),
        ("**/" * 1300 + "b", "a/" * 1000 + "a"),
        ("[" * 4000, "[" * 255),
    ],
)
def test_no_pattern_takes_for_ever(line: str, path: str) -> None:
    patterns = Patterns(parsed([line]))
    before = time.process_time()
    patterns.verdict_alone(path.split("/"))
    assert time.process_time() - before < 5  # milliseconds; those that try again take years


def test_more_patterns_than_anyone_writes_are_not_obeyed() -> None:
    assert len(parsed(["a"] * 100, 10)) == 10
