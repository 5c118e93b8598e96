"""Ignore comments that are written: they silence what was found, and change nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.finding import FileReport
from upconv.linter.fixing.fix import decoded
from upconv.linter.fixing.ignore_comments import NOT_SILENCED, add_comments
from upconv.linter.running.engine import CheckOptions, check_source

CASES = sorted(
    path
    for path in (ROOT / "fixtures" / "rules").glob("*/bad.*")
    if path.suffix in (".prototxt", ".py", ".ipynb")
)
REASON = "as the [paper] has it, üß"


def recheck(source: Source) -> FileReport:
    return check_source(source, CheckOptions(root=ROOT, folds=False))


def open_codes(report: FileReport) -> list[str]:
    return [f.code for f in report.findings if f.code not in NOT_SILENCED]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name + path.suffix)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_example_is_silenced_whole_and_stays_itself(path: Path, ends: str) -> None:
    data = path.read_bytes().replace(b"\n", ends.encode())
    text = decoded(str(path), data)
    before = recheck(text.source)
    done = add_comments(text, before, REASON, recheck)
    after = recheck(done.text.source)
    assert done.count == len(open_codes(before)) - len(open_codes(after))
    assert bool(open_codes(after)) == bool(done.why)
    assert after.status == before.status
    ours = [one for one in after.silenced if one.reason == REASON]
    assert len(ours) >= done.count
    kept = [line for line in done.text.encoded().split(b"\n") if b"upconv: ignore[" not in line]
    was = [line for line in data.split(b"\n") if b"upconv: ignore[" not in line]
    assert kept == was
    again = add_comments(done.text, after, REASON, recheck)
    assert (again.count, again.text) == (0, done.text)


def test_most_examples_can_be_silenced() -> None:
    left = []
    for path in CASES:
        text = decoded(str(path), path.read_bytes())
        if add_comments(text, recheck(text.source), REASON, recheck).why:
            left.append(path.parent.name)
    assert left == []


def test_a_comment_that_would_silence_nothing_is_not_written() -> None:
    text = decoded("net.prototxt", (ROOT / "fixtures/rules/UP201/bad.prototxt").read_bytes())
    report = recheck(text.source)
    first = report.findings[0]
    assert first.place is not None
    ghost = replace(first, code="UP101", place=replace(first.place, line=1))
    done = add_comments(text, replace(report, findings=(*report.findings, ghost)), "no", recheck)
    assert done.count == len(report.findings)
    assert done.why == "no comment reaches the layer"
    assert "UP101" not in done.text.source.text


def test_a_format_without_comments_is_told() -> None:
    text = decoded("model.json", b'{"class_name": "Sequential",\n"config": []}')
    report = replace(recheck(text.source), status="ok", findings=())
    place = check_source(Source("a.prototxt", "layer {")).findings[0].place
    assert place is not None
    made = recheck(
        decoded("a.prototxt", (ROOT / "fixtures/rules/UP201/bad.prototxt").read_bytes()).source
    )
    finding = replace(made.findings[0], place=replace(place, line=2))
    done = add_comments(text, replace(report, findings=(finding,)), "no", recheck)
    assert (done.count, done.text) == (0, text)
    assert done.why == "its format has no place for a comment there"
