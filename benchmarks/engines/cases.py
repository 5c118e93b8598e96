"""Models of one operator with their inputs and what is right, and what engines make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.engines.environments import ENGINES, run
from benchmarks.engines.ties import tied

Verdict = Literal["ok", "tie", "WRONG", "WRONG-SHAPE", "refused", "CRASH", "unstable"]
NEAR = 1e-4
"""Of the largest magnitude: what float32 in any order stays below, and no other reading does."""


@dataclass(frozen=True)
class Case:
    """A model, its inputs and the right output in float64."""

    name: str
    model: Path
    inputs: Path
    right: NDArray[np.float64]
    source: Path
    """What the model was made of, where it was converted: it says what a tie is."""

    def x(self) -> NDArray[np.float32]:
        """The input that all of them have."""
        with np.load(self.inputs, allow_pickle=False) as stored:
            return np.array(stored["x"])


@dataclass(frozen=True)
class Result:
    """What an engine made of a case; `worst` is relative to the largest magnitude."""

    verdict: Verdict
    worst: float = 0.0
    why: str = ""
    output: NDArray[np.float32] | None = None


def stored_cases(folder: Path, names: Iterable[str]) -> list[Case]:
    """Cases as ../shared/engines has them: NAME.onnx beside NAME.npz with the input x and the right
    y; nearest interpolation may choose either side of a tie."""
    found = []
    for name in names:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
            right = np.array(stored["y"], np.float64)
        model = folder / f"{name}.onnx"
        found.append(Case(name, model, folder / f"{name}.npz", right, model))
    return found


def results(engine: str, cases: Sequence[Case], scratch: Path) -> dict[str, Result]:
    """What an engine makes of every case; of several runs, where it needs them, one verdict."""
    runs = [_once(engine, cases, scratch / str(index)) for index in range(ENGINES[engine].runs)]
    return {case.name: _together([one[case.name] for one in runs]) for case in cases}


def _once(engine: str, cases: Sequence[Case], scratch: Path) -> dict[str, Result]:
    scratch.mkdir(parents=True, exist_ok=True)
    jobs = [job_of(case.model, case.inputs, scratch / f"{case.name}.npz") for case in cases]
    told = run(engine, jobs)
    return {case.name: _judged(case, one) for case, one in zip(cases, told, strict=True)}


def _together(runs: Sequence[Result]) -> Result:
    """The result that all runs have, or that they have none."""
    first = runs[0]
    if all(one.verdict == first.verdict and _same(one.output, first.output) for one in runs):
        return first
    seen = ", ".join(f"{one.verdict} ({one.worst:.2g})" for one in runs)
    return Result("unstable", max(one.worst for one in runs), f"from run to run: {seen}")


def _same(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b, equal_nan=True))


def job_of(model: Path, inputs: Path, out: Path) -> dict[str, Any]:
    """What the runner is asked: a model, the file of its inputs, and where its outputs go."""
    graph = onnx.load(str(model), load_external_data=False).graph
    known = {one.name for one in graph.initializer}
    return {
        "model": str(model),
        "inputs": str(inputs),
        "names": [one.name for one in graph.input if one.name not in known],
        "outputs": [one.name for one in graph.output],
        "results": str(out),
    }


def _judged(case: Case, told: Mapping[str, Any]) -> Result:
    if told["state"] != "ran":
        return Result("CRASH" if told["state"] == "died" else "refused", why=told["why"])
    with np.load(told["results"], allow_pickle=False) as stored:
        got = np.array(stored[stored.files[0]])
    if got.shape != case.right.shape:
        return Result("WRONG-SHAPE", why=f"{got.shape} for {case.right.shape}", output=got)
    scale = max(float(np.abs(case.right).max()), 1e-30)
    off = np.abs(got - case.right) / scale
    worst = float(off.max())
    if worst <= NEAR:
        return Result("ok", worst, output=got)
    wrong = ~(off <= NEAR)
    return Result("tie" if tied(case.source, case.x(), got, wrong) else "WRONG", worst, output=got)


def table(found: Mapping[str, Mapping[str, Result]]) -> str:
    """Engine -> case -> result, as a table of letters."""
    letters = {
        "ok": "=",
        "tie": "t",
        "WRONG": "W",
        "WRONG-SHAPE": "S",
        "refused": "r",
        "CRASH": "X",
        "unstable": "?",
    }
    engines, cases = list(found), list(next(iter(found.values())))
    width = max(map(len, cases)) + 2
    lines = [" " * width + " ".join(f"{name[:10]:>10}" for name in engines)]
    for case in cases:
        row = " ".join(f"{letters[found[engine][case].verdict]:>10}" for engine in engines)
        lines.append(f"{case:{width}}{row}")
    return "\n".join(lines)


def stored_table(folder: Path) -> dict[str, dict[str, str]]:
    read: dict[str, dict[str, str]] = json.loads((folder / "table.json").read_text("utf-8"))
    return read
