"""A short run of every harness, the same on every machine; `make fuzz` searches for hours."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.fuzz.bounded import in_memory, in_time
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits are the system's"),
    pytest.mark.filterwarnings("ignore"),
]
ROUNDS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_sound(name: str, tmp_path: Path) -> None:
    for seed in seeds(name):
        TARGETS[name](seed, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_answered_in_bounds(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    begin = seeds(name)
    for number in range(ROUNDS):
        data = mutated(rng.choice(begin), rng)
        try:
            with in_time(), in_memory():
                TARGETS[name](data, tmp_path)
        except BaseException:
            kept = Path("build", "fuzz", f"{name}-{number}")
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data)
            raise
