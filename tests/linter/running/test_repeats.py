"""Infos that many files of a search share are one; what has to be mended stays where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.commands import upconv

FORK = """layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 4 dim: 9 dim: 13 } } }
layer { name: "p" type: "Pooling" bottom: "data" top: "p"
  pooling_param { kernel_size: 2 stride: 2 } }
"""
BN = 'layer { name: "bn%d" type: "BN" bottom: "data" top: "bn%d" }\n'
WARNED = (
    'layer { name: "up" type: "Deconvolution" bottom: "p" top: "up"\n'
    "  convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1\n"
    '    weight_filler { type: "xavier" } } }\n'
)


def nets(folder: Path, count: int) -> list[Path]:
    """Nets that share a fork and a warning; each has one more layer of the fork."""
    paths = [folder / f"n{number}" / "net.prototxt" for number in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        layers = "".join(BN % (one, one) for one in range(number + 1))
        path.write_text(FORK + layers + WARNED, "utf-8")
    return paths


def told(*arguments: str | Path, cwd: Path) -> list[tuple[str, str, str]]:
    done = upconv("check", *arguments, "--format", "json", cwd=cwd)
    return [(f["code"], f["path"], f["message"]) for f in json.loads(done.out)["findings"]]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_three_nets_of_a_fork_are_one_remark(tmp_path: Path, count: int) -> None:
    nets(tmp_path, count)
    found = told(".", cwd=tmp_path)
    forks = [(path, message) for code, path, message in found if code == "UP311"]
    if count < 3:
        assert len(forks) == count
    else:
        tail = f"; the like in {count - 1} more files, first n1/net.prototxt"
        assert forks == [("n0/net.prototxt", f"BVLC's Caffe has no layer type BN{tail}")]
    assert sum(code == "UP107" for code, _, _ in found) == count, "a warning is each net's own"


def test_a_file_that_is_named_is_asked_about_by_itself(tmp_path: Path) -> None:
    found = told(*nets(tmp_path, 3), cwd=tmp_path)
    assert sum(code == "UP311" for code, _, _ in found) == 3


def test_a_baseline_holds_every_file(tmp_path: Path) -> None:
    nets(tmp_path, 3)
    upconv("check", ".", "--baseline", "b.json", "--write-baseline", cwd=tmp_path)
    assert told(".", "--baseline", "b.json", cwd=tmp_path) == []
    upconv("check", ".", "--baseline", "b.json", "--prune-baseline", cwd=tmp_path)
    assert told("n2", "--baseline", "b.json", cwd=tmp_path) == []


def test_ignores_are_written_into_every_file(tmp_path: Path) -> None:
    paths = nets(tmp_path, 3)
    upconv("check", ".", "--select", "UP311", "--add-ignore", "our fork", cwd=tmp_path)
    assert all("our fork" in path.read_text("utf-8") for path in paths)
    assert told(".", "--select", "UP311", cwd=tmp_path) == []
