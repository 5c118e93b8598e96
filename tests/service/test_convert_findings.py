"""What `upconv convert` says of the model itself: the errors of the rules, beside the proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from referencing import Registry, Resource

import upconv
from fixtures.make_caffemodel import write_caffemodel
from tests.service.test_check import Folder, folder
from upconv.linter.reports.json_report import SCHEMA_PATH
from upconv.service.work import conversion

__all__ = ["folder"]

# Two errors: a bilinear kernel on a wrong pad, and one on a wrong stride. "tail" can be cut away.
NET = """\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 2 dim: 5 dim: 7 } } }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up" param { lr_mult: 0 }
  convolution_param { num_output: 2 group: 2 kernel_size: 4 stride: 2 bias_term: false
    weight_filler { type: "bilinear" } } }
layer { name: "tail" type: "Deconvolution" bottom: "up" top: "tail" param { lr_mult: 0 }
  convolution_param { num_output: 2 group: 2 kernel_size: 2 stride: 2 bias_term: false
    weight_filler { type: "bilinear" } } }
"""
FILL = ("--fill-missing", "bilinear")
PROOF = json.loads(
    (Path(conversion.__file__).parent / "schema" / "proof.schema.json").read_text("utf-8")
)
FINDINGS = json.loads(SCHEMA_PATH.read_text("utf-8"))


def require_proof(record: Any) -> None:
    """Raise ValidationError unless a record is what the published schema says."""
    known = Registry().with_resources(
        [(one["$id"], Resource.from_contents(one)) for one in (PROOF, FINDINGS)]
    )
    jsonschema.Draft202012Validator(PROOF, registry=known).validate(record)


def convert(folder: Folder, *more: str) -> Any:
    return folder.run("convert", "net.prototxt", "-o", "net.onnx", *FILL, *more)


def test_errors_stand_above_a_verdict_that_counts_them(folder: Folder) -> None:
    folder.put("net.prototxt", NET)
    done = convert(folder, "--report", "proof.json")
    assert (done.code, done.err) == (0, "")
    first, second, verdict = (done.out.index(s) for s in ("UP202", "UP201", "net.onnx: pass"))
    assert first < second < verdict
    assert "\nnet.onnx: pass, with 2 errors found by check, opset 18\n" in done.out
    record = json.loads(folder.read("proof.json"))
    require_proof(record)
    assert record["verdict"] == "pass"
    checked = json.loads(folder.check("net.prototxt", "--format", "json").out)
    errors = [one for one in checked["findings"] if one["severity"] == "error"]
    assert len(errors) == 2
    assert record["findings"] == errors


@pytest.mark.parametrize("more", [(), ("--no-verify",)])
def test_strict_fails_and_leaves_no_model_of_that_name(
    folder: Folder, more: tuple[str, ...]
) -> None:
    folder.put("net.prototxt", NET)
    done = convert(folder, "--strict", *more)
    assert (done.code, done.out) == (1, "")
    assert "UP201" in done.err
    assert "2 errors found by check (--strict)" in done.err
    assert sorted(path.name for path in folder.path.glob("*.onnx*")) == ["net.onnx.failed"]


def test_strict_writes_no_folder_of_layers(folder: Folder) -> None:
    folder.put("net.prototxt", NET)
    layers = ("convert", "net.prototxt", "-o", "layers", "--only", "upsampling", *FILL)
    done = folder.run(*layers, "--strict")
    assert (done.code, (folder.path / "layers").exists()) == (1, False)
    assert "layers: not written, but 2 errors found by check (--strict)" in done.err
    done = folder.run(*layers)
    assert (done.code, done.err) == (0, "")
    assert "2 upsampling layers written, see index.json, with 2 errors" in done.out


@pytest.mark.parametrize(
    ("text", "options", "toml"),
    [
        (NET.replace("stride: 2 b", "stride: 2 pad: 1 b", 1), ("--outputs", "up"), ""),
        (NET, ("--ignore", "UP201,bilinear-pad"), ""),
        (NET, ("--select", "UP1"), ""),
        (NET, (), 'ignore = ["UP2"]\n'),
        (NET, (), '[severity]\nUP2 = "warning"\n'),
        (NET, (), '[per-layer-ignores]\n"*" = ["UP201", "UP202"]\n'),
        (NET, ("--config", "other/upconv.toml"), ""),
        (NET.replace("layer {", "# upconv: ignore[UP2] so be it\nlayer {"), (), ""),
    ],
)
def test_what_check_does_not_count_convert_does_not(
    folder: Folder, text: str, options: tuple[str, ...], toml: str
) -> None:
    folder.put("net.prototxt", text)
    folder.put("upconv.toml", toml)
    folder.put("other/upconv.toml", 'ignore = ["UP2"]\n')
    done = convert(folder, "--strict", "--no-verify", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out == "net.onnx: written, opset 18, not verified\n"


def test_known_findings_are_known_wherever_the_net_lies(folder: Folder) -> None:
    folder.put("nets/upconv.toml", 'baseline = "known.json"\n')
    folder.put("nets/net.prototxt", NET)
    assert folder.check("nets", "--write-baseline").code == 0
    convert = ("convert", "nets/net.prototxt", "-o", "net.onnx", "--no-verify", "--strict", *FILL)
    assert folder.run(*convert).code == 0
    (folder.path / "nets" / "known.json").unlink()
    done = folder.run(*convert)
    assert (done.code, "no such baseline" in done.err) == (2, True)
    assert done.err.count("\n") == 1


def test_weights_are_judged_too(folder: Folder) -> None:
    folder.put("net.prototxt", NET.replace("stride: 2 b", "stride: 2 pad: 1 b", 1))
    ups = [np.zeros((2, 1, 4, 4), np.float32), np.full((2, 1, 2, 2), 0.25, np.float32)]
    blobs = [(n, "Deconvolution", [(w.shape, w)]) for n, w in zip(("up", "tail"), ups, strict=True)]
    write_caffemodel(folder.path / "net.caffemodel", "net", blobs)
    done = convert(folder, "--weights", "net.caffemodel", "--no-verify", "--select", "UP211")
    assert done.code == 0
    assert "error[UP211] all-zero-weights: layer 'up'" in done.out
    assert "verified, with 1 error found by check\n" in done.out


def test_a_template_is_refused_with_its_own_words(folder: Folder) -> None:
    folder.put("net.prototxt", NET.replace("num_output: 2", "num_output: 0", 1))
    done = convert(folder)
    assert done.code == 2
    assert done.err.startswith("error: net.prototxt:4:35: layer 'up': num_output: 0 is a")


def test_a_rule_that_crashes_is_told_with_its_trace(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from upconv.linter.rules import RULES

    def crash(context: object) -> Any:
        raise AssertionError("ours")

    monkeypatch.setitem(RULES, "UP201", replace(RULES["UP201"], check=crash))
    monkeypatch.setenv("UPCONV_DEBUG", "1")
    folder.put("net.prototxt", NET)
    done = convert(folder, "--no-verify", "--select", "UP201")
    assert done.code == 0
    assert "error[UP006]" in done.out
    assert 'raise AssertionError("ours")' in done.err


def test_from_python(folder: Folder) -> None:
    folder.put("net.prototxt", NET)
    model = upconv.load("net.prototxt", fill_missing="bilinear")
    done = upconv.convert(model, "net.onnx", prove=False)
    assert [one.code for one in done.findings] == ["UP202", "UP201"]
    assert repr(done) == (
        "<Conversion net.onnx: not verified, with 2 errors found by check, opset 18>"
    )
    strict = upconv.convert(model, "strict.onnx", prove=False, strict=True)
    assert (strict.passed, strict.path) == (False, "strict.onnx.failed")
    assert upconv.convert(model, "a.onnx", prove=False, strict=True, ignore="UP2").passed
