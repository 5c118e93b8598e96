"""Many files: processes, and the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import ROOT
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Model
from upconv.converters.readers import formats
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import FileReport, Report
from upconv.linter.reports.sarif import sarif
from upconv.linter.running import cache as cache_module
from upconv.linter.running import engine, run
from upconv.linter.running.cache import Cache, cache_key
from upconv.linter.running.engine import CheckOptions
from upconv.linter.running.run import Target, check_files
from upconv.linter.running.workers import Here, Workers
from upconv.service.work.pool import Pool
from upconv.service.work.workers import default_jobs

FOLDER = ROOT / "fixtures" / "rules"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = []
    for source in sorted(FOLDER.glob("UP2*/bad.prototxt")):
        path = tmp_path / f"{source.parent.name}.prototxt"
        path.write_bytes(source.read_bytes())
        made.append(path)
    return made


def targets(files: list[Path], **changes: object) -> list[Target]:
    options = replace(CheckOptions(root=files[0].parent), **changes)  # type: ignore[arg-type]
    return [Target(str(path), options) for path in files]


def plain(reports: list[FileReport]) -> list[tuple[object, ...]]:
    texts = [report.source.text if report.source else None for report in reports]
    return [(replace(r, source=None), t) for r, t in zip(reports, texts, strict=True)]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are really checked, from now on."""
    seen: list[str] = []

    def check(path: str, options: CheckOptions, *, named: bool = True) -> FileReport:
        seen.append(Path(path).name)
        return engine.check_path(path, options, named=named)

    monkeypatch.setattr(run, "check_path", check)
    return seen


def test_processes_give_the_same_reports_in_order(files: list[Path]) -> None:
    assert plain(check_files(targets(files), workers=Pool(2))) == plain(check_files(targets(files)))


def test_progress_counts_up_to_the_end(files: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    check_files(targets(files), None, lambda done, total: told.append((done, total)))
    assert told == [(n, len(files)) for n in range(len(files) + 1)]


def test_few_files_need_one_process() -> None:
    assert default_jobs(3) == 1
    assert default_jobs(1000) >= 1


@pytest.mark.parametrize("workers", [Here(), Pool(1), Pool(2)])
def test_wrong_options_are_the_commands_fault_in_any_process(
    files: list[Path], workers: Workers
) -> None:
    read = ReadOptions(inputs={"nowhere": (1, 2, 8, 8)})
    with pytest.raises(UsageError, match="nowhere"):
        check_files(targets(files, read=read), workers=workers)


def _die(target: Target) -> FileReport:
    import os
    import signal

    name = Path(target.path).stem
    if name == "UP203":
        os._exit(1)
    if name in ("UP201", "UP217"):  # as the system ends what takes too much memory
        os.kill(os.getpid(), signal.SIGKILL)
    return engine.check_path(target.path, target.options, named=target.named)


@pytest.mark.parametrize("processes", [1, 2])
def test_files_that_end_their_process_are_findings_and_the_others_are_checked(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    whole = {report.path: report for report in check_files(targets(files))}
    monkeypatch.setattr(run, "CHECK", replace(run.CHECK, work=_die))
    told: list[int] = []
    cache = Cache(tmp_path / "cache")
    found = check_files(targets(files), cache, lambda done, _: told.append(done), Pool(processes))
    assert [report.path for report in found] == [path.name for path in files]
    assert told == list(range(len(files) + 1))
    dead = {Path(report.path).stem for report in found if report.crashed}
    assert dead == {"UP201", "UP203", "UP217"}
    for report in found:
        if report.crashed:
            assert (report.status, len(report.findings)) == ("unreadable", 1)
            assert "the process that checks it failed" in report.findings[0].message
        else:
            assert plain([report]) == plain([whole[report.path]])
    monkeypatch.setattr(run, "CHECK", None)  # all is in the cache
    kept = [t for t in targets(files) if Path(t.path).stem not in dead]
    assert len(check_files(kept, cache)) == len(files) - 3


def test_a_cached_report_of_a_clean_file_says_the_same_in_sarif(tmp_path: Path) -> None:
    clean = tmp_path / "good.prototxt"
    clean.write_text('input: "x" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n')
    cache = Cache(tmp_path / "cache")
    fresh, cached = (check_files(targets([clean]), cache) for _ in range(2))
    assert not fresh[0].findings
    assert sarif(Report(tuple(cached))) == sarif(Report(tuple(fresh)))


def test_cached_reports_are_the_same(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    fresh = check_files(targets(files), cache)
    seen = counted(monkeypatch)
    assert plain(check_files(targets(files), cache)) == plain(fresh)
    assert seen == []
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"
    tag = (tmp_path / "cache" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_changed_file_is_checked_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    check_files(targets(files), cache)
    seen = counted(monkeypatch)
    files[0].write_text("# changed\n" + files[0].read_text("utf-8"), "utf-8")
    check_files(targets(files), cache)
    assert seen == [files[0].name]


def test_key_holds_everything_the_result_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "w.caffemodel"
    weights.write_bytes(b"one")
    base = CheckOptions(root=tmp_path)
    variants = [
        base,
        replace(base, select=("UP1",)),
        replace(base, ignore=("UP1",)),
        replace(base, severities=(("UP201", "info"),)),
        replace(base, read=ReadOptions(str(weights))),
        replace(base, read=ReadOptions(inputs={"data": (1, 3, 8, 8)})),
        replace(base, read=ReadOptions(phase="TRAIN")),
        replace(base, read=ReadOptions(dialect="segnet")),
        replace(base, root=tmp_path / "inner"),
    ]
    path = str(tmp_path / "a")
    keys = {cache_key(b"net", path, True, options) for options in variants}
    keys |= {cache_key(b"net", path, False, base), cache_key(b"nets", path, True, base)}
    assert len(keys) == len(variants) + 2
    weights.write_bytes(b"two")
    assert cache_key(b"net", path, True, variants[4]) not in keys
    monkeypatch.setattr(cache_module, "rules_version", lambda: "newer")
    assert cache_key(b"net", path, True, base) not in keys


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": 1}', b"\xff\xfe", b"null"])
def test_corrupt_cache_is_ignored(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    cache = Cache(tmp_path / "cache")
    fresh = check_files(targets(files), cache)
    for entry in (tmp_path / "cache").glob("*/*.json"):
        entry.write_bytes(content)
    seen = counted(monkeypatch)
    assert plain(check_files(targets(files), cache)) == plain(fresh)
    assert len(seen) == len(files)


def test_entry_with_a_right_key_and_a_wrong_report_is_ignored(
    files: list[Path], tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    key = "k"
    cache.store("a", key, FileReport("a", "caffe", "ok"))
    assert cache.load("a", key) == FileReport("a", "caffe", "ok")
    (entry,) = (tmp_path / "cache").glob("*/*.json")
    entry.write_text('{"key": "k", "report": {"path": "a", "findings": [{"code": 1}]}}')
    assert cache.load("a", key) is None


def test_crash_and_missing_file_are_not_kept(tmp_path: Path, files: list[Path]) -> None:
    cache = Cache(tmp_path / "cache")
    (report,) = check_files(targets([tmp_path / "none.prototxt"]), cache)
    assert report.status == "unreadable"
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_stops_nothing(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    cache = Cache(tmp_path / "file" / "cache")
    assert plain(check_files(targets(files), cache)) == plain(check_files(targets(files)))


def test_one_file_that_crashes_leaves_the_others_checked(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = formats.open_model

    def fail(path: str, options: ReadOptions) -> Model:
        if path == str(files[0]):
            raise AssertionError
        return opened(path, options)

    monkeypatch.setattr(formats, "open_model", fail)
    first, *others = check_files(targets(files))
    assert [(f.code, f.path) for f in first.findings] == [("UP006", files[0].name)]
    assert not any(report.crashed for report in others)
