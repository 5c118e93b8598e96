"""Sampling at places, at every opset that can say it, within the bound of its certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import letters, one_layer, run_onnx, values
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.operators import GridSample
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.certificates import allowance
from upconv.converters.reference import run_layer

SIZES = {2: (9, 14), 3: (3, 8, 5)}
OPSETS = {2: (16, 19, 20, 22), 3: (20, 22)}


def places(*shape: int) -> Any:
    """Places inside and outside, every third of them on the border of eighths."""
    grid = np.random.default_rng(2).uniform(-1.5, 1.5, shape).astype(np.float32)
    flat = grid.reshape(-1)
    flat[::3] = np.round(flat[::3] * 8) / 8
    return grid


@pytest.mark.parametrize("dynamic", ["", "NHW"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "axes"),
    [("nearest", 2), ("linear", 2), ("cubic", 2), ("nearest", 3), ("linear", 3)],
)
def test_every_opset_is_the_reference(
    mode: Any, axes: int, padding: Any, align_corners: bool, dynamic: str, tmp_path: Path
) -> None:
    x, grid = values(2, 3, *SIZES[axes]), places(2, *(6, 5, 4)[:axes], axes)
    source = one_layer(
        GridSample(mode, padding, align_corners), letters(x.shape, dynamic), grid.shape
    )
    (exact,) = run_layer(source.layers[0], [x, grid])
    inputs = [np.asarray(one, np.float64) for one in (x, grid)]
    bound = allowance(source.layers[0], inputs, exact, "").bound
    shifted = run_layer(source.layers[0], [np.roll(x, 1, -1), grid])[0]
    assert np.any(np.abs(shifted - exact) > 100 * bound)
    for opset in OPSETS[axes]:
        path = tmp_path / f"{opset}.onnx"
        write_onnx(source, path, WriteOptions(opset=opset))
        onnx.checker.check_model(str(path), full_check=True)
        for optimized in (False, True):
            got = run_onnx(path, {"x0": x, "x1": grid}, optimized)["y0"]
            assert np.all(np.abs(got - exact) <= bound)


@pytest.mark.parametrize(
    ("mode", "axes", "opset", "message"),
    [
        ("linear", 2, 15, "--opset 16 or higher"),
        ("linear", 3, 19, "--opset 20 or higher"),
        ("cubic", 3, 22, "no cubic sampling along 3 axes"),
        ("linear", 1, 22, "no linear sampling along 1 axes"),
    ],
)
def test_what_cannot_be_said_is_refused(
    mode: Any, axes: int, opset: int, message: str, tmp_path: Path
) -> None:
    x, grid = (1, 2, *(4,) * axes), (1, *(3,) * axes, axes)
    source = one_layer(GridSample(mode, "zeros", False), x, grid)
    with pytest.raises(UnsupportedError, match=message):
        write_onnx(source, tmp_path / "m.onnx", WriteOptions(opset=opset))
