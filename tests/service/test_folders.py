"""`convert`, `verify`, `audit` and `check` of folders, by processes and by a dask cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.make_caffemodel import write_caffemodel
from tests.service.commands import Outcome, upconv
from tests.service.http.test_scheduler import cluster
from tests.support import ROOT
from upconv.linter.running.workers import Here, Task
from upconv.service.work.pool import Pool
from upconv.service.work.scheduler import Scheduler, mapped

NET = """\
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 3 dim: {height} dim: 7 }} }} }}
layer {{ name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param {{ num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler {{ type: "bilinear" }} }} }}
"""
FILL = ("--fill-missing", "bilinear")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three nets in two folders, one that is broken, a solver, and code."""
    folder = tmp_path / "models"
    for name, height in (("a/one", 5), ("a/two", 6), ("b/three", 9)):
        path = folder / f"{name}.prototxt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NET.format(height=height))
    (folder / "b" / "broken.prototxt").write_text("layer {")
    (folder / "b" / "solver.prototxt").write_text('net: "net.prototxt"\nbase_lr: 0.1\n')
    (folder / "b" / "net.py").write_text(
        "import torch.nn as nn\nup = nn.ConvTranspose2d(8, 8, 4)\n"
    )
    return folder


def run(folder: Path, *arguments: str | Path, **environment: str) -> Outcome:
    return upconv(*arguments, cwd=folder.parent, UPCONV_PROGRESS="0", **environment)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without(done: Outcome, name: str) -> tuple[int, str, str]:
    return done.code, done.out.replace(name, "OUT"), done.err.replace(name, "OUT")


def test_a_folder_is_converted_model_by_model(models: Path) -> None:
    done = run(models, "convert", "models", "-o", "onnx", *FILL, "--report", "all.json")
    assert done.code == 2
    assert done.out.splitlines() == [
        "onnx/a/one.onnx: pass, opset 18",
        "onnx/a/two.onnx: pass, opset 18",
        "models/b/solver.prototxt: passed over: no Caffe net, but a solver",
        "onnx/b/three.onnx: pass, opset 18",
    ]
    assert "models/b/broken.prototxt:1:7: " in done.err
    assert done.err.splitlines()[-1].startswith("5 models in models: 3 pass, ")
    assert "1 passed over: 1 Python source" in done.err
    assert sorted(tree(models.parent / "onnx")) == ["a/one.onnx", "a/two.onnx", "b/three.onnx"]
    alone = run(models, "convert", "models/a/two.prototxt", "-o", "alone.onnx", *FILL)
    assert alone.code == 0
    one = (models.parent / "alone.onnx").read_bytes()
    assert one == (models.parent / "onnx" / "a" / "two.onnx").read_bytes()
    words = json.loads((models.parent / "all.json").read_text())
    assert [model["exit_code"] for model in words["models"]] == [0, 0, 2, 0, 0]
    assert words["models"][0]["result"]["verdict"] == "pass"


def test_folders_are_verified_and_audited(models: Path) -> None:
    run(models, "convert", "models", "-o", "onnx", *FILL)
    (models / "b" / "broken.prototxt").unlink()
    good = run(models, "verify", "models", "onnx", *FILL, "--jobs", "2")
    assert (good.code, good.out.count(": pass, opset 18")) == (0, 3)
    own = run(models, "verify", "onnx", "--format", "json")
    assert [model["verdict"] for model in json.loads(own.out)["models"]] == ["pass"] * 3
    audited = run(models, "audit", "models", "--format", "html", "-o", "reports", "--jobs", "2")
    assert audited.code == 0, audited.err
    names = ["a/one.html", "a/two.html", "b/three.html"]
    assert sorted(tree(models.parent / "reports")) == names
    assert "models/a/one.prototxt: Every H and W runs." in audited.out


@pytest.mark.parametrize(
    ("made", "arguments", "says"),
    [
        ("a/ONE.pbtxt", ("-o", "onnx"), "would both become"),
        ("", ("-o", "models"), "is the folder that is searched"),
        ("", ("-o", "onnx", "--only", "upsampling"), "--only is of one model"),
        ("", ("-o", "onnx", "--weights", "models/a/one.prototxt"), "--weights is of one model"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    models: Path, made: str, arguments: tuple[str, ...], says: str
) -> None:
    if made:
        (models / made).write_text(NET.format(height=5))
    before = tree(models.parent)
    done = run(models, "convert", "models", *arguments, *FILL)
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert says in done.err
    assert tree(models.parent) == before
    assert not (models.parent / "onnx").exists()


def test_what_was_made_inside_the_folder_is_not_taken_for_a_model(models: Path) -> None:
    for _ in range(2):
        done = run(models, "convert", "models", "-o", "models/onnx", *FILL)
        assert "5 models in models: 3 pass" in done.err
    assert not (models / "onnx" / "onnx").exists()


def test_weights_beside_a_model_are_its_own(tmp_path: Path) -> None:
    """Those of its name, and those that stand beside it alone; of several none is guessed."""
    from upconv.service.work.folders import weights_beside

    for name in ("x/one", "y/net", "z/a", "z/b"):
        path = tmp_path / f"{name}.prototxt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(NET.format(height=5))
    for name in ("x/one", "x/other", "y/trained", "z/trained"):
        write_caffemodel(tmp_path / f"{name}.caffemodel", "net", [])
    found = {
        name: Path(weights_beside(str(tmp_path / f"{name}.prototxt"))).name
        for name in ("x/one", "y/net", "z/a")
    }
    assert found == {"x/one": "one.caffemodel", "y/net": "trained.caffemodel", "z/a": ""}


def test_processes_change_neither_results_nor_their_order(models: Path) -> None:
    one = run(models, "convert", "models", "-o", "o1", *FILL, "--jobs", "1", "-v")
    two = run(models, "convert", "models", "-o", "o2", *FILL, "--jobs", "2", "-v")
    assert without(one, "o1") == without(two, "o2")
    assert tree(models.parent / "o1") == tree(models.parent / "o2")


def _square(item: tuple[Path, int]) -> int:
    """Slow enough to be killed in."""
    folder, number = item
    with (folder / f"{number}.pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.2)
    if number == 3:
        os.abort()
    return number * number


def _lost(item: tuple[Path, int], reason: str) -> int:
    assert "SIGABRT" in reason
    return -1


def _no_files(item: object) -> tuple[str, ...]:
    return ()


def _unmoved(item: tuple[Path, int], folder: str) -> tuple[Path, int]:
    return item


SQUARES = Task(_square, _lost, _no_files, _unmoved)
EXPECTED = [0, 1, 4, -1, 16, 25]


def _pids(folder: Path, number: int) -> list[int]:
    file = folder / f"{number}.pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """What it had is done again; a file that ends its own process is lost, and no other."""

    def kill() -> None:
        while not (found := _pids(tmp_path, 1)):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    done = dict(Pool(2).map(SQUARES, [(tmp_path, number) for number in range(6)]))
    killer.join()
    assert [done[number] for number in range(6)] == EXPECTED
    assert len(_pids(tmp_path, 1)) == 2
    assert len(_pids(tmp_path, 3)) == 1


def test_a_file_that_is_always_killed_is_lost_in_the_end() -> None:
    task = Task(_kill_me, _why, _no_files, _unmoved)
    ((_, told),) = Pool(1).map(task, [(Path(), 0)])
    assert told == "it was ended by SIGKILL (out of memory?)"


def _kill_me(item: object) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def _why(item: object, reason: str) -> str:
    return reason


def test_an_iterator_that_is_closed_ends_the_processes(tmp_path: Path) -> None:
    results = Pool(2).map(SQUARES, [(tmp_path, number) for number in (0, 1, 2)])
    next(results)
    results.close()
    for pid in [pid for number in range(3) for pid in _pids(tmp_path, number)]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_file_that_ends_its_process_does_not_end_a_check(models: Path) -> None:
    """Also where there are few and one process does them all."""
    script = models.parent / "sitecustomize.py"
    script.write_text(
        "import os\n"
        "from upconv.converters.readers.caffe import row\n"
        "from upconv.linter.running import run\n"
        "checked = run.check_path\n"
        "def check(path, *more, **named):\n"
        "    if path.endswith('one.prototxt'): os.abort()\n"
        "    return checked(path, *more, **named)\n"
        "run.check_path = check\n"
    )
    path = f"{ROOT}:{models.parent}"
    done = run(models, "check", "models", "--no-cache", "--format", "json", PYTHONPATH=path)
    words = json.loads(done.out)
    assert done.code == 2
    dead = [f for f in words["findings"] if f["code"] == "UP006"]
    assert [f["path"] for f in dead] == ["models/a/one.prototxt"]
    assert "it was ended by SIGABRT" in dead[0]["message"]
    assert sum(file["status"] == "ok" for file in words["files"]) == 3


def test_ctrl_c_leaves_no_half_file(models: Path) -> None:
    for number in range(20):
        (models / f"net{number:02}.prototxt").write_text(NET.format(height=5 + number))
    command = [sys.executable, "-m", "upconv", "convert", "models", "-o", "onnx", *FILL]
    process = subprocess.Popen(
        [*command, "--jobs", "2"],
        cwd=models.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    made = models.parent / "onnx"
    while not list(made.rglob("*.onnx")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (130, b"error: stopped")
    assert all(name.endswith(".onnx") and ".upconv" not in name for name in tree(made))
    assert len(tree(made)) < 23
    run(models, "convert", "models", "-o", "whole", *FILL)
    whole = tree(models.parent / "whole")
    assert all(whole[name] == data for name, data in tree(made).items())


# Other machines.


def test_files_that_a_worker_has_not_are_sent(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an executor that is no dask, whose workers see none of our files: the result is that of
    the work here, for relative and for absolute paths."""
    from upconv.converters.readers.options import ReadOptions
    from upconv.service.work import scheduler
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.conversion import ConvertRequest
    from upconv.service.work.each_model import CONVERT, conversions
    from upconv.service.work.folders import models_below

    monkeypatch.chdir(models.parent)
    monkeypatch.setattr(scheduler, "_copied", lambda file, target: False)
    for folder, here, there in (
        ("models", "o-one", "o-two"),
        (str(models), str(models.parent / "q-one"), str(models.parent / "q-two")),
    ):
        asked = ConvertRequest(folder, here, ReadOptions(), fill=("bilinear",))
        found = models_below(folder, CheckRequest(), here)
        mine = dict(Here().map(CONVERT, conversions(asked, found)))
        items = conversions(replace(asked, out=there), found)
        with ThreadPoolExecutor(2) as executor:
            theirs = dict(mapped(executor, CONVERT, items))
        assert len(mine) == 5
        for number, outcome in mine.items():
            words = repr(theirs[number]).replace(there, here)
            assert words == repr(outcome)
        assert tree(Path(here)) == tree(Path(there)) != {}


def test_a_cluster_gives_what_processes_give(models: Path, tmp_path: Path) -> None:
    """Also where one of its two workers is lost on the way."""
    pytest.importorskip("distributed")

    def kill() -> None:
        while not _pids(tmp_path, 1):
            time.sleep(0.01)
        workers[0].kill()

    with cluster(tmp_path, 2) as (address, workers):
        for arguments in (
            ("check", str(models), "--no-cache", "--format", "json"),
            ("convert", "models", "-o", "OUT", *FILL, "-v"),
        ):
            here = [word.replace("OUT", "o1") for word in arguments]
            there = [word.replace("OUT", "o2") for word in arguments]
            one = run(models, *here, "--jobs", "2")
            two = run(models, *there, "--scheduler", address)
            assert without(two, "o2") == without(one, "o1")
        assert tree(models.parent / "o1") == tree(models.parent / "o2") != {}
        killer = threading.Thread(target=kill)
        killer.start()
        items = [(tmp_path, number) for number in range(6)]
        done = dict(Scheduler(address).map(SQUARES, items))
        killer.join()
    assert [done[number] for number in range(6)] == EXPECTED
