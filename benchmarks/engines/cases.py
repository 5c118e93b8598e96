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

from benchmarks.engines.environments import run

Verdict = Literal["ok", "tie", "WRONG", "WRONG-SHAPE", "refused", "CRASH"]
NEAR = 1e-4
"""Of the largest magnitude: what float32 in any order stays below, and no other reading does."""


@dataclass(frozen=True)
class Case:
    """A model, its inputs and the right output in float64."""

    name: str
    model: Path
    inputs: Path
    right: NDArray[np.float64]

    def names(self) -> tuple[list[str], list[str]]:
        graph = onnx.load(str(self.model), load_external_data=False).graph
        known = {one.name for one in graph.initializer}
        return [i.name for i in graph.input if i.name not in known], [o.name for o in graph.output]


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
        found.append(Case(name, folder / f"{name}.onnx", folder / f"{name}.npz", right))
    return found


def results(engine: str, cases: Sequence[Case], scratch: Path) -> dict[str, Result]:
    """What an engine makes of every case."""
    scratch.mkdir(parents=True, exist_ok=True)
    jobs = [_job(case, scratch) for case in cases]
    told = run(engine, jobs)
    return {case.name: _judged(case, one) for case, one in zip(cases, told, strict=True)}


def _job(case: Case, scratch: Path) -> dict[str, Any]:
    names, outputs = case.names()
    return {
        "model": str(case.model),
        "inputs": str(case.inputs),
        "names": names,
        "outputs": outputs,
        "results": str(scratch / f"{case.name}.npz"),
    }


def _judged(case: Case, told: Mapping[str, Any]) -> Result:
    if told["state"] != "ran":
        return Result("CRASH" if told["state"] == "died" else "refused", why=told["why"])
    with np.load(told["results"], allow_pickle=False) as stored:
        got = np.array(stored[stored.files[0]])
    if got.shape != case.right.shape:
        return Result("WRONG-SHAPE", why=f"{got.shape} for {case.right.shape}", output=got)
    scale = max(float(np.abs(case.right).max()), 1e-30)
    worst = float(np.abs(got - case.right).max()) / scale
    return Result("ok" if worst <= NEAR else "WRONG", worst, output=got)


def table(found: Mapping[str, Mapping[str, Result]]) -> str:
    """Engine -> case -> result, as a table of letters."""
    letters = {
        "ok": "=",
        "tie": "t",
        "WRONG": "W",
        "WRONG-SHAPE": "S",
        "refused": "r",
        "CRASH": "X",
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
