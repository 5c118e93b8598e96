"""The work from many threads at once: the results are those of one after the other, and the
process is left as it was."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fixtures.make_caffemodel import write_caffemodel
from tests.support import ROOT
from upconv.converters.proof.report import as_json
from upconv.linter.reports import FORMATS
from upconv.service.work.check_request import CheckRequest
from upconv.service.work.checking import check
from upconv.service.work.conversion import Conversion, ConvertRequest, convert
from upconv.service.work.proving import VerifyRequest, verify

RULES = sorted((ROOT / "fixtures" / "rules").glob("*/bad.*"))
ODD_ESCAPES = 'import torch.nn as nn\nname = "\\d"\nup = nn.ConvTranspose2d(8, 8, 3, 2, 1)\n'
SEVERAL = ("103", "112", "201", "320", "330", "333")
NET = """\
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 3 dim: {height} dim: 7 }} }} }}
layer {{ name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param {{ num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler {{ type: "bilinear" }} }} }}
"""


def state() -> tuple[object, ...]:
    """What all threads of a process share."""
    mask = os.umask(0o022)  # noqa: TID251  (the test is the only thread when it asks)
    os.umask(mask)  # noqa: TID251
    return (dict(os.environ), mask, gc.isenabled(), gc.get_threshold(), os.getcwd(),
            list(warnings.filters), list(sys.path))  # fmt: skip


@contextmanager
def process_left_alone() -> Iterator[None]:
    before = state()
    yield
    assert state() == before


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of all works, which begin together, each in a thread of its own."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def checked(path: Path) -> str:
    request = CheckRequest((str(path),), cache=False, jobs=1)
    return FORMATS["json"](check(request).report)


def test_checks_from_threads_are_those_of_one_thread(tmp_path: Path) -> None:
    code = tmp_path / "net.py"
    code.write_text(ODD_ESCAPES)
    works = [partial(checked, path) for path in [code, code, *RULES[:30], code, code]]
    serial = [work() for work in works]
    with process_left_alone():
        for _ in range(3):
            assert at_once(works) == serial


def test_the_first_checks_of_a_process_may_come_together(tmp_path: Path) -> None:
    """Modules are loaded when they are needed, by several threads at the same moment."""
    script = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from upconv.linter.reports import FORMATS
from upconv.service.work.check_request import CheckRequest
from upconv.service.work.checking import check
barrier = threading.Barrier(len(sys.argv) - 1)
def run(path):
    barrier.wait()
    report = check(CheckRequest((path,), cache=False, jobs=1)).report
    return path, report.count("error"), [finding.code for finding in report.findings]
with ThreadPoolExecutor(len(sys.argv) - 1) as pool:
    print(list(pool.map(run, sys.argv[1:])))
"""
    code = tmp_path / "net.py"
    code.write_text(ODD_ESCAPES)
    paths = [str(code), *(str(path) for path in RULES if path.parent.name[2:] in SEVERAL)]
    command = [sys.executable, "-c", script, *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    alone = [
        subprocess.run(
            [*command[:3], path], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()[1:-1]
        for path in paths[:3]
    ]
    assert done.stdout.startswith("[" + ", ".join(alone))


def test_fixes_from_threads_each_mend_their_own_files(tmp_path: Path) -> None:
    bad = ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt"
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
        shutil.copy(bad, folder)
        (folder / "bad.prototxt").chmod(0o640)

    def fixed(folder: Path) -> tuple[int, bytes, int]:
        request = CheckRequest((str(folder),), levels=("safe", "unsafe"), cache=False, jobs=1)
        fixes = check(request).fixes
        assert fixes is not None
        path = folder / "bad.prototxt"
        return fixes.count, path.read_bytes(), path.stat().st_mode & 0o777

    with process_left_alone():
        first, *others = at_once([partial(fixed, folder) for folder in folders])
    assert first[0] > 0
    assert first[1] != bad.read_bytes()
    assert first[2] == 0o640
    assert others == [first] * 5
    assert [path.name for folder in folders for path in folder.iterdir()] == ["bad.prototxt"] * 6


@pytest.fixture
def nets(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"net{height}.prototxt" for height in (5, 6, 9)]
    for height, path in zip((5, 6, 9), paths, strict=True):
        path.write_text(NET.format(height=height))
    return paths


def converted(net: Path, suffix: str) -> tuple[Conversion, bytes]:
    out = net.with_suffix(suffix)
    done = convert(ConvertRequest(str(net), str(out), fill=("bilinear",)))
    return done, out.read_bytes()


def test_conversions_from_threads_are_those_of_one_thread(nets: list[Path]) -> None:
    serial = [converted(net, ".serial.onnx") for net in nets]
    with process_left_alone():
        together = at_once([partial(converted, net, ".onnx") for net in nets])
    for net, (one, one_file), (other, other_file) in zip(nets, serial, together, strict=True):
        assert one.verdict == other.verdict == "pass"
        assert one_file == other_file
        assert one.proof is not None
        assert other.proof is not None
        assert other.path == other.out == str(net.with_suffix(".onnx"))
        assert as_json(replace(other.proof, onnx=one.proof.onnx)) == as_json(one.proof)


def test_a_proof_that_fails_beside_one_that_passes(nets: list[Path]) -> None:
    """Each thread hears of its own file only."""
    net = nets[0]
    out, other = net.with_suffix(".onnx"), nets[1]
    converted(net, ".onnx")
    broken = net.with_suffix(".broken")
    broken.write_bytes(b"no model")

    def judged(onnx: Path) -> str:
        try:
            return verify(VerifyRequest(str(net), str(onnx), fill=("bilinear",))).verdict
        except Exception as error:
            return f"{type(error).__name__} {error}"

    right, wrong, foreign = at_once([partial(judged, path) for path in (out, broken, other)])
    assert right == "pass"
    assert wrong.startswith(f"UnreadableError {broken}: ")
    assert foreign.startswith(f"UnreadableError {other}: ")


def test_processes_that_share_a_check_out_from_threads(tmp_path: Path) -> None:
    for path in RULES[:8]:
        shutil.copy(path, tmp_path / f"{path.parent.name}{path.suffix}")

    def shared_out(jobs: int) -> str:
        request = CheckRequest((str(tmp_path),), cache=False, jobs=jobs)
        return FORMATS["json"](check(request).report)

    alone = shared_out(1)
    assert at_once([partial(shared_out, 2), partial(shared_out, 1)]) == [alone] * 2


def test_what_progress_raises_ends_the_proof_and_leaves_nothing(nets: list[Path]) -> None:
    """How a job is cancelled."""
    weights = nets[0].with_suffix(".caffemodel")
    write_caffemodel(weights, "empty", [])
    seen: list[str] = []

    def cancel(message: str) -> None:
        seen.append(message)
        raise KeyboardInterrupt

    before = set(nets[0].parent.iterdir())
    with pytest.raises(KeyboardInterrupt):
        convert(
            ConvertRequest(str(nets[0]), str(nets[0].with_suffix(".onnx")), fill=("bilinear",)),
            cancel,
        )
    assert len(seen) == 1
    assert set(nets[0].parent.iterdir()) == before
