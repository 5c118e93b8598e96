"""Every rule fires in its bad fixture exactly as recorded, and is silent in its good twin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.linter.rule_cases import check_case, summary
from tests.support import ROOT, Golden
from upconv.linter.rules import RULES

FOLDER = ROOT / "fixtures" / "rules"
CODES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
WITHOUT_FIXTURE = {"UP006"}  # a crash of ours: tests/linter/running/test_engine.py makes one


def test_every_rule_has_a_fixture_and_every_fixture_a_rule() -> None:
    assert set(CODES) == set(RULES) - WITHOUT_FIXTURE


@pytest.mark.golden
@pytest.mark.parametrize("code", CODES)
def test_bad_fires(code: str, tmp_path: Path, golden: Golden) -> None:
    found = summary(check_case(FOLDER / code, "bad", tmp_path))
    golden(FOLDER / code / "expected.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    assert code in {entry["code"] for entry in found}


@pytest.mark.parametrize("code", CODES)
def test_good_is_silent(code: str, tmp_path: Path) -> None:
    found = summary(check_case(FOLDER / code, "good", tmp_path))
    assert [entry for entry in found if entry["code"] in (code, "UP001", "UP006")] == []


@pytest.mark.parametrize("code", CODES)
def test_its_table_says_how_safe_its_fixes_are_and_where_it_looks(
    code: str, tmp_path: Path
) -> None:
    rule = RULES[code]
    said = rule.sections["Fix safety"]
    assert said.startswith(("Safe", "Unsafe") if rule.fixes else "There is no fix")
    report = check_case(FOLDER / code, "bad", tmp_path)
    found = [finding for finding in report.findings if finding.code == code]
    levels = {f.fix.safety for f in found if f.fix is not None} - {"display"}
    assert levels <= set(rule.fixes)
    assert not rule.where or report.format in rule.where


@pytest.mark.parametrize("code", CODES)
def test_every_finding_says_where_and_what_next(code: str, tmp_path: Path) -> None:
    report = check_case(FOLDER / code, "bad", tmp_path)
    assert all(finding.message and finding.help for finding in report.findings)
    if report.source is not None:
        assert all(finding.place is not None for finding in report.findings)
