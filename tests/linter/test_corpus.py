"""What real files say: the nets of the shared folder, where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

from linter.engine import check_path

FCN = "corpus/caffe/shelhamer__fcn.berkeleyvision.org"


def test_fcn8s_without_weights_has_one_finding_a_deconvolution(shared: Path) -> None:
    report = check_path(shared / FCN / "voc-fcn8s" / "deploy.prototxt")
    found = [(finding.code, finding.severity, finding.layer) for finding in report.findings]
    assert found == [("UP208", "error", name) for name in ("upscore2", "upscore_pool4", "upscore8")]
    assert all("will output zeros" in finding.message for finding in report.findings)


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
