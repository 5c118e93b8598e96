"""torch's own sample inputs of the upsampling operators; the benchmark prints the whole table."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("expecttest", reason="torch's sample inputs need it")

from benchmarks.torch_op_samples import ours, run, samples, table

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
