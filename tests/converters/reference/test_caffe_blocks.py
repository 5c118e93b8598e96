"""The golden tour of Caffe's layers, evaluated layer by layer from the reference's own records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import pooling, run
from upconv.converters.ir import operators as ops
from upconv.converters.readers.caffe.caffemodel import read_caffemodel

Values = dict[str, Any]

# name, operator, inputs, outputs, weights in the order of the blobs
Step = tuple[str, ops.Operator, list[str], list[str], list[str]]
STEPS: list[Step] = [
    ("lrn", ops.Lrn(5, 0.0005, 0.75, 2.0, "across"), ["data"], ["lrn"], []),
    ("lrnw", ops.Lrn(3, 0.002, 0.75, 1.0, "within"), ["data"], ["lrnw"], []),
    ("avg", pooling("average", (3, 3), (2, 2), pad=(1, 1)), ["lrn"], ["avg"], []),
    ("mx", pooling("max", (3, 3), (2, 2)), ["lrnw"], ["mx"], []),
    ("gap", ops.GlobalPool("average"), ["mx"], ["gap"], []),
    ("pr", ops.PRelu(), ["avg"], ["pr"], ["slope"]),
    ("el", ops.Elu(0.7), ["pr"], ["el"], []),
    ("pw", ops.Power(2.0, 0.5, 1.5), ["el"], ["pw"], []),
    ("ab", ops.Abs(), ["pw"], ["ab"], []),
    ("ex", ops.Exp(2.0, 0.3, 0.1), ["el"], ["ex"], []),
    ("lg", ops.Log(), ["pw"], ["lg"], []),
    ("bl", ops.Softplus(), ["el"], ["bl"], []),
    ("th", ops.Compare("greater", 0.2), ["el"], ["th"], []),
    ("mv", ops.MeanVarianceNorm(True, False, 1e-9), ["data"], ["mv"], []),
    ("sl", ops.Slice(1, (2, 5)), ["data"], ["sa", "sb", "sc"], []),
    ("mxx", ops.Eltwise("max"), ["ab", "ex"], ["mxx"], []),
    ("pd", ops.Eltwise("product"), ["ab", "bl"], ["pd"], []),
    ("fl", ops.Flatten(), ["gap"], ["fl"], []),
    ("ip", ops.Linear(7, transposed=True), ["fl"], ["ip"], ["weight", "bias"]),
    ("sm", ops.Softmax(1), ["ip"], ["sm"], []),
    ("am", ops.ArgMax(1, 1, "indices"), ["sb"], ["am"], []),
    ("tl", ops.Tile(1, 2), ["gap"], ["tl"], []),
    ("rd", ops.Reduce("mean", 2), ["data"], ["rd"], []),
    ("bi", ops.Scale(1), ["data"], ["bi"], ["bias"]),
    ("sc2", ops.Scale(1), ["data"], ["sc2"], ["scale", "bias"]),
    ("clip", ops.Clip(-0.3, 0.6), ["data"], ["clip"], []),
    ("sw", ops.Swish(1.5), ["data"], ["sw"], []),
]


@pytest.fixture(scope="module")
def blocks(shared: Path) -> tuple[Values, Values]:
    """(all values of the net in float64, Caffe's outputs)"""
    folder = shared / "goldens/caffe/blocks_a"
    stored = np.load(folder / "io.npz")
    model = read_caffemodel(folder / "net.caffemodel")
    values: Values = {"data": stored["in/data"].astype(np.float64)}
    for name, op, inputs, outputs, weights in STEPS:
        found = model.find(name)
        blobs = [blob.array() for blob in found.blobs] if found else []
        assert len(blobs) == len(weights), name
        named = dict(zip(weights, blobs, strict=True))
        results = run(op, *(values[i] for i in inputs), outputs=len(outputs), **named)
        values |= dict(zip(outputs, results if len(outputs) > 1 else [results], strict=True))
    return values, {key[4:]: stored[key] for key in stored if key.startswith("out/")}


OUTPUTS = [
    "lg",
    "th",
    "mv",
    "sa",
    "sc",
    "mxx",
    "pd",
    "sm",
    "am",
    "tl",
    "rd",
    "bi",
    "sc2",
    "clip",
    "sw",
]


@pytest.mark.parametrize("name", OUTPUTS)
def test_equals_caffe(blocks: tuple[Values, Values], name: str) -> None:
    values, expected = blocks[0][name], blocks[1][name]
    assert values.shape == expected.shape
    exact = name in ("th", "am", "sa", "sc")
    limit = 0 if exact else 2e-6 * np.abs(expected).max()
    assert np.abs(values - expected).max() <= limit


def test_every_output_is_compared(blocks: tuple[Values, Values]) -> None:
    assert set(blocks[1]) == set(OUTPUTS)
