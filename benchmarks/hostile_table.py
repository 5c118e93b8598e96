"""What hostile files do to a check: by the command line, in a process of its own, in full size.

`python -m benchmarks.hostile_table [--before CHECKOUT] [--every N] [KIND ...]` prints one line a
kind. A file fails where its check ends in a traceback or a crash, gives no message, or takes ten
seconds of CPU or a gigabyte. Then a folder of all files of the kind and of 50 good ones is
searched: none of these may be lost. CHECKOUT is another version of the project, asked the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.bounded import BYTES, SECONDS
from tests.fuzz.hostile import KINDS
from tests.fuzz.making import WEIGHTS
from tests.support import ROOT, shared_folder

STORED: Final = "files that once failed"
CASES: Final = shared_folder() / "cases" / "hostile"
GOOD: Final = ROOT / "fixtures" / "rules" / "UP201" / "good.prototxt"
COPIES: Final = 50
SPOKEN: Final = 5000
"""Characters of what is told that are looked at."""

LIMITED: Final = f'ulimit -c 0; ulimit -t {SECONDS + 1}; ulimit -v {2 * BYTES >> 10}; exec "$@"'
"""One more second and twice the memory, so that what is beyond is seen and does not last."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check cost and, where it fails, why."""

    seconds: float
    megabytes: float
    wrong: str


def asked(checkout: Path, path: Path) -> Answer:
    """The check of one file by a version of the project."""
    net = WEIGHTS.get(path.suffix)
    arguments = [net, "--weights", path.name] if net else [path.name]
    check = [sys.executable, "-m", "upconv", "check", "--no-cache", *arguments]
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            ["sh", "-c", LIMITED, "sh", *check], cwd=path.parent, env=_environment(checkout),
            stdout=told, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = code = os.waitstatus_to_exitcode(status)
        told.seek(0)
        words = told.read(SPOKEN).decode("utf-8", "replace")
    seconds, size = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
    return Answer(seconds, size / 2**20, _wrong(code, seconds, size, words))


def _environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(checkout)}


def _wrong(code: int, seconds: float, size: int, words: str) -> str:
    reasons = {
        f"{seconds:.0f} s": seconds > SECONDS,
        f"{size >> 20} MB": size > BYTES,
        f"ended with {code}": code not in (0, 1, 2),
        "no message": not words.strip(),
        "a traceback": "Traceback" in words,
        "a crash": "UP006" in words or "internal error" in words,
        "not enough memory": "not enough memory" in words,
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds)


def kept(checkout: Path, folder: Path) -> int:
    """How many of the good files are checked in a folder with all the others."""
    for number in range(COPIES):
        shutil.copy(GOOD, folder / f"good{number}.prototxt")
    command = [sys.executable, "-m", "upconv", "check", "--no-cache", "--format", "json", "."]
    done = subprocess.run(
        command, check=False, cwd=folder, env=_environment(checkout), capture_output=True
    )
    try:
        files = json.loads(done.stdout)["files"]
    except (ValueError, KeyError):
        return 0
    checked = [file for file in files if Path(file["path"]).name.startswith("good")]
    return sum(file["status"] == "ok" for file in checked)


def _made(kind: str, folder: Path) -> list[Path]:
    """The files of a kind, made in another process: one's own memory is counted to its children."""
    if kind == STORED:
        shutil.copytree(CASES, folder, dirs_exist_ok=True)
    else:
        command = [sys.executable, "-m", "tests.fuzz.hostile", kind, str(folder)]
        full = os.environ | {"UPCONV_HOSTILE": "full"}
        subprocess.run(command, cwd=ROOT, env=full, check=True)
    return sorted(path for path in folder.iterdir() if path.name not in WEIGHTS.values())


def _row(kind: str, before: Path | None, every: int) -> Iterator[str]:
    """The line of the table, and one for each file that fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _made(kind, folder)[::every]
        now = {path: asked(ROOT, path) for path in files}
        failed = [path for path, answer in now.items() if answer.wrong]
        then = sum(bool(asked(before, path).wrong) for path in files) if before else "-"
        most = max(answer.seconds for answer in now.values())
        size = max(answer.megabytes for answer in now.values())
        good = kept(ROOT, folder)
    yield (
        f"{kind:<26}{len(files):>6}{then:>15}{len(failed):>13}"
        f"{most:>10.1f}{size:>9.0f}{good:>9} of {COPIES}"
    )
    yield from (f"  {path.name}: {now[path].wrong}" for path in failed)


def main() -> None:
    kinds = (*KINDS, *([STORED] if CASES.is_dir() else ()))
    parser = argparse.ArgumentParser("python -m benchmarks.hostile_table", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th file")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(kinds)}")
    options = parser.parse_args()
    if wrong := [kind for kind in options.kinds if kind not in kinds]:
        parser.error(f"no kind {', '.join(wrong)}; there are {', '.join(kinds)}")
    print(f"{'kind':<26} tried  failed before  failing now  most CPU  most MB  good kept")
    for kind in options.kinds or kinds:
        print(*_row(kind, options.before, options.every), sep="\n", flush=True)


if __name__ == "__main__":
    main()
