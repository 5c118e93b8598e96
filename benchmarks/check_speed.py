"""Files per second of `upconv check` over a folder of nets: one process and two, cache cold and
warm, each in a process of its own, start-up included.

python -m benchmarks.check_speed [FOLDER] [ROUNDS]

FOLDER is by default the corpus of the folder that UPCONV_SHARED names, ../shared.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHARED = os.environ.get("UPCONV_SHARED") or Path(__file__).parents[2] / "shared"
CASES = (
    ("no cache, --jobs 1", ("--no-cache", "--jobs", "1"), False),
    ("no cache, --jobs 2", ("--no-cache", "--jobs", "2"), False),
    ("cold cache, --jobs 1", ("--jobs", "1"), False),
    ("cold cache, --jobs 2", ("--jobs", "2"), False),
    ("warm cache, --jobs 1", ("--jobs", "1"), True),
)


def seconds(folder: Path, options: tuple[str, ...], cache: Path) -> tuple[float, float]:
    """(wall, CPU of all processes)."""
    upconv = os.path.join(os.path.dirname(sys.executable), "upconv")
    command = [upconv, "check", str(folder), "--cache-dir", str(cache), "--format", "concise"]
    quiet = subprocess.DEVNULL
    start, before = time.perf_counter(), _cpu()
    subprocess.run([*command, *options], stdout=quiet, stderr=quiet, check=False)
    return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def files_in(folder: Path) -> int:
    """How many files are checked, those that turn out to be no nets among them."""
    upconv = os.path.join(os.path.dirname(sys.executable), "upconv")
    command = [upconv, "check", str(folder), "--no-cache", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False)
    return len(json.loads(done.stdout)["files"])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(SHARED) / "corpus" / "caffe"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not folder.is_dir():
        print(f"check speed: skipped, {folder} is not there")
        return
    count = files_in(folder)
    print(f"check speed, {count} files, median of {rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        for name, options, warm in CASES:
            times = []
            for _ in range(rounds):
                if not warm:
                    shutil.rmtree(cache, ignore_errors=True)
                times.append(seconds(folder, options, cache))
            wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"  {name:22} {count / wall:6.0f} files/s  {wall:6.2f} s, CPU {cpu:5.2f} s")


if __name__ == "__main__":
    main()
