"""`make fuzz`: every harness for a while, guided by coverage where atheris is installed.

Inputs that fail are left in build/fuzz/TARGET; what they show is mended, and their kind becomes a
test. Without atheris (extra `fuzz`) the seeded mutations of the tests go on for as long.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.fuzz.bounded import SlowError, in_memory, in_time
from tests.fuzz.kept import BUILD, Kept
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

EACH: Final = 60


def main() -> int:
    options = _options()
    seconds, names = options.seconds, options.targets or list(TARGETS)
    guided = find_spec("atheris") is not None
    failed = [name for name in names if not (_guided if guided else _plain)(name, seconds)]
    for name in failed:
        print(f"{name}: fails; the inputs are in {BUILD / name}")
    return int(bool(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "seconds", nargs="?", type=int, default=EACH, help="for each target (%(default)s)"
    )
    parser.add_argument("targets", nargs="*", help=f"all, or some of {', '.join(TARGETS)}")
    options = parser.parse_args()
    if wrong := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"no target {', '.join(wrong)}; there are {', '.join(TARGETS)}")
    return options


def _guided(name: str, seconds: int) -> bool:
    """libFuzzer ends its process, so each target has one of its own."""
    folder = BUILD / name
    before = set(folder.glob("*"))
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds)]
    return subprocess.run(command, check=False).returncode == 0 and set(folder.glob("*")) == before


def _plain(name: str, seconds: int) -> bool:
    """Seeded mutations, and mutations of those, for as long; every distinct failure once."""
    rng, pool, kept = random.Random(time.time()), list(seeds(name)), Kept(name)
    count, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        while time.monotonic() < end:
            data = mutated(rng.choice(pool), rng)
            count += 1
            if len(pool) < 500 and rng.random() < 0.02:
                pool.append(data)
            try:
                with in_time(), in_memory():
                    TARGETS[name](data, Path(folder))
            except (Exception, SlowError) as error:
                kept.keep(data, error)
    print(f"{name}: {count} inputs, {len(kept.seen)} distinct failures", flush=True)
    return not kept.seen


if __name__ == "__main__":
    sys.exit(main())
