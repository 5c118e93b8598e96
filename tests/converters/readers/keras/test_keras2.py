"""Models that Keras 2.15 saved, against what it predicted; made by fixtures/keras2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.support import assert_equal
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions


@pytest.mark.parametrize("name", ["nested", "autoencoder", "frozen"])
@pytest.mark.parametrize(("form", "weights"), [("keras", ""), ("h5", ""), ("json", "h5")])
def test_recorded_predictions(
    name: str, form: str, weights: str, root: Path, tmp_path: Path
) -> None:
    folder = root / "fixtures" / "keras2"
    source = str(folder / f"{name}.{weights}") if weights else ""
    model = open_model(str(folder / f"{name}.{form}"), ReadOptions(weights=source))
    assert model.notices == ()
    target = tmp_path / "m.onnx"
    write_onnx(model, target)
    with np.load(folder / f"{name}.npz") as recorded:
        (got,) = run_onnx(target, {"image": recorded["x"]}).values()
        assert_equal(got, recorded["y"])
