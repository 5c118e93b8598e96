"""What `upconv convert --target all-measured` makes of models."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engines.cases import Case
from upconv.converters.ir.errors import UpconvError
from upconv.service.work.conversion import ConvertRequest, convert


def converted(cases: list[Case], folder: Path) -> tuple[list[Case], dict[str, str]]:
    """(the cases with their converted models, those that cannot be had and why)."""
    folder.mkdir(parents=True, exist_ok=True)
    made, refused = [], {}
    for case in cases:
        out = folder / f"{case.name}.onnx"
        try:
            done = convert(
                ConvertRequest(str(case.model), str(out), prove=True, targets=("all-measured",))
            )
        except UpconvError as error:
            refused[case.name] = str(error).replace("\n", " ")
            continue
        if done.verdict != "pass":
            refused[case.name] = f"its proof says {done.verdict}"
            continue
        made.append(Case(case.name, out, case.inputs, case.right, case.model))
    return made, refused
