"""The fixes of a check: made, or only shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source
    from upconv.linter.finding import FileReport, Fix
    from upconv.linter.running.baseline import Baseline
    from upconv.service.work.check_request import CheckedFile, CheckRequest, Settings


@record(frozen=True, slots=True)
class Fixes:
    """What was fixed, or would be. `reports` are what is left to tell, file by file.

    `count` findings in `files` files; `diffs` are unified diffs of them where nothing was to be
    written, and `copies` mended copies of ONNX files, which stay as they are. `text` is the
    request's own text, fixed or not; None where it has none. `more` can be fixed by fixes that
    change numbers.
    """

    reports: tuple[FileReport, ...]
    count: int = 0
    files: int = 0
    diffs: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    text: bytes | None = None
    more: int = 0


def fix_files(
    files: Sequence[CheckedFile],
    request: CheckRequest,
    settings: Settings,
    known: Baseline | None,
) -> Fixes:
    """Fix what can be fixed, each file whole or not at all.

    Where nothing is to be written, nothing counts as mended. Raises UpconvError and OSError.
    """
    done = [_fixed(file, request, settings, known) for file in files]
    reports = tuple(one.report for one in done)
    counts = [one.count for one in done if one.count]
    return Fixes(
        reports,
        sum(counts),
        len(counts),
        tuple(one.diff for one in done if one.diff),
        tuple(one.copy for one in done if one.copy),
        next((one.text for one in done if one.text is not None), None),
        _unsafe(reports) if request.write else 0,
    )


@record(frozen=True, slots=True)
class _Done:
    """One file: what is left to tell, and what was fixed, in a copy perhaps, or is shown as a
    diff."""

    report: FileReport
    count: int = 0
    diff: str = ""
    copy: str = ""
    text: bytes | None = None


def _fixed(
    file: CheckedFile, request: CheckRequest, settings: Settings, known: Baseline | None
) -> _Done:
    """Fix one file, and write it where it may be written."""
    from upconv.converters.ir.files import write_whole
    from upconv.linter.fixing.fix import fix_text, read_text, unified_diff
    from upconv.linter.running.engine import check_source

    found = [finding.fix for finding in file.report.findings]
    fixes = [fix for fix in found if fix and fix.safety in request.levels]
    if not file.fixable or not (file.text or fixes):
        return _Done(file.report)
    if any(fix.nodes for fix in fixes):
        return _mended(file, fixes, request, settings, known)
    text = file.text or read_text(file.path)
    options = settings.options_of(Path(file.path))

    def recheck(source: Source) -> FileReport:
        again = check_source(source, options)
        return known.split(again)[0] if known else again

    fixed = fix_text(text, file.report, request.levels, recheck)
    if not request.write:
        diff = unified_diff(text.source, fixed.text.source, file.report.path)
        return _Done(file.report, fixed.count, diff)
    if file.text:
        return _Done(fixed.report, fixed.count, text=fixed.text.encoded())
    if fixed.count:
        write_whole(file.path, fixed.text.encoded())
    return _Done(fixed.report, fixed.count)


def _mended(
    file: CheckedFile,
    fixes: Sequence[Fix],
    request: CheckRequest,
    settings: Settings,
    known: Baseline | None,
) -> _Done:
    """Fix the nodes of an ONNX file, in a copy where the file itself is not to be changed.

    Raises UsageError where something else lies at the copy's place. With sizes that the user gave
    nothing is done: pads that fit them may fit no others.
    """
    from upconv.converters.ir.files import write_whole
    from upconv.linter.fixing.node_edits import edited, place_of_copy
    from upconv.linter.running.engine import check_path

    if settings.options_of(Path(file.path)).read.inputs:
        return _Done(file.report)
    count = sum(bool(fix.nodes) for fix in fixes)
    if not request.write:
        return _Done(file.report, count)
    data = edited(file.path, [e for fix in fixes for e in fix.nodes])
    if request.in_place:
        write_whole(file.path, data)
        again = check_path(Path(file.path), settings.options_of(Path(file.path)))
        return _Done(known.split(again)[0] if known else again, count)
    copy = place_of_copy(file.path, data)
    write_whole(copy, data)
    return _Done(file.report, count, copy=str(copy))


def _unsafe(reports: Sequence[FileReport]) -> int:
    fixes = [finding.fix for report in reports for finding in report.findings]
    return sum(fix is not None and fix.safety == "unsafe" for fix in fixes)
