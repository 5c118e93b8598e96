"""`upconv verify --against source` from the outside: reports, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fixtures.make_tflite import Net
from tests.converters.readers.keras.handmade import arrays, upsampler, write_keras
from tests.converters.readers.keras.support import import_keras
from tests.service.commands import Outcome, upconv
from tests.support import ROOT
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytest.importorskip("torch")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

AGAINST = ("--against", "source")


@pytest.fixture
def keras_model(tmp_path: Path) -> Path:
    return converted(write_keras(tmp_path / "net.keras", upsampler(), arrays()))


@pytest.fixture
def torch_program(tmp_path: Path) -> Path:
    import torch

    net = torch.nn.ConvTranspose2d(3, 4, 3, 2, 1, 1).eval()
    program = torch.export.export(net, (torch.zeros(2, 3, 5, 7),))
    torch.export.save(program, tmp_path / "net.pt2")
    return converted(tmp_path / "net.pt2")


def lite_model(folder: Path, *, eight_bits: bool) -> Path:
    """A transposed convolution with a bias and an activation; its weight in float32 or 8 bits."""
    net = Net()
    x, y = net.tensor("x", (None, None, None, 2)), net.tensor("y", (2, 10, 14, 3))
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 2)) * 40
    weight = net.constant("w", kernel, *(("i1",) if eight_bits else ()), **_SCALES[eight_bits])
    reads = [net.constant("to", [2, 10, 14, 3], "i4"), weight, x, net.constant("b", [1.0, 2, 3])]
    net.op(67, reads, [y], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("b", 1)})
    path = folder / "net.tflite"
    path.write_bytes(net.model([x], [y], ({"image": x}, {"big": y})))
    target = path.with_suffix(".onnx")
    write_onnx(open_model(str(path), ReadOptions(inputs={"image": (2, 5, 7, 2)})), target)
    return path


_SCALES: dict[bool, dict[str, Any]] = {True: {"scales": [0.5]}, False: {}}


def test_a_tflite_model_runs_in_its_interpreter(tmp_path: Path) -> None:
    done = verify(lite_model(tmp_path, eight_bits=False), "--input", "image=2x5x7x2")
    assert (done.code, done.err) == (0, "")
    assert "against TensorFlow Lite" in done.out


def test_a_tflite_model_of_dynamic_range_is_refused(tmp_path: Path) -> None:
    done = verify(lite_model(tmp_path, eight_bits=True), "--input", "image=2x5x7x2")
    assert_one_line(done, "rounds activations to 8 bits")


def converted(path: Path) -> Path:
    write_onnx(open_model(str(path), ReadOptions()), path.with_suffix(".onnx"))
    return path


def verify(path: Path, *more: str, modules: Path = ROOT) -> Outcome:
    """`modules`: a folder whose packages come before all others."""
    target = path.with_suffix(".onnx")
    return upconv("verify", path, target, *AGAINST, *more, PYTHONPATH=f"{modules}:{ROOT}")


def assert_one_line(done: Outcome, said: str) -> None:
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


@pytest.mark.filterwarnings("ignore")
def test_a_text_names_the_framework_and_nothing_else_is_printed(tmp_path: Path) -> None:
    keras = import_keras()
    entry = keras.Input((None, None, 3), name="image")
    up = keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(entry)
    path = tmp_path / "real.keras"
    keras.Model(entry, up).save(path)
    done = verify(converted(path))
    assert (done.code, done.err) == (0, "")
    first, second, *others = done.out.splitlines()
    assert first == f"{path.with_suffix('.onnx')}: pass, opset 18"
    assert second == f"  against Keras {keras.__version__}"
    assert len(others) == 1
    assert others[0].startswith("  pass output ")


def test_a_report_and_a_shifted_layer(torch_program: Path) -> None:
    """The pads of the one layer moved by a pixel: the same sizes, other values."""
    import torch

    target = torch_program.with_suffix(".onnx")
    model = onnx.load(target)
    (node,) = (node for node in model.graph.node if node.op_type == "ConvTranspose")
    pads = next(entry for entry in node.attribute if entry.name == "pads")
    pads.ints[:] = [0, 1, 1, 0] if list(pads.ints) == [1, 1, 0, 0] else [0, 1, 2, 1]
    onnx.save(model, target)
    done = verify(torch_program, "--format", "json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["verdict"] == "fail"
    assert report["layers"] == []
    assert report["source"] == {"framework": "PyTorch", "version": torch.__version__}
    (output,) = report["outputs"]
    assert output["shape"] == [2, 4, 10, 14]
    assert output["max_abs_error"] > 100 * output["tolerance"]


def test_a_report_against_the_reference_names_no_source(keras_model: Path) -> None:
    done = upconv("verify", keras_model, keras_model.with_suffix(".onnx"), "--format", "json")
    assert done.code == 0
    assert json.loads(done.out)["source"] is None


@pytest.mark.parametrize(("kind", "module"), [("keras", "tensorflow"), ("torch", "torch")])
def test_a_framework_that_is_missing(
    kind: str, module: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A package of its name stands before it and cannot be imported, as if it were not there."""
    fixture = {"keras": "keras_model", "torch": "torch_program"}[kind]
    path: Path = request.getfixturevalue(fixture)
    blocker = tmp_path / "blocker" / module
    blocker.mkdir(parents=True)
    missing = f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')\n"
    (blocker / "__init__.py").write_text(missing)
    done = verify(path, modules=blocker.parent)
    extra = {"keras": "tensorflow", "torch": "torch"}[kind]
    assert_one_line(done, f"(pip install 'upconv[{extra}]')")
    assert f"No module named '{module}'" in done.err


def test_a_broken_file(keras_model: Path) -> None:
    keras_model.write_bytes(keras_model.read_bytes()[:700])
    assert_one_line(verify(keras_model), str(keras_model))


def test_caffe_has_no_source_to_run() -> None:
    done = upconv("verify", "fixtures/fcn8s/fcn8s.prototxt", "any.onnx", *AGAINST)
    assert_one_line(done, "Caffe has no runtime that can be installed")
    assert "--against reference" in done.err


def test_made_weights_have_no_source(keras_model: Path) -> None:
    assert_one_line(verify(keras_model, "--fill-missing", "bilinear"), "--fill-missing")
