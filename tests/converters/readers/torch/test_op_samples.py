"""torch's own sample inputs of the upsampling operators; the benchmark prints the whole table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("expecttest", reason="torch's sample inputs need it")

from benchmarks.torch_op_samples import Sample, ours, run, samples, table
from upconv.converters.ir.errors import UpconvError

STEPS = {
    "conv_transpose": 1,
    "interpolate": 1,
    "upsample": 1,
    "max_unpool1d": 6,
    "max_unpool2d": 12,
    "max_unpool3d": 6,
    "pixel": 1,
}
"""Every how many samples of each are taken: the unpoolings have hundreds that are alike."""


@pytest.mark.parametrize("name", STEPS)
def test_samples_are_right_or_refused(name: str) -> None:
    chosen = list(samples([name], STEPS[name]))
    assert len(chosen) >= 10
    found, _ = run(ours, chosen)
    bad = [
        (one.sample.operator, one.sample.label, one.reason)
        for one in found
        if one.verdict != "pass"
    ]
    assert not bad
    assert sum(table(found).values(), Counter()) == Counter({"pass": len(chosen)})


LAYERS = {"adaptive_avg": 4, "batch_norm": 3, "pad ": 4, "cat": 2, "avg_pool2d": 4, "attention": 4}
"""Of the operators around upsampling, as many as there is time for."""


@pytest.mark.parametrize("name", LAYERS)
def test_no_other_layer_is_wrong(name: str) -> None:
    found, _ = run(ours, list(samples([name], LAYERS[name], "layers")))
    assert not [(one.sample.label, one.reason) for one in found if one.verdict == "wrong"]
    assert any(one.verdict == "pass" for one in found)


def _turned(sample: Sample, path: Path) -> None:
    """A converter that takes the settings of the rows for those of the columns."""
    from upconv import from_torch
    from upconv.converters.onnx_writer import write_onnx

    model = from_torch(sample.module, sample.inputs)
    layers = tuple(replace(one, operator=_swapped(one.operator)) for one in model.layers)
    if layers == model.layers:
        raise UpconvError("rows and columns are alike")
    write_onnx(replace(model, layers=layers), path)


def _swapped(operator: Any) -> Any:
    names = ("stride", "dilation", "pads_begin", "pads_end", "output_padding", "size")
    found = {name: getattr(operator, name, None) for name in names}
    return replace(operator, **{name: one[::-1] for name, one in found.items() if one})


@pytest.mark.parametrize("name", ["conv_transpose2d", "interpolate bilinear"])
def test_the_comparison_notices_rows_taken_for_columns(name: str) -> None:
    found, _ = run(_turned, list(samples([name])))
    written = [one for one in found if one.reason != "UpconvError: rows and columns are alike"]
    assert len(written) >= 4
    assert {one.verdict for one in written} == {"wrong"}
