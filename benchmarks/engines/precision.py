"""Whether UP5 findings on real files come true: each file in each engine, beside ONNX Runtime.

    python -m benchmarks.engines.precision FILE.onnx ... [--engines ncnn] [--size 96]

For each engine: what it made of the file, and what `upconv check --target` had said of it. A
finding on a file that the engine computes alike is refuted; a file without one that it does not is
unforeseen, which may lie at nodes that make nothing larger.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.engines.__main__ import SIX
from benchmarks.engines.cases import job_of
from benchmarks.engines.environments import ENGINES, ROOT, run
from upconv.linter.running.engine import CheckOptions, check_path

NEAR = 1e-3
"""Of an output's largest magnitude: a whole net rounds more than one node."""
FLOOR = 1e-2
"""Of that magnitude: a sigmoid of what is no text is 1e-7, and its last bits are no reading."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--engines", default=",".join(SIX))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "engines" / "precision")
    asked = parser.parse_args()
    asked.scratch.mkdir(parents=True, exist_ok=True)
    jobs = {path: _job(path, asked.size, asked.scratch) for path in asked.files}
    right = _ran("onnxruntime", jobs)
    total: Counter[str] = Counter()
    for engine in asked.engines.split(","):
        got = _ran(engine, jobs)
        for path in jobs:
            found = list(_findings(path, engine))
            verdict, why = _verdict(right[path], got[path])
            word = _word(bool(found), verdict)
            total[word] += 1
            print(f"{word:10} {engine:12} {path.name}: {verdict} {why[:160]} {found}", flush=True)
    print(dict(total))


def _job(path: Path, size: int, scratch: Path) -> dict[str, Any]:
    inputs = scratch / f"{path.stem}.in.npz"
    job = job_of(path, inputs, scratch / f"{path.stem}.out.npz")
    np.savez(inputs, **dict(_given(path, set(job["names"]), size)))
    return job


def _given(path: Path, names: set[str], size: int) -> Iterator[tuple[str, Any]]:
    """Random values: one image, and `size` for what the file leaves open."""
    rng = np.random.default_rng(3)
    for one in onnx.load(str(path), load_external_data=False).graph.input:
        if one.name in names:
            dims = one.type.tensor_type.shape.dim
            sizes = [d.dim_value or (1 if axis == 0 else size) for axis, d in enumerate(dims)]
            kind = onnx.helper.tensor_dtype_to_np_dtype(one.type.tensor_type.elem_type)
            values = rng.uniform(0, 1, sizes)
            yield one.name, np.asarray(values if kind.kind == "f" else 16000 * (values >= 0), kind)


def _ran(engine: str, jobs: dict[Path, dict[str, Any]]) -> dict[Path, Any]:
    """The outputs of a file, or why there are none."""
    found: dict[Path, Any] = {}
    for path, told in zip(jobs, run(engine, list(jobs.values())), strict=True):
        if told["state"] != "ran":
            found[path] = f"{told['state']} {told['why']}"
            continue
        with np.load(told["results"], allow_pickle=False) as stored:
            found[path] = [np.array(stored[name]) for name in stored.files]
    return found


def _verdict(right: Any, got: Any) -> tuple[str, str]:
    if isinstance(got, str):
        return "refused" if got.startswith("refused") else "CRASH", got
    if isinstance(right, str):
        return "no truth", right
    for a, b in zip(right, got, strict=True):
        if a.shape != b.shape:
            return "WRONG-SHAPE", f"{b.shape} for {a.shape}"
        worst = float(np.abs(a - b).max(initial=0)) / max(float(np.abs(a).max(initial=0)), FLOOR)
        if not worst <= NEAR:
            return "WRONG", f"{worst:.2g}"
    return "ok", ""


def _findings(path: Path, engine: str) -> Iterator[str]:
    name = ENGINES[engine].target
    for one in check_path(path, CheckOptions(targets=(name,))).findings:
        if one.code.startswith("UP5") and one.code != "UP504":
            yield f"{one.code} {one.layer}: {one.message[:80]}"


def _word(foretold: bool, verdict: str) -> str:
    if verdict == "no truth":
        return "no truth"
    fails = verdict != "ok"
    return {
        (True, True): "confirmed",
        (True, False): "REFUTED",
        (False, True): "unforeseen",
        (False, False): "right",
    }[foretold, fails]


if __name__ == "__main__":
    main()
