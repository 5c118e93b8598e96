"""What real files say: the nets of the shared folder, where it is present."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from upconv.converters.ir.alignment import AxisMap
from upconv.converters.readers.caffe.reader import read_caffe
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context
from upconv.linter.running.engine import CheckOptions, check_path

FCN = "corpus/caffe/shelhamer__fcn.berkeleyvision.org"


def test_fcn8s_without_weights_has_one_finding_of_its_deconvolutions(shared: Path) -> None:
    report = check_path(shared / FCN / "voc-fcn8s" / "deploy.prototxt")
    assert [finding for finding in report.findings if finding.severity != "info"] == []
    (found,) = [finding for finding in report.findings if finding.code == "UP208"]
    assert (found.severity, found.layer) == ("info", "upscore2")
    assert "and 2 more" in found.message


@pytest.mark.parametrize("net", ["voc-fcn8s", "voc-fcn16s", "voc-fcn32s"])
def test_fcn_has_no_error_but_missing_weights(shared: Path, net: str) -> None:
    paths = sorted((shared / FCN / net).glob("*.prototxt"))
    nets = [path for path in paths if path.name != "solver.prototxt"]
    assert nets
    for path in nets:
        errors = {f.code for f in check_path(path).findings if f.severity == "error"}
        assert errors <= {"UP208"}


def test_no_rule_crashes_on_any_net(shared: Path) -> None:
    files = sorted((shared / "corpus" / "caffe").rglob("*.prototxt"))
    assert len(files) > 100
    reports = [check_path(path, named=False) for path in files]
    crashes = [f for report in reports for f in report.findings if f.code == "UP006"]
    assert crashes == []
    assert sum(report.status == "ok" for report in reports) > 200


OFFSETS = {
    "voc-fcn32s/train": {"score": 19},
    "voc-fcn16s/train": {"score_pool4c": 5, "score": 27},
    "voc-fcn8s/deploy": {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
    "voc-fcn-alexnet/val": {"score": 18},
}


@pytest.mark.parametrize("net", OFFSETS)
def test_published_offsets_are_confirmed(shared: Path, net: str) -> None:
    path = shared / FCN / f"{net}.prototxt"
    context = Context(str(path), None, read_caffe(str(path), ReadOptions()))
    right = {fit.layer.name: set(fit.relative) for fit in context.coordinates.crops}
    assert right == {
        name: {AxisMap(shift=Fraction(offset))} for name, offset in OFFSETS[net].items()
    }
    assert {"UP105", "UP106", "UP107"}.isdisjoint(f.code for f in check_path(path).findings)


def test_offsets_that_a_fork_would_compute_are_asked_about(shared: Path) -> None:
    report = check_path(shared / FCN / "fcn8s" / "deploy.prototxt")
    found = {f.layer: f.message.rsplit(" take ")[1] for f in report.findings if f.code == "UP307"}
    assert found == {"score_pool4c": "5", "score_pool3c": "9", "score": "31"}
    assert "UP105" not in {f.code for f in report.findings}


def test_forgotten_offsets_are_given(shared: Path) -> None:
    options = CheckOptions(ReadOptions(dialect="crop=bvlc"))
    report = check_path(shared / FCN / "fcn8s" / "deploy.prototxt", options)
    found = [(f.layer, f.severity, f.help) for f in report.findings if f.code == "UP105"]
    assert found == [
        ("score_pool4c", "error", "set offset: 5"),
        ("score_pool3c", "error", "set offset: 9"),
        ("score", "error", "set offset: 31"),
    ]


def test_half_a_pixel_is_no_error(shared: Path) -> None:
    report = check_path(shared / "corpus/caffe/wzj5133329__retinaface_caffe/mnet.prototxt")
    found = {f.layer: f.message for f in report.findings if f.code == "UP105"}
    assert set(found) == {"crop0", "crop1"}
    assert all("half a pixel from offset 0" in message for message in found.values())
    assert {f.code for f in report.findings if f.severity == "error"} == set()


@pytest.mark.parametrize("with_weights", [False, True])
def test_no_bilinear_golden_is_called_a_checkerboard(shared: Path, with_weights: bool) -> None:
    folders = sorted((shared / "goldens" / "caffe").glob("bilinear_*"))
    assert folders
    for folder in folders:
        weights = str(folder / "net.caffemodel") if with_weights else ""
        options = CheckOptions(ReadOptions(weights=weights))
        codes = {finding.code for finding in check_path(folder / "net.prototxt", options).findings}
        assert codes.isdisjoint({"UP107", "UP108", "UP201", "UP212", "UP213"}), folder.name
