"""Every model of one operator in every engine, beside the profiles and an earlier table.

    python -m benchmarks.engines --cases ../shared/engines [--engines openvino,ncnn] [--only rs_]
        [--output table.json]
    python -m benchmarks.engines --cases ../shared/engines --converted

Makes an environment for each engine below build/engines (PyPI), runs each model in a child
without sockets, prints the table, and says where a profile no longer holds. With --converted the
models are those that `upconv convert --target all-measured` makes of them. --output writes the
verdict of every case in every engine as JSON, with its reason.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engines.cases import Case, Result, results, stored_cases, stored_table, table
from benchmarks.engines.converted import converted
from benchmarks.engines.environments import ENGINES, ROOT
from benchmarks.engines.verdicts import EFFECTS, RIGHT, shows
from upconv.converters.ir.inference import infer
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.engines.nodes import nodes_of
from upconv.linter.engines.profile import targets_of

SIX = ("onnxruntime", "openvino", "opencv", "tract", "mnn", "ncnn")
"""Those that are counted in "equal in all": OpenCV's older engine is of the past."""
COLUMNS = {"ort": "onnxruntime", "cv5": "opencv", "cv5-classic": "opencv-classic"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--only", default="")
    parser.add_argument("--converted", action="store_true")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "engines" / "results")
    return parser.parse_args()


def main() -> None:
    asked = options()
    earlier = stored_table(asked.cases)
    names = [name for name in earlier if name.startswith(asked.only)]
    cases = stored_cases(asked.cases / "cases", names)
    if asked.converted:
        cases, refused = converted(cases, asked.scratch / "models")
        for name, why in refused.items():
            print(f"{name}: not had: {why}")
    engines = asked.engines.split(",")
    found = {engine: results(engine, cases, asked.scratch / engine) for engine in engines}
    print(table(found))
    for engine in engines:
        print(engine, dict(Counter(one.verdict for one in found[engine].values())))
    six = [engine for engine in engines if engine in SIX]
    equal = [c for c in cases if all(found[e][c.name].verdict in RIGHT for e in six)]
    print(f"{len(equal)} of {len(names)} are equal in all of {', '.join(six)}")
    if asked.output:
        asked.output.write_text(json.dumps(told(found), indent=1) + "\n", "utf-8")
    if asked.converted:
        return
    for line in (*beside(found, earlier), *broken(found, cases)):
        print(line)


def told(found: Mapping[str, Mapping[str, Result]]) -> dict[str, dict[str, dict[str, object]]]:
    """Case -> engine -> what is known, for JSON."""
    return {
        case: {
            engine: {
                "verdict": rows[case].verdict,
                "worst": rows[case].worst,
                "why": rows[case].why,
            }
            for engine, rows in found.items()
        }
        for case in next(iter(found.values()))
    }


def beside(
    found: Mapping[str, Mapping[str, Result]], earlier: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Where the earlier table has another verdict."""
    lines = []
    for case, row in earlier.items():
        for column, before in row.items():
            now = found.get(COLUMNS.get(column, column), {}).get(case)
            if now and now.verdict != before:
                lines.append(f"{case} in {column}: {now.verdict} {now.why}, earlier {before}")
    return lines


def broken(found: Mapping[str, Mapping[str, Result]], cases: list[Case]) -> list[str]:
    """Where a profile no longer holds: what is not said, and refusals that are not there."""
    lines = []
    for engine, rows in found.items():
        (target,) = targets_of((ENGINES[engine].target,))
        for case in cases:
            model = open_model(str(case.model), ReadOptions())
            seen = nodes_of(model, infer(model))
            said = {entry.effect for node in seen for entry in target.verdicts(node)}
            needed, got = EFFECTS.get(rows[case.name].verdict), rows[case.name].verdict
            if needed and not any(shows(effect, got) for effect in said):
                lines.append(f"{case.name} in {engine}: {got}, and the profile says {said or '-'}")
            if not needed and said - {"misreads", "slow"}:
                lines.append(f"{case.name} in {engine}: {got}, though the profile says {said}")
    return lines


if __name__ == "__main__":
    main()
