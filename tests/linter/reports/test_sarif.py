from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from tests.linter.reports.made import TEXT, awkward, file, finding, report
from tests.linter.rule_cases import check_case
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.finding import Edit, FileReport, Fix, Report, Silenced
from upconv.linter.page import DOCUMENTATION
from upconv.linter.reports.sarif import sarif
from upconv.linter.rules import RULES
from upconv.linter.running.engine import check_source

FOLDER = ROOT / "fixtures" / "rules"
SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json"


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft4Validator:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


def run_of(checked: Report) -> dict[str, Any]:
    (run,) = json.loads(sarif(checked))["runs"]
    found: dict[str, Any] = run
    return found


@pytest.mark.parametrize("code", sorted(path.name for path in FOLDER.iterdir()))
def test_every_rule_fits_the_official_schema(
    code: str, tmp_path: Path, official: jsonschema.Draft4Validator
) -> None:
    checked = Report(tuple(check_case(FOLDER / code, which, tmp_path) for which in ("bad", "good")))
    log = json.loads(sarif(checked))
    official.validate(log)
    results = log["runs"][0]["results"]
    assert code in {result["ruleId"] for result in results}


def test_awkward_reports_fit_the_official_schema(official: jsonschema.Draft4Validator) -> None:
    official.validate(json.loads(sarif(awkward())))
    official.validate(json.loads(sarif(Report(()))))


def test_what_is_silenced_is_marked_where_that_is_asked_for(
    official: jsonschema.Draft4Validator,
) -> None:
    silenced = (
        Silenced(finding("UP202"), "comment", "the crop behind it"),
        Silenced(finding("UP205"), "comment"),
        Silenced(finding("UP201"), "configuration"),
        Silenced(finding("XY123"), "baseline"),
    )
    checked = Report((replace(file(finding("UP203")), silenced=silenced),))
    assert [result["ruleId"] for result in run_of(checked)["results"]] == ["UP203"]
    log = json.loads(sarif(replace(checked, shows_silenced=True)))
    official.validate(log)
    reported, *results = log["runs"][0]["results"]
    assert "suppressions" not in reported
    marks = [
        (r["ruleId"], s["kind"], s["justification"]) for r in results for s in r["suppressions"]
    ]
    assert marks == [
        ("UP202", "inSource", "the crop behind it"),
        ("UP205", "inSource", "a comment that gives no reason"),
        ("UP201", "external", "an ignore of the configuration"),
        ("XY123", "external", "known to the baseline"),
    ]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in results)


def test_the_official_schema_refuses_what_is_wrong(official: jsonschema.Draft4Validator) -> None:
    fixed = report(finding(fix=Fix("safe", (Edit(1, 1, 1, 2, "x"),))))
    log = json.loads(sarif(fixed))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not official.is_valid(log)
    log = json.loads(sarif(fixed))
    del log["runs"][0]["results"][0]["fixes"][0]["artifactChanges"]
    assert not official.is_valid(log)


def test_rule_index_points_at_the_rule() -> None:
    run = run_of(awkward())
    rules = run["tool"]["driver"]["rules"]
    assert {result["ruleId"] for result in run["results"]} > {"UP202", "XY123"}
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert [rule["id"] for rule in rules] == sorted({*RULES, "XY123"})


def test_rules_say_what_a_person_asks() -> None:
    rules = {rule["id"]: rule for rule in run_of(Report(()))["tool"]["driver"]["rules"]}
    assert set(rules) == set(RULES)
    shown = rules["UP205"]
    assert shown["name"] == "bilinear-bias"
    assert shown["shortDescription"]["text"] == RULES["UP205"].summary
    assert "## Why it is bad" in shown["help"]["markdown"]
    assert shown["defaultConfiguration"]["level"] == "warning"
    assert rules["UP007"]["defaultConfiguration"]["level"] == "note"
    assert shown["helpUri"] == f"{DOCUMENTATION}rules/UP205/"
    assert (ROOT / "docs" / "rules" / "UP205.md").is_file()
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert urls["Documentation"] == DOCUMENTATION


def test_region_holds_the_words_in_code_points() -> None:
    run = run_of(report(finding()))
    assert run["columnKind"] == "unicodeCodePoints"
    (result,) = run["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    line = TEXT.splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "pad: 0"
    (logical,) = result["locations"][0]["logicalLocations"]
    assert logical["name"] == "\N{GRINNING FACE}é"


def test_binary_file_has_no_region() -> None:
    results = run_of(awkward())["results"]
    (result,) = [result for result in results if result["ruleId"] == "UP211"]
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_uris_start_at_the_repositorys_root() -> None:
    run = run_of(awkward())
    locations = [
        result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]
    ]
    found = {(location["uri"], location.get("uriBaseId")) for location in locations}
    assert found == {
        ("models/a.prototxt", "SRCROOT"),
        ("models/%C3%BCber%20models/a%3Ab%231.caffemodel", "SRCROOT"),
        ("models/b%E9.prototxt", "SRCROOT"),
        ("file:///elsewhere/x%20y.prototxt", None),
    }
    assert "SRCROOT" in run["originalUriBaseIds"]
    for uri, base in found:
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == (
            "" if base else "file",
            "",
            "",
            "",
        )
        assert unquote(parts.path).startswith("models/" if base else "/")


def test_parse_failure_is_an_unsuccessful_run(official: jsonschema.Draft4Validator) -> None:
    broken = check_source(Source("net.prototxt", "layer {\n  name: $\n"))
    log = json.loads(sarif(Report((broken,))))
    official.validate(log)
    (run,) = log["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = invocation["toolExecutionNotifications"]
    assert len(notes) == len(broken.findings) >= 1
    assert {note["descriptor"]["id"] for note in notes} == {"unreadable"}
    known = {entry["id"] for entry in run["tool"]["driver"]["notifications"]}
    assert {note["descriptor"]["id"] for note in notes} <= known
    assert {result["ruleId"] for result in run["results"]} == {"UP001"}


def test_unreadable_file_whose_finding_is_ignored_is_unsuccessful_too(
    official: jsonschema.Draft4Validator,
) -> None:
    log = json.loads(sarif(Report((FileReport("a", "", "unreadable", "cut short"),))))
    official.validate(log)
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    (note,) = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "cut short"


def test_findings_alone_are_a_successful_run() -> None:
    (invocation,) = run_of(report(finding()))["invocations"]
    assert invocation == {"executionSuccessful": True, "toolExecutionNotifications": []}


def test_replacements_give_the_fixed_text() -> None:
    edits = (Edit(2, 14, 2, 20, "pad: 1"), Edit(3, 1, 3, 1, "  # done\n"))
    (result,) = run_of(report(finding(fix=Fix("unsafe", edits))))["results"]
    (fix,) = result["fixes"]
    assert fix["properties"]["safety"] == "unsafe"
    assert fix["description"]["text"].startswith("Unsafe fix")
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "a.prototxt"
    assert replaced(TEXT, change["replacements"]) == TEXT.replace("pad: 0", "pad: 1").replace(
        "}", "  # done\n}"
    )


def replaced(text: str, replacements: list[dict[str, Any]]) -> str:
    """The text after SARIF's replacements, read as the standard says."""
    starts = Source("a", text).line_starts
    for entry in reversed(replacements):
        region = entry["deletedRegion"]
        start = starts[region["startLine"] - 1] + region["startColumn"] - 1
        end = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:start] + entry["insertedContent"]["text"] + text[end:]
    return text


def test_fix_that_is_only_for_display_stays_out() -> None:
    edit = Edit(2, 14, 2, 20, "pad: 1")
    (result,) = run_of(report(finding(fix=Fix("display", (edit,)))))["results"]
    assert "fixes" not in result


def test_fingerprints_are_the_reports_own() -> None:
    checked = awkward()
    prints = [result["partialFingerprints"]["upconv/v1"] for result in run_of(checked)["results"]]
    assert prints == [entry.fingerprint for entry in checked.findings]
    assert len(set(prints)) == len(prints)
