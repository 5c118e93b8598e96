from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.linter.reports.made import awkward, finding, report
from tests.linter.rule_cases import check_case
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.finding import Report
from upconv.linter.reports.gitlab import SCHEMA_PATH, gitlab
from upconv.linter.running.engine import check_source

FOLDER = ROOT / "fixtures" / "rules"


@pytest.fixture(scope="module")
def documented() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA_PATH.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def entries(checked: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gitlab(checked))
    return found


@pytest.mark.parametrize("code", sorted(path.name for path in FOLDER.iterdir()))
def test_every_rule_fits_the_documented_schema(
    code: str, tmp_path: Path, documented: jsonschema.Draft202012Validator
) -> None:
    found = entries(Report((check_case(FOLDER / code, "bad", tmp_path),)))
    documented.validate(found)
    assert code in {entry["check_name"] for entry in found}


def test_awkward_reports_fit_the_documented_schema(
    documented: jsonschema.Draft202012Validator,
) -> None:
    documented.validate(entries(awkward()))
    documented.validate(entries(Report(())))
    assert not documented.is_valid([{"description": "no place"}])


def test_fingerprints_are_unique_and_free_of_lines() -> None:
    text = (FOLDER / "UP201" / "bad.prototxt").read_text("utf-8")
    first = entries(Report((check_source(Source("net.prototxt", text)),)))
    moved = entries(Report((check_source(Source("net.prototxt", "\n\n" + text)),)))
    prints = [entry["fingerprint"] for entry in first]
    assert len(set(prints)) == len(prints) > 1
    assert prints == [entry["fingerprint"] for entry in moved]
    lines = [entry["location"]["lines"]["begin"] for entry in first]
    assert [line + 2 for line in lines] == [e["location"]["lines"]["begin"] for e in moved]


def test_entry_says_all_of_it() -> None:
    checked = report(finding(), prefix="models/")
    assert entries(checked) == [
        {
            "description": (
                "bilinear-pad: layer '\N{GRINNING FACE}é': pad 0 is wrong (set pad: 1)"
            ),
            "check_name": "UP202",
            "fingerprint": checked.findings[0].fingerprint,
            "severity": "critical",
            "location": {"path": "models/a.prototxt", "lines": {"begin": 2, "end": 2}},
        }
    ]


def test_binary_file_gets_the_line_gitlab_asks_for() -> None:
    (entry,) = [entry for entry in entries(awkward()) if entry["check_name"] == "UP211"]
    assert entry["location"]["lines"] == {"begin": 1, "end": 1}
