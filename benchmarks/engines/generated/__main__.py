"""Whether each measured entry of the profiles holds, on models that are made from its condition.

    python -m benchmarks.engines.generated [--engines ncnn,tract] [--output FILE.json]

For every branch of an entry's condition up to three models that meet it, and beside each a twin
that meets no entry: the engine is to refuse or misread the model, and to be right on its twin. What
does not hold is said, and what is not shown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.engines.cases import Case, Result, results
from benchmarks.engines.environments import ENGINES, ROOT, version_of
from benchmarks.engines.generated.search import Models, Shown, shown
from benchmarks.engines.verdicts import RIGHT, shows
from upconv.linter.engines.condition import words
from upconv.linter.engines.profile import Entry, Target, targets_of

OUT = Path(__file__).with_name("measured.json")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "engines" / "generated")
    parser.add_argument("--output", type=Path, default=OUT)
    return parser.parse_args()


def main() -> None:
    asked = options()
    folder = asked.scratch / "models"
    folder.mkdir(parents=True, exist_ok=True)
    models = Models(folder)
    for engine in asked.engines.split(","):
        (target,) = targets_of((ENGINES[engine].target,))
        found = measured(engine, target, models, asked.scratch)
        for line in (*problems(found["entries"]), summary(engine, found)):
            print(line, flush=True)
        stored = asked.output.read_text("utf-8") if asked.output.is_file() else "{}"
        known = json.loads(stored) | {engine: found}
        asked.output.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


def measured(engine: str, target: Target, models: Models, scratch: Path) -> dict[str, Any]:
    """What the engine made of the models of every branch, as JSON has it."""
    found = list(shown(target, models))
    cases = {case.name: case for _, _, some in found for one in some for case in _both(one)}
    ran = results(engine, list(cases.values()), scratch / engine)
    rows = [_row(entry, branch, some, ran) for entry, branch, some in found]
    return {"version": version_of(engine), "entries": rows}


def _both(one: Shown) -> Iterator[Case]:
    yield one.model
    if one.twin:
        yield one.twin


def _row(
    entry: Entry, branch: Any, some: Iterable[Shown], ran: Mapping[str, Result]
) -> dict[str, Any]:
    return {
        "says": entry.says,
        "effect": entry.effect,
        "branch": words(branch),
        "models": [
            {
                "model": one.model.name,
                "verdict": ran[one.model.name].verdict,
                "twin": one.twin.name if one.twin else None,
                "twin_verdict": ran[one.twin.name].verdict if one.twin else None,
            }
            for one in some
        ],
    }


def problems(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Branches that no model shows, models that show another effect, twins that are not right."""
    for row in rows:
        where = f"{row['branch']}: {row['effect']} ({row['says'][:50]})"
        if not any(shows(row["effect"], one["verdict"]) for one in row["models"]):
            yield f"NOT SHOWN  {where}: {[(m['model'], m['verdict']) for m in row['models']]}"
            continue
        for one in row["models"]:
            if not shows(row["effect"], one["verdict"]):
                yield f"otherwise  {where}: {one['model']} {one['verdict']}"
            if one["twin_verdict"] and one["twin_verdict"] not in RIGHT:
                yield f"TWIN       {where}: {one['twin']} {one['twin_verdict']}"


def summary(engine: str, found: Mapping[str, Any]) -> str:
    rows = found["entries"]
    models = [one for row in rows for one in row["models"]]
    hold = sum(any(shows(row["effect"], m["verdict"]) for m in row["models"]) for row in rows)
    right = [one for one in models if one["twin_verdict"] in RIGHT]
    return (
        f"{engine} {found['version']}: {hold} of {len(rows)} branches of its entries are shown, by "
        f"{len(models)} models; {len(right)} of {sum(bool(m['twin']) for m in models)} twins right"
    )


if __name__ == "__main__":
    main()
