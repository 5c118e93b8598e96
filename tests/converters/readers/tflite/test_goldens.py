"""Models that TensorFlow's converter made: equal in onnxruntime, certified; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.converters.readers.onnx.support import assert_close
from tests.converters.readers.tflite.support import reasons
from tests.support import shared_folder
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.operators import Conv, ConvTranspose
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

NAMES = sorted(path.parent.name for path in shared_folder().glob("goldens/tflite/*/model.tflite"))


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_is_equal_and_certified(name: str, shared: Path, tmp_path: Path) -> None:
    import onnxruntime

    folder = shared / "goldens/tflite" / name
    index = json.loads((folder.parent / "index.json").read_text())
    aliases = next(one["aliases"] for one in index if one["name"] == name)
    model = open_model(str(folder / "model.tflite"), ReadOptions())
    assert not model.notices
    assert not reasons(model)
    target = tmp_path / "net.onnx"
    write_onnx(model, target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for path in (folder / "io.npz", folder / "alt.npz"):
        if path.exists():
            stored = np.load(path)
            named = {aliases.get(one, one): one for one in (*model.outputs, *_inputs(model))}
            feeds = {named[key[3:]]: stored[key] for key in stored if key.startswith("in/")}
            want = {named[key[4:]]: stored[key] for key in stored if key.startswith("out/")}
            for key, got in zip(model.outputs, session.run(None, feeds), strict=True):
                assert_close(got, want[key], 1e-5)
    assert verify(model, str(target)).verdict == "pass"


def _inputs(model: object) -> list[str]:
    return [entry.name for entry in model.inputs]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("int8", "computes in whole numbers"),
        ("while", "another graph"),
        ("custom_maxpool_argmax", "unknown operator 'MaxPoolWithArgmax'"),
    ],
)
def test_what_is_refused(name: str, reason: str, shared: Path, tmp_path: Path) -> None:
    model = open_model(str(shared / f"goldens/tflite/refuse/{name}.tflite"), ReadOptions())
    assert any(reason in notice.error.message for notice in model.notices)
    with pytest.raises(UnsupportedError, match=reason):
        write_onnx(model, tmp_path / "net.onnx")
    if name == "int8":  # checked all the same
        kinds = [type(layer.operator) for layer in model.layers]
        assert kinds.count(Conv) == 2
        assert kinds.count(ConvTranspose) == 1
        assert infer(model).shapes["output_0"] == (symbol("N"), 4, 24, 20)
        assert [notice.kind for notice in model.notices] == ["whole-number-arithmetic"]
        with pytest.raises(UnsupportedError, match=reason):
            verify(model, str(tmp_path / "net.onnx"))
