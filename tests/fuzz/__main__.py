"""`make fuzz`: every harness for a while, guided by coverage where atheris is installed.

python -m tests.fuzz [SECONDS [TARGET ...]]

Inputs that fail are left in build/fuzz/TARGET; what they show is mended, and their kind becomes a
test. Without atheris (extra `fuzz`) the seeded mutations of the tests go on for as long.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.fuzz.bounded import BYTES, SECONDS, SlowError, in_memory, in_time
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

BUILD: Final = Path("build", "fuzz")
EACH: Final = 60


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--guided"]:
        return _guided(arguments[1], int(arguments[2]))
    seconds = int(arguments[0]) if arguments else EACH
    names = arguments[1:] or list(TARGETS)
    guided = _has_atheris()
    failed = [name for name in names if not (_in_child if guided else _plain)(name, seconds)]
    for name in failed:
        print(f"{name}: fails; the inputs are in {BUILD / name}")
    return int(bool(failed))


def _has_atheris() -> bool:
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def _in_child(name: str, seconds: int) -> bool:
    """libFuzzer ends its process, so each target has one of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--guided", name, str(seconds)]
    return subprocess.run(command, check=False).returncode == 0


def _guided(name: str, seconds: int) -> int:
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["upconv"]):
        _import_everything()
    corpus, kept = BUILD / f"{name}.corpus", BUILD / name
    for place in (corpus, kept):
        place.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / sha256(seed).hexdigest()[:20]).write_bytes(seed)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            changed: bytes = atheris.Mutate(data, most)
            return changed
        return mutated(data, random.Random(seed))[:most]

    flags = [
        f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-artifact_prefix={kept}{os.sep}",
        f"-rss_limit_mb={2 * BYTES >> 20}", "-max_len=200000", "-print_final_stats=1",
        "-verbosity=0",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        one = _one_input(name, Path(folder))
        atheris.Setup([sys.argv[0], *flags, str(corpus)], one, custom_mutator=mutate)
        atheris.Fuzz()
    return 0


def _one_input(name: str, folder: Path) -> Any:
    def one(data: bytes) -> None:
        TARGETS[name](data, folder)

    return one


def _import_everything() -> None:
    from importlib import import_module
    from pkgutil import walk_packages

    import upconv

    for module in walk_packages(upconv.__path__, "upconv."):
        if "source" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)


def _plain(name: str, seconds: int) -> bool:
    """Seeded mutations, and mutations of those, for as long; every distinct failure once."""
    rng, pool = random.Random(time.time()), list(seeds(name))
    seen: set[str] = set()
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
                _keep(name, data, error, seen)
    print(f"{name}: {count} inputs, {len(seen)} distinct failures", flush=True)
    return not seen


def _keep(name: str, data: bytes, error: BaseException, seen: set[str]) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "upconv" in frame.filename] or frames
    words = "".join(c for c in str(error)[:160] if not c.isdigit())
    key = f"{type(error).__name__} {ours[-1].name} {words}"
    if key not in seen:
        seen.add(key)
        folder = BUILD / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / sha256(data).hexdigest()[:20]
        file.write_bytes(data)
        place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(ours[-3:]))
        print(f"  {file}: {type(error).__name__}: {str(error)[:200]} ({place})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
