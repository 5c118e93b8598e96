"""`import upconv`: which names there are, what they cost, and what they do with their arguments."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import onnx
import pytest

import upconv
from fixtures.make_caffemodel import write_caffemodel
from tests.support import ROOT
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import ShapeError
from upconv.service.python import calls
from upconv.service.work.portable import portable

NAMES = {
    "AmbiguousError", "AuditResult", "Conversion", "Finding", "Inspection", "Model",
    "ModelComparison", "ProbeReading", "Report", "ShapeError", "UnreadableError",
    "UnsupportedError", "UpconvError", "UsageError", "Verification", "__version__", "audit",
    "check", "compare", "convert", "from_torch", "inspect", "load", "probe_make",
    "probe_read", "verify",
}  # fmt: skip
FUNCTIONS = ("audit", "check", "compare", "convert", "from_torch", "inspect", "load", "verify")
ERRORS = ("AmbiguousError", "ShapeError", "UnreadableError", "UnsupportedError", "UsageError")
RULES = ROOT / "fixtures" / "rules"
BAD = RULES / "UP201" / "bad.prototxt"
NET = """\
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 pad: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
  convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A net with weights for its convolution in a file beside it."""
    path = tmp_path / "tiny.prototxt"
    path.write_text(NET)
    rng = np.random.default_rng(1)
    blobs = [(s, rng.standard_normal(s, dtype=np.float32)) for s in ((4, 3, 3, 2), (4,))]
    write_caffemodel(weights_of(path), "tiny", [("conv", "Convolution", blobs)])
    return path


def weights_of(net: Path) -> Path:
    return net.with_suffix(".caffemodel")


# Names.


def test_these_names_and_no_others_are_public() -> None:
    assert set(upconv.__all__) == NAMES
    assert set(upconv._HOMES) == NAMES - {"__version__"}
    assert set(dir(upconv)) >= NAMES
    assert all(getattr(upconv, name) is not None for name in NAMES)
    assert upconv.__version__ == version("upconv")
    with pytest.raises(AttributeError, match="module 'upconv' has no attribute 'lint'"):
        upconv.lint  # noqa: B018


def test_every_error_is_of_the_one_family() -> None:
    assert all(issubclass(getattr(upconv, name), upconv.UpconvError) for name in ERRORS)
    assert issubclass(upconv.AmbiguousError, upconv.UnsupportedError)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_are_keywords_with_defaults_and_types(name: str) -> None:
    function = getattr(upconv, name)
    assert function.__doc__
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    options = [p for p in inspect.signature(function).parameters.values() if p not in required]
    assert 1 <= len(required) <= 2
    assert {p.kind for p in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert {"return", *(p.name for p in (*required, *options))} <= set(function.__annotations__)


def test_an_import_loads_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules); import upconv\n"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('importlib')))\n"
        "upconv.check('fixtures/fcn8s/fcn8s.prototxt')\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'h5py', 'click', 'rich', 'torch', 'subprocess'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    loaded = set(json.loads(first.replace("'", '"')))
    foreign = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"upconv"}
    assert second == "[]"


# Load.


def test_load_reads_as_it_is_told(net: Path) -> None:
    model = upconv.load(net, weights=weights_of(net), fill_missing=["bilinear"])
    assert isinstance(model, upconv.Model)
    assert all(w.present for layer in model.layers for w in layer.weights.values())
    assert upconv.load(str(net)).layer("up").weights["weight"].present is False
    said: list[str | Sequence[int | str]] = ["1x3xHxW", (1, 3, "H", "W"), [1, 3, "H", "W"]]
    shapes = [upconv.load(net, inputs={"data": shape}).inputs[0].shape for shape in said]
    assert shapes == [(1, 3, symbol("H"), symbol("W"))] * 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"inputs": {"data": (1, 0)}}, "a size of 0 is out of range"),
        ({"inputs": {"data": "1x3x-2"}}, "'-2' is neither a number nor a letter"),
        ({"inputs": {"image": (1, 3, 5, 5)}}, "image"),
        ({"phase": "test"}, "phase 'test' is none of TEST, TRAIN"),
        ({"keras_bilinear": "half_pixel"}, "is none of half-pixel, asymmetric"),
        ({"dialect": "nobody"}, "nobody"),
        ({"fill_missing": "xavier"}, "this filler cannot be made"),
        ({"config": "none.toml"}, "none.toml: cannot be read"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(net: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(upconv.UsageError) as caught:
        upconv.load(net, **wrong)
    assert said in str(caught.value)


# Check.


def test_check_finds_what_the_command_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command = [sys.executable, "-m", "upconv", "check", str(BAD), str(RULES / "UP320")]
    done = subprocess.run(
        [*command, "--no-cache", "--format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wanted = [(f["code"], f["fingerprint"]) for f in json.loads(done.stdout)["findings"]]
    report = upconv.check([BAD, RULES / "UP320"])
    assert len(wanted) > 5
    assert sorted((f.code, f.fingerprint) for f in report.findings) == sorted(wanted)
    assert "\x1b" not in str(report)
    assert f"{repr(report)[len('<Report: ') : -1]}\n" in str(report)


def test_check_takes_models_and_paths(net: Path) -> None:
    model = upconv.load(BAD)
    from_file, from_model = upconv.check(BAD), upconv.check(model)
    assert from_model.findings == from_file.findings
    both = upconv.check([net, model], select="UP2", ignore=["UP203", "UP204"])
    assert [file.path for file in both.files] == [str(net), from_file.files[0].path]
    assert {finding.code for finding in both.findings} == {"UP201"}


def test_check_counts_from_fail_on_and_a_baseline(net: Path, tmp_path: Path) -> None:
    assert not upconv.check(net).fails()
    assert upconv.check(net, fail_on="info").fails()
    with pytest.raises(upconv.UsageError, match="none of error, warning, info"):
        upconv.check(net, fail_on="fatal")  # type: ignore[arg-type]
    with pytest.raises(upconv.UsageError, match="no such baseline"):
        upconv.check(net, baseline=tmp_path / "none.json")
    assert {path.name for path in tmp_path.iterdir()} == {net.name, weights_of(net).name}


@pytest.mark.parametrize(("what", "said"), [([], "neither a path nor a model"), ("-", "no such")])
def test_there_must_be_something_to_check(what: Any, said: str) -> None:
    with pytest.raises(upconv.UsageError, match=said):
        upconv.check(what)


# Convert and verify.


def test_a_path_and_its_model_give_the_same_file_and_proof(net: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    model = upconv.load(net, weights=weights_of(net), fill_missing="bilinear")
    one = upconv.convert(
        net, tmp_path / "a.onnx", weights=weights_of(net), fill_missing="bilinear",
        progress=steps.append, report=tmp_path / "a.json",
    )  # fmt: skip
    other = upconv.convert(model, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert one.proof is not None
    assert other.proof is not None
    assert one.verdict == other.verdict == "pass"
    assert one.proof.layers == other.proof.layers
    assert one.proof.outputs == other.proof.outputs
    assert len(steps) > 2
    assert json.loads((tmp_path / "a.json").read_text())["verdict"] == "pass"
    assert str(one).startswith(f"{tmp_path / 'a.onnx'}: pass, opset 18\n")
    assert repr(other) == f"<Conversion {tmp_path / 'b.onnx'}: pass, opset 18>"
    again = upconv.verify(model, tmp_path / "a.onnx")
    assert again.layers == one.proof.layers
    assert upconv.verify(model, tmp_path / "a.onnx", proof="sampled").extent == "sampled"


def test_a_file_that_is_not_that_model_fails(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    model = upconv.load(net, weights=weights_of(net), fill_missing="bilinear")
    assert upconv.convert(model, out, proof="none").verdict == "not verified"
    changed = onnx.load(out)
    tensor = next(t for t in changed.graph.initializer if "conv" in t.name and len(t.dims) == 4)
    values = onnx.numpy_helper.to_array(tensor)[:, :, ::-1].copy()
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(changed, out)
    proof = upconv.verify(model, out)
    assert proof.verdict == "fail"
    assert [layer.layer for layer in proof.layers if layer.verdict == "fail"] == ["conv"]


def test_only_upsampling_makes_a_folder(net: Path, tmp_path: Path) -> None:
    done = upconv.convert(net, tmp_path / "layers", only="upsampling", fill_missing="bilinear")
    assert [entry.name for entry in sorted(Path(done.path).iterdir())] == [
        "000_up.onnx",
        "index.json",
    ]
    assert len(done.layers) == 1
    assert done.proof is None


def test_errors_of_the_child_keep_their_kind(net: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(upconv.UnreadableError) as caught:
        upconv.verify(net, tmp_path / "text.onnx", fill_missing="bilinear")
    assert caught.value.path == str(tmp_path / "text.onnx")
    with pytest.raises(upconv.UnreadableError, match="no such file"):
        upconv.verify(tmp_path / "none.prototxt", tmp_path / "text.onnx")


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("convert", {"weights": "w"}, "give them to upconv.load"),
        ("convert", {"opset": 9}, "opset 9"),
        ("convert", {"only": "layers"}, "none of upsampling"),
        ("convert", {"bilinear": "x"}, "bilinear 'x'"),
        ("convert", {"proof": "half"}, "none of full, sampled, none"),
        ("verify", {"inputs": {"data": (1, 3, 5, 5)}}, "give them to upconv.load"),
        ("verify", {"against": "source"}, "no file"),
        ("verify", {"against": "onnx"}, "none of reference, source"),
    ],
)
def test_wrong_calls_are_usage_errors(
    net: Path, tmp_path: Path, name: str, wrong: dict[str, Any], said: str
) -> None:
    model = upconv.load(net, weights=weights_of(net), fill_missing="bilinear")
    with pytest.raises(upconv.UsageError, match=said):
        getattr(upconv, name)(model, tmp_path / "out.onnx", **wrong)
    assert {path.name for path in tmp_path.iterdir()} == {net.name, weights_of(net).name}


def test_what_a_model_is_read_from_is_not_overwritten(net: Path) -> None:
    model = upconv.load(net, weights=weights_of(net), fill_missing="bilinear")
    for out in (net, weights_of(net)):
        with pytest.raises(upconv.UsageError, match="since it is read"):
            upconv.convert(model, out)
    assert net.read_text() == NET


def test_a_model_without_a_graph_is_not_converted(tmp_path: Path) -> None:
    code = tmp_path / "net.py"
    code.write_text("import torch.nn as nn\nup = nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)\n")
    with pytest.raises(upconv.UnsupportedError, match="a file of layers without a graph"):
        upconv.convert(upconv.load(code), tmp_path / "net.onnx")


def test_a_script_needs_no_guard(net: Path, tmp_path: Path) -> None:
    """Its main module is not run again in the child that proves."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, upconv\n"
        "print('ran')\n"
        "print(upconv.convert(sys.argv[1], sys.argv[2], fill_missing='bilinear',\n"
        "                     weights=sys.argv[3]).verdict)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(net), str(tmp_path / "o.onnx"), str(weights_of(net))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("ran\npass\n", "", 0)


def test_a_portable_model_is_the_model(net: Path) -> None:
    model = upconv.load(net, weights=weights_of(net), fill_missing="bilinear")
    sent = pickle.loads(pickle.dumps(portable(model)))
    assert repr(sent) == repr(model)
    for layer, other in zip(model.layers, sent.layers, strict=True):
        assert layer.operator == other.operator
        assert layer.origin.span is not None
        assert other.origin.span is not None
        assert layer.origin.span.text == other.origin.span.text
        for name, weight in layer.weights.items():
            assert np.array_equal(weight.array(), other.weights[name].array())


def test_errors_travel_whole() -> None:
    error = ShapeError("too small", "merge", ((1, symbol("H")),))
    error.layer, error.path, error.hint = "add", "net.prototxt", "pad it"
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is ShapeError
    assert str(sent) == str(error)
    assert (sent.kind, sent.guess, sent.hint) == ("merge", ((1, symbol("H")),), "pad it")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_annotations_can_be_resolved(name: str) -> None:
    """For tools that read them; those that are loaded late are given their homes."""
    late = ("Bilinear", "ExternalData", "Extent", "Judge", "Only", "Severity", "UnknownLayers")
    homes = {public: getattr(upconv, public) for public in NAMES} | dict.fromkeys(late, object)
    assert get_type_hints(getattr(calls, name), localns=homes)
