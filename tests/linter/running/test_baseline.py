from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.linter.reports.made import with_fingerprints
from upconv.converters.ir.errors import UsageError
from upconv.linter.finding import FileReport, Finding
from upconv.linter.running.baseline import Baseline, Run, read_baseline, write_baseline


def report(path: str, *layers: str, code: str = "UP201") -> FileReport:
    found = (Finding(code, "name", "error", path, None, layer, "wrong") for layer in layers)
    return FileReport(path, "caffe", "ok", "", with_fingerprints(found))


def run(root: Path, *files: FileReport, prefix: str = "UP") -> Run:
    return Run(files, root, lambda code: code.startswith(prefix))


def test_known_findings_are_not_new(tmp_path: Path) -> None:
    baseline = Baseline({}).updated(run(tmp_path, report("a", "up", "up")))
    new, held = baseline.split(report("a", "up", "other", "up", "up"))
    assert held == 2
    assert sorted(f.layer for f in new.findings) == ["other", "up"]


def test_update_judges_what_was_checked(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    first = Baseline({}).updated(run(tmp_path, report("a", "x"), report("b", "y")))
    second = first.updated(run(tmp_path, report("a", "z")))
    assert sorted(e["layer"] for e in second.entries.values()) == ["y", "z"]
    other_code = first.updated(run(tmp_path, report("a"), prefix="UP1"))
    assert other_code.entries == first.entries


def test_stale_entries(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    baseline = Baseline({}).updated(
        run(tmp_path, report("a", "x", "y"), report("b", "z"), report("gone", "w"))
    )
    stale = baseline.stale(run(tmp_path, report("a", "x")))
    assert sorted((e["path"], e["layer"]) for e in stale.values()) == [("a", "y"), ("gone", "w")]
    pruned = baseline.without(stale)
    assert sorted(e["layer"] for e in pruned.entries.values()) == ["x", "z"]


def test_failure_of_ours_is_never_known(tmp_path: Path) -> None:
    crashed = report("a", "", code="UP006")
    assert Baseline({}).updated(run(tmp_path, crashed)).entries == {}


def test_file_is_sorted_and_read_back(tmp_path: Path) -> None:
    baseline = Baseline({}).updated(run(tmp_path, report("b", "é"), report("a", "y", "x")))
    path = tmp_path / "baseline.json"
    write_baseline(path, baseline)
    assert read_baseline(path) == baseline
    rows = json.loads(path.read_text("utf-8"))["findings"]
    assert [(row["path"], row["layer"]) for row in rows] == [("a", "x"), ("a", "y"), ("b", "é")]
    assert [entry.name for entry in tmp_path.iterdir()] == ["baseline.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no baseline"),
        ("[]", "is no baseline"),
        ('{"version": 2, "findings": []}', "is a baseline of version 2"),
        ('{"version": 1, "findings": [{"code": "UP1"}]}', "is no baseline: KeyError"),
    ],
)
def test_broken_baseline_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        read_baseline(path)


def test_missing_baseline_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--write-baseline makes it"):
        read_baseline(tmp_path / "none.json")
