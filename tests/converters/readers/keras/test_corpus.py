"""Models that people published, saved by Keras 2.2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.support import assert_equal, import_keras, noise
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import check_path

PORTRAITS = "corpus/keras/anilsathyan7__Portrait-Segmentation/models"


def _file(shared: Path, name: str) -> Path:
    path = shared / PORTRAITS / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


@pytest.mark.parametrize("name", ["model2.h5", "model4.h5"])
@pytest.mark.filterwarnings("ignore")
def test_published_models_convert_and_match(name: str, shared: Path, tmp_path: Path) -> None:
    """Keras 3 no longer reads their initializers, so it is told what they compute."""
    keras = import_keras()
    path = _file(shared, f"gpucom/{name}")
    model = open_model(str(path), ReadOptions())
    assert model.notices == ()
    target = tmp_path / "m.onnx"
    write_onnx(model, target)
    assert verify(model, str(target)).verdict == "pass"
    custom = {"kernel_init1": keras.initializers.Zeros, "kernel_init2": keras.initializers.Zeros}
    source = keras.models.load_model(path, custom_objects=custom, compile=False)
    x = noise(2, *source.input_shape[1:])
    (got,) = run_onnx(target, {model.inputs[0].name: x}).values()
    assert_equal(got, np.asarray(source(x)))


def test_code_inside_is_named_and_the_rest_checked(shared: Path, tmp_path: Path) -> None:
    path = _file(shared, "slim_seg_512/slim_reshape.h5")
    model = open_model(str(path), ReadOptions())
    lambdas = ["lambda", "lambda_1", "lambda_2", "lambda_3", "lambda_4"]
    assert [(notice.kind, notice.error.layer) for notice in model.notices] == [
        ("executable-code", name) for name in lambdas
    ]
    with pytest.raises(UnsupportedError) as caught:
        write_onnx(model, tmp_path / "m.onnx")
    lines = str(caught.value).splitlines()
    assert [line.split("'")[1] for line in lines] == lambdas
    report = check_path(path)
    assert report.status == "ok"
    assert "UP107" in {finding.code for finding in report.findings}
