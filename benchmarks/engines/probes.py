"""What `upconv probe read` says of each ConvTranspose and Resize from what real engines computed.

    python -m benchmarks.engines.probes --cases ../shared/engines [--engines mnn] [--only ct_]

A right engine is to be called exact, and a wrong one is to be explained. What is neither is told.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engines.__main__ import COLUMNS, SIX
from benchmarks.engines.cases import job_of, stored_table
from benchmarks.engines.environments import ROOT, run
from benchmarks.engines.verdicts import EFFECTS, RIGHT
from upconv.converters.probe.reading import LayerReading
from upconv.service.work.probing import MakeRequest, make_probe, read_probe

ASKED = ("ct_", "rs_")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--engines", default=",".join(SIX))
    parser.add_argument("--only", default="")
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "engines" / "probes")
    asked = parser.parse_args()
    earlier = stored_table(asked.cases)
    names = [n for n in earlier if n.startswith(ASKED) and n.startswith(asked.only)]
    probes = {name: _made(asked.cases / "cases" / f"{name}.onnx", asked.scratch) for name in names}
    columns = {engine: column for column, engine in COLUMNS.items()}
    for engine in asked.engines.split(","):
        said: Counter[str] = Counter()
        for name, layers in _read(engine, probes, asked.scratch / engine):
            verdict = earlier[name][columns.get(engine, engine)]
            fits = _fits(verdict, layers)
            said["as the table" if fits else "otherwise"] += 1
            print("  " if fits else "! ", engine, name, verdict, _told(layers))
        print(engine, dict(said))


def _made(model: Path, scratch: Path) -> Path:
    folder = scratch / "made" / model.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_probe(MakeRequest(str(model), str(folder), inner=True))
    return folder


def _read(
    engine: str, probes: dict[str, Path], scratch: Path
) -> Iterator[tuple[str, tuple[LayerReading, ...]]]:
    """The probes that the engine runs, with what is said of its outputs."""
    scratch.mkdir(parents=True, exist_ok=True)
    manifests = {name: json.loads((p / "manifest.json").read_text()) for name, p in probes.items()}
    jobs = [
        (name, job_of(probe / "model.onnx", probe / given, scratch / f"{name}-{given}"))
        for name, probe in probes.items()
        for given in manifests[name]["runs"]
    ]
    outputs: dict[str, list[str]] = {name: [] for name in probes}
    for (name, job), told in zip(jobs, run(engine, [job for _, job in jobs]), strict=True):
        if told["state"] == "ran":
            outputs[name].append(job["results"])
    for name, probe in probes.items():
        if len(outputs[name]) == len(manifests[name]["runs"]):
            yield name, read_probe(str(probe), outputs[name]).layers


def _fits(verdict: str, layers: tuple[LayerReading, ...]) -> bool:
    exact = all(one.verdict == "exact" for one in layers)
    named = any(one.verdict == "other reading" and one.readings for one in layers)
    return exact if verdict in RIGHT else verdict in EFFECTS and (named or exact)


def _told(layers: tuple[LayerReading, ...]) -> str:
    return "; ".join(f"{one.verdict} {list(one.readings)}" for one in layers)


if __name__ == "__main__":
    main()
