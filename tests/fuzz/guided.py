"""One harness guided by coverage, in a process of its own: `tests.fuzz.guided TARGET SECONDS`.

atheris instruments a module as it is imported, so nothing here may import upconv, nor what imports
it, before `_instrument`: a module that was there before is fuzzed blindly.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
from contextlib import redirect_stderr
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Final

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

from tests.fuzz.bounded import BYTES, SECONDS, SlowError, in_memory, in_time
from tests.fuzz.kept import BUILD, Kept

SLOW: Final = 10 * SECONDS
"""Seconds after which libFuzzer ends the process: what even the timer could not interrupt."""


def main(name: str, seconds: int) -> None:
    """Fuzz one target; each distinct failure is kept and does not end the run."""
    _instrument()
    from tests.fuzz.mutations import mutated
    from tests.fuzz.seeds import seeds
    from tests.fuzz.targets import TARGETS

    kept = Kept(name)
    corpus = BUILD / f"{name}.corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / sha256(seed).hexdigest()[:20]).write_bytes(seed)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            changed: bytes = atheris.Mutate(data, most)
            return changed
        return mutated(data, random.Random(seed))[:most]

    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        folder = Path(place)

        def one(data: bytes) -> None:
            try:
                with in_time(), in_memory():
                    TARGETS[name](data, folder)
            except (Exception, SlowError) as error:
                kept.keep(data, error)

        flags = _flags(seconds, kept.folder)
        atheris.Setup([sys.argv[0], *flags, str(corpus)], one, custom_mutator=mutate)
        atheris.Fuzz()


def _instrument() -> None:
    """Import all of upconv but what asks for a framework, for its coverage."""
    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["upconv"]):
        import upconv

        for module in walk_packages(upconv.__path__, "upconv."):
            if "proof.source" not in module.name and not module.name.endswith("__main__"):
                import_module(module.name)


def _flags(seconds: int, folder: Path) -> list[str]:
    return [
        f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-artifact_prefix={folder}/",
        f"-rss_limit_mb={3 * BYTES >> 20}", "-max_len=200000", "-print_final_stats=1",
        "-verbosity=0",
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
