"""Commands that write, stopped at random moments: kill -9, SIGTERM, and a disk that is full.

`python -m tests.fuzz.killing [ROUNDS [SEED]]` prints a table. A round stops one command, and then
runs it again. What is asked of each: every file is the old one or the new one, whole; the next run
works, and after it no hidden file is left. The full disk is a tmpfs where mounting is allowed, else
a limit on the size of files.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import ROOT

ROUNDS: Final = 200
COPIES: Final = 12
"""Nets in the folder, so that a command has more than one file to write."""

CASES: Final = ROOT / "fixtures" / "rules"
BAD: Final = CASES / "UP202" / "bad.prototxt"
DISK: Final = 1 << 20
TEMPORARY: Final = ".upconv-"

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "convert": (
        "convert", "net0.prototxt", "-o", "out.onnx", "--fill-missing", "bilinear,constant",
        "--no-verify", "--external-data", "always",
    ),
    "convert and prove": (
        "convert", "net0.prototxt", "-o", "out.onnx", "--fill-missing", "bilinear,constant",
        "--report", "report.json",
    ),
    "check --fix": ("check", ".", "--fix", "--unsafe-fixes", "--exit-zero", "--no-cache"),
    "--write-baseline": ("check", ".", "--write-baseline", "--exit-zero", "--no-cache"),
    "cache": ("check", ".", "--cache", "--exit-zero"),
}  # fmt: skip

Content = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, what it makes of the folder, and how long it takes."""

    name: str
    arguments: tuple[str, ...]
    before: Content
    after: Content
    seconds: float


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def laid_out(folder: Path, content: Content) -> None:
    """Let a folder hold these files and no others."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def started(
    arguments: tuple[str, ...], folder: Path, largest: int | None = None
) -> subprocess.Popen[bytes]:
    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(
        [sys.executable, "-m", "upconv", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=limit,  # noqa: PLW1509  no threads here
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    error = process.communicate(timeout=300)[1]
    return process.returncode, error.decode("utf-8", "replace")


def measured(name: str, folder: Path) -> Command:
    """A command run undisturbed."""
    before = {f"net{number}.prototxt": BAD.read_bytes() for number in range(COPIES)}
    laid_out(folder, before)
    began = time.monotonic()
    code, error = ended(started(COMMANDS[name], folder))
    assert code == 0, error
    return Command(name, COMMANDS[name], before, files(folder), time.monotonic() - began)


def stopped(command: Command, how: str, folder: Path, rng: random.Random) -> str:
    """What is wrong after a command was stopped in that way and run again; "" for nothing."""
    old = rng.choice((command.before, command.after))  # with and without what an earlier run made
    laid_out(folder, {**old, **{n: d for n, d in command.before.items() if n in old}})
    there = files(folder)
    if how == "full disk":
        code, error = _on_full_disk(command, folder, rng)
        if "Traceback" in error or code not in (0, 1, 2):
            return f"exit {code}: {error[-200:]}"
    else:
        process = started(command.arguments, folder)
        # Writing is what a command does last: half of the moments lie there.
        share = rng.random() if rng.random() < 0.5 else 0.7 + 0.4 * rng.random()
        time.sleep(share * command.seconds)
        process.send_signal(signal.Signals[how])
        ended(process)
        if how == "SIGTERM" and (left := _temporaries(folder)):
            return f"left {left}"
    return _half(command, folder, there) or _next_run(command, folder)


def _on_full_disk(command: Command, folder: Path, rng: random.Random) -> tuple[int, str]:
    wanted = sum(map(len, command.after.values()))
    if os.path.ismount(folder):
        filler = folder / "filler.bin"
        with filler.open("wb") as file, _ignoring_full_disk():
            size = shutil.disk_usage(folder).free - rng.randrange(wanted)
            file.write(bytes(max(size, 0)))
        result = ended(started(command.arguments, folder))
        filler.unlink()
        return result
    largest = rng.randrange(max(map(len, command.after.values())))
    return ended(started(command.arguments, folder, largest))


@contextmanager
def _ignoring_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


def _half(command: Command, folder: Path, there: Content) -> str:
    """Which file is neither what it was nor what it was to be."""
    for name, data in files(folder).items():
        if TEMPORARY not in name and data not in (there.get(name), command.after.get(name)):
            return f"{name} is neither old nor new"
    lost = [name for name in there if not (folder / name).exists()]
    return f"lost {lost}" if lost else ""


def _next_run(command: Command, folder: Path) -> str:
    code, error = ended(started(command.arguments, folder))
    if code:
        return f"the next run: exit {code}: {error[-200:]}"
    if left := _temporaries(folder):
        return f"left behind after the next run: {left}"
    wrong = [name for name, data in files(folder).items() if command.after.get(name) != data]
    return f"the next run made others: {wrong}" if wrong else ""


def _temporaries(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(f"{TEMPORARY}*")]


@contextmanager
def small_disk(root: Path) -> Iterator[Path]:
    """A disk of a megabyte, or a folder like any other where none may be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(root)]
    mounted = bool(shutil.which("mount")) and subprocess.run(
        mount, capture_output=True, check=False
    ).returncode == 0  # fmt: skip
    try:
        yield root
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(root)], check=True)


HOW: Final = ("SIGKILL", "SIGTERM", "full disk")


def run(
    rounds: int, seed: int, folder: Path, names: tuple[str, ...], tell: Callable[[str], None]
) -> Counter[tuple[str, str, bool]]:
    """How many rounds of each command and way of stopping it went well, and how many did not."""
    rng = random.Random(seed)
    commands = [measured(name, folder) for name in names]
    counts: Counter[tuple[str, str, bool]] = Counter()
    for number in range(rounds):
        command = commands[number % len(commands)]
        how = HOW[number // len(commands) % len(HOW)]
        wrong = stopped(command, how, folder, rng)
        counts[command.name, how, not wrong] += 1
        if wrong:
            tell(f"round {number}: {command.name}, {how}: {wrong}")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz.killing", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="(%(default)s)")
    parser.add_argument("seed", nargs="?", type=int, default=0, help="(%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, small_disk(Path(root)) as folder:
        print("a full tmpfs" if os.path.ismount(folder) else "a limit on the size of files")
        counts = run(
            options.rounds,
            options.seed,
            folder,
            tuple(COMMANDS),
            lambda text: print(text, flush=True),
        )
    for name in COMMANDS:
        each = [(how, counts[name, how, True], counts[name, how, False]) for how in HOW]
        told = (f"{how}: {well} well, {not_well} not" for how, well, not_well in each)
        print(f"{name:<20}" + "; ".join(told))
    return int(any(not well for _, _, well in counts))


if __name__ == "__main__":
    sys.exit(main())
