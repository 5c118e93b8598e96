"""A cached report holds for the files that belong to a model too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import Finding
from upconv.linter.running.cache import Cache
from upconv.linter.running.engine import CheckOptions
from upconv.linter.running.run import Target, check_files


def findings(model: Path, cache: Cache, weights: Path | None = None) -> tuple[Finding, ...]:
    read = ReadOptions(weights=str(weights) if weights else "")
    (report,) = check_files([Target(str(model), CheckOptions(read, model.parent))], cache)
    return report.findings


def codes(model: Path, cache: Cache, weights: Path | None = None) -> list[str]:
    return [finding.code for finding in findings(model, cache, weights)]


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.json"))


@pytest.fixture
def stale(shared: Path) -> Path:
    return shared / "cases" / "cache" / "stale_cache"


@pytest.mark.parametrize("named", ["", "saved_model.pb"])
def test_variables_of_a_saved_model(named: str, stale: Path, tmp_path: Path) -> None:
    cache, folder = Cache(tmp_path / "cache"), tmp_path / "sm"
    shutil.copytree(stale / "smA", folder)
    assert codes(folder / named, cache) == ["UP211"]
    assert len(entries(cache.folder)) == 1, "also a folder's report is kept"
    shutil.copytree(stale / "smB" / "variables", folder / "variables", dirs_exist_ok=True)
    assert codes(folder / named, cache) == []


@pytest.mark.parametrize("named", ["m", "m.index", "m.data-00000-of-00001"])
def test_parts_of_a_checkpoint(named: str, stale: Path, tmp_path: Path) -> None:
    cache, folder = Cache(tmp_path / "cache"), tmp_path / "ck"
    shutil.copytree(stale / "ck", folder)
    assert codes(stale / "keep.pbtxt", cache, folder / named) == []
    (folder / "m.data-00000-of-00001").write_bytes(b"")
    assert "UP001" in codes(stale / "keep.pbtxt", cache, folder / named)


def test_a_checkpoint_beside_a_meta_graph(tmp_path: Path) -> None:
    cache, meta = Cache(tmp_path / "cache"), tmp_path / "m.meta"
    meta.write_text("graph_def { node { name: 'x' op: 'Placeholder' } }")
    before = findings(meta, cache)
    (tmp_path / "m.index").write_bytes(b"no table")
    assert findings(meta, cache) != before
