"""`check --fix` of an ONNX file: a copy with explicit pads, that computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from fixtures.make_onnx import net, node, noise, read
from tests.service.commands import upconv
from upconv.converters.ir.errors import UsageError
from upconv.converters.reference import run_model
from upconv.linter.reports import FORMATS
from upconv.service.work.check_request import CheckRequest
from upconv.service.work.checking import CheckResult, check
from upconv.service.work.reading import Reading


def _computed(path: Path, x: Any) -> Any:
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def _fixed(path: Path, **more: Any) -> CheckResult:
    request = {"levels": ("safe",), "cache": False, **more}
    return check(CheckRequest(paths=(str(path),), **request))


def _codes(done: CheckResult) -> set[str]:
    return {one.code for one in done.report.files[0].findings}


_FORMS: dict[str, dict[str, Any]] = {
    "upper": {"auto_pad": "SAME_UPPER"},
    "lower": {"auto_pad": "SAME_LOWER"},
    "shape": {"output_shape": [10, 15]},
    "shape and pads": {"output_shape": [10, 15], "pads": [1, 1, 1, 1]},
    "shape and upper": {"output_shape": [10, 15], "auto_pad": "SAME_UPPER"},
    "extra": {"auto_pad": "SAME_UPPER", "output_padding": [1, 0]},
}


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("groups", [1, 2])
def test_the_copy_computes_what_the_file_says(form: str, groups: int, tmp_path: Path) -> None:
    made = node(
        "ConvTranspose", "x,w,b", strides=[2, 3], group=groups, kernel_shape=[3, 4], **_FORMS[form]
    )
    stored = {"w": noise(4, 3, 3, 4), "b": noise(3 * groups)}
    proto = net([made], (2, 4, 5, 5), stored)
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    before = path.read_bytes()
    done = _fixed(path)
    copy = tmp_path / "net.fixed.onnx"
    assert done.fixes is not None
    assert done.fixes.copies == (str(copy),)
    assert "UP401" in _codes(done)
    assert path.read_bytes() == before
    x = noise(2, 4, 5, 5)
    meant = run_model(read(proto), {"x": x}, keep=("y",))["y"]
    np.testing.assert_allclose(_computed(copy, x), meant, atol=1e-4)
    assert "UP401" not in _codes(_fixed(copy))


def _same(tmp_path: Path, x: Any = (1, 2, 5, 7), **more: Any) -> Path:
    made = node("ConvTranspose", "x,w", **{"strides": [2, 2], "auto_pad": "SAME_UPPER", **more})
    path = tmp_path / "net.onnx"
    path.write_bytes(net([made], x, {"w": noise(2, 3, 3, 3)}).SerializeToString())
    return path


def test_in_place_mends_the_file_and_tells_no_more(tmp_path: Path) -> None:
    path = _same(tmp_path)
    done = upconv("check", path, "--fix", "--in-place")
    assert "UP401" not in done.out
    assert "1 finding fixed" in done.err
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


def test_what_lies_at_the_copys_place_is_kept(tmp_path: Path) -> None:
    path = _same(tmp_path)
    other = tmp_path / "net.fixed.onnx"
    other.write_bytes(b"mine")
    with pytest.raises(UsageError, match="there already"):
        _fixed(path)
    assert other.read_bytes() == b"mine"


def test_a_diff_writes_nothing(tmp_path: Path) -> None:
    path = _same(tmp_path)
    done = _fixed(path, write=False)
    assert done.fixes is not None
    assert done.fixes.count == 1
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


def test_sizes_of_the_users_own_decide_no_pads(tmp_path: Path) -> None:
    path = _same(tmp_path, (1, 2, "H", 7), output_shape=[10, 14])
    done = _fixed(path, reading=Reading(inputs={"x": (1, 2, 5, 7)}))
    assert "UP401" in _codes(done)
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


def test_a_kernel_below_the_stride_has_no_certain_cure(tmp_path: Path) -> None:
    path = _same(tmp_path, strides=[4, 4])
    assert "UP401" in _codes(_fixed(path))
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


def test_reports_have_no_edits_of_a_text(tmp_path: Path) -> None:
    path = _same(tmp_path)
    report = _fixed(path, write=False).report
    found = json.loads(FORMATS["json"](report))["findings"]
    assert [one["fix"] for one in found if one["code"] == "UP401"] == [None]
    assert not any(
        "fixes" in one for one in json.loads(FORMATS["sarif"](report))["runs"][0]["results"]
    )


def test_the_cases_of_engines_become_what_they_mean(shared: Path, tmp_path: Path) -> None:
    cases = shared / "engines" / "cases"
    names = [path for path in sorted(cases.glob("*.onnx"))
             if "auto" in path.name or "same" in path.name or "shape" in path.name]  # fmt: skip
    mended = 0
    for source in names:
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        _fixed(path, select=("UP401",))
        copy = path.with_suffix(".fixed.onnx")
        if copy.exists():
            mended += 1
            truth = np.load(source.with_suffix(".npz"))
            got = _computed(copy, truth["x"])
            np.testing.assert_allclose(got, truth["y"], atol=1e-4, err_msg=source.name)
    assert mended >= 8
