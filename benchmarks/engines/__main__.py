"""Every model of one operator in every engine, beside the profiles and an earlier table.

    python -m benchmarks.engines --cases ../shared/engines [--engines openvino,ncnn] [--only rs_]
    python -m benchmarks.engines --cases ../shared/engines --converted

Makes an environment for each engine below build/engines (PyPI), runs each model in a child without
sockets, prints the table, and says where a profile no longer holds. With --converted the models are
those that `upconv convert --target all-measured` makes of them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engines.cases import Case, Result, results, stored_cases, stored_table, table
from benchmarks.engines.converted import converted
from benchmarks.engines.environments import ENGINES, ROOT
from upconv.converters.ir.inference import infer
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.engines.nodes import nodes_of
from upconv.linter.engines.profile import targets_of

SIX = ("onnxruntime", "openvino", "opencv", "tract", "mnn", "ncnn")
EFFECTS = {"WRONG": "misreads", "WRONG-SHAPE": "misreads", "refused": "refuses", "CRASH": "dies"}
COLUMNS = {"ort": "onnxruntime", "cv5": "opencv", "cv5-classic": "opencv-classic"}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--engines", default=",".join(SIX))
    parser.add_argument("--only", default="")
    parser.add_argument("--converted", action="store_true")
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
    equal = [
        c.name for c in cases if all(found[e][c.name].verdict in ("ok", "tie") for e in engines)
    ]
    print(f"{len(equal)} of {len(names)} are equal in all of {', '.join(engines)}")
    if asked.converted:
        return
    for line in (*beside(found, earlier), *broken(found, cases)):
        print(line)


def beside(
    found: Mapping[str, Mapping[str, Result]], earlier: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Where the earlier table has another verdict."""
    lines = []
    for case, row in earlier.items():
        for column, before in row.items():
            now = found.get(COLUMNS.get(column, column), {}).get(case)
            if now and now.verdict != before and not (before == "tie" and now.verdict == "WRONG"):
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
            fails = {"refuses", "dies"}  # a heap that is written over shows in either way
            if needed and needed not in said and not (needed in fails and said & fails):
                lines.append(f"{case.name} in {engine}: {got}, and the profile says {said or '-'}")
            if not needed and said - {"misreads", "slow"}:
                lines.append(f"{case.name} in {engine}: {got}, though the profile says {said}")
    return lines


if __name__ == "__main__":
    main()
