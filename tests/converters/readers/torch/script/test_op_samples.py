"""torch's own sample inputs of the upsampling operators, traced, saved, converted, compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("expecttest", reason="torch's sample inputs need it")

from benchmarks.torch_op_samples import Sample, run, samples, table
from tests.converters.readers.torch.script.support import opened, saved
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.passes.rename import renamed

STEPS = {
    "conv_transpose": 3,
    "interpolate": 5,
    "upsample": 4,
    "max_unpool1d": 24,
    "max_unpool2d": 48,
    "max_unpool3d": 24,
    "pixel": 2,
}
"""Every how many samples of each are taken."""


def from_trace(sample: Sample, path: Path) -> None:
    """The sample's trace as ONNX, whose inputs have the names that the sample's have."""
    with torch.no_grad():
        model = opened(saved(sample.module, "traced", sample.inputs, path.with_suffix(".pt")))
    names = dict(zip((entry.name for entry in model.inputs), sample.names, strict=True))
    inputs = tuple(replace(entry, name=names[entry.name]) for entry in model.inputs)
    layers = tuple(renamed(layer, names) for layer in model.layers)
    write_onnx(replace(model, inputs=inputs, layers=layers), path)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.filterwarnings("ignore")
def test_samples_are_right_or_refused(name: str) -> None:
    chosen = list(samples([name], STEPS[name]))
    assert len(chosen) >= 5
    found, _ = run(from_trace, chosen)
    bad = [(one.sample.label, one.reason) for one in found if one.verdict != "pass"]
    assert not bad
    assert sum(table(found).values(), Counter()) == Counter({"pass": len(chosen)})
