"""How a rule's fixture folder is checked: bad.*, good.*, their weights, and expected.json."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.make_caffemodel import write_caffemodel
from fixtures.make_safetensors import write_safetensors
from upconv.converters.ir.geometry import bilinear_taps
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import FileReport
from upconv.linter.rules import RULES
from upconv.linter.running.engine import CheckOptions, check_model, check_path


def check_case(folder: Path, which: str, scratch: Path) -> FileReport:
    """Check `bad` or `good` of a folder: a prototxt, Python source, a notebook, an architecture of
    Keras, or a `bad_model.py` whose model() makes the model."""
    script = folder / f"{which}_model.py"
    options = case_options(folder, which, scratch)
    if script.is_file():
        return check_model(runpy.run_path(str(script))["model"](), options)
    found = (folder / f"{which}{suffix}" for suffix in (".prototxt", ".py", ".ipynb", ".json"))
    return check_path(next(path for path in found if path.is_file()), options)


def case_options(folder: Path, which: str, scratch: Path) -> CheckOptions:
    """How `bad` or `good` of a folder is checked, its weights made in `scratch`; a rule that is off
    unless it is selected is."""
    select = (folder.name,) if RULES[folder.name].status == "preview" else ()
    read = ReadOptions(weights=_weights(folder, which, scratch))
    targets = folder / "targets.json"  # the engines that the models are to run in
    chosen = tuple(json.loads(targets.read_text("utf-8"))) if targets.is_file() else ()
    return CheckOptions(read, root=folder, select=select, targets=chosen)


def summary(report: FileReport) -> list[dict[str, Any]]:
    """What expected.json says of a report's findings."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity,
            "line": finding.place.line if finding.place else None,
            "layer": finding.layer,
            "message": finding.message,
        }
        for finding in report.findings
    ]


def _weights(folder: Path, which: str, scratch: Path) -> str:
    """A caffemodel made from `bad.weights.json`: layer -> [{"shape", "values"}], or a safetensors
    file made from `bad.tensors.json`: name -> {"shape", "values"}."""
    recipe = folder / f"{which}.tensors.json"
    if recipe.is_file():
        named = json.loads(recipe.read_text("utf-8")).items()
        tensors = {name: _values(one["shape"], one["values"]) for name, one in named}
        return str(write_safetensors(scratch / "weights.safetensors", tensors))
    recipe = folder / f"{which}.weights.json"
    if not recipe.is_file():
        return ""
    path = scratch / "weights.caffemodel"
    layers = [
        (name, "", [(blob["shape"], _values(blob["shape"], blob["values"])) for blob in blobs])
        for name, blobs in json.loads(recipe.read_text("utf-8")).items()
    ]
    write_caffemodel(path, "weights", layers)
    return str(path)


def _values(shape: list[int], recipe: str | float) -> NDArray[np.float32]:
    """A constant, "noise", or "bilinear", which may stand on the "diagonal" only."""
    if not isinstance(recipe, str):
        return np.full(shape, recipe, dtype=np.float32)
    if recipe == "noise":
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    numerators, double = bilinear_taps(shape[-1])
    row = np.array(numerators, dtype=np.float32) / np.float32(double)
    values = np.broadcast_to(np.outer(row, row), shape)
    if recipe == "bilinear diagonal":
        values = values * np.eye(shape[0], dtype=np.float32)[:, :, None, None]
    return np.ascontiguousarray(values, dtype=np.float32)
