"""`upconv check` from outside: exit codes, streams, options, files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.service.commands import Outcome, upconv
from tests.support import ROOT
from upconv.linter.reports.json_report import SCHEMA_PATH
from upconv.service.cli import main as cli

FIXTURES = ROOT / "fixtures"
INPUT = 'input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }\n'
UP = """\
layer {
  name: "up"
  type: "Deconvolution"
  bottom: "data"
  top: "up"
  param { lr_mult: 0 }
  convolution_param {
    num_output: 2
    group: 2
    bias_term: false
    kernel_size: 4
    stride: 2
    pad: 1
    weight_filler { type: "bilinear" }
  }
}
"""
GOOD = INPUT + UP
BAD = GOOD.replace("    pad: 1\n", "")
WARN = GOOD.replace("    bias_term: false\n", "")
MISSPELT = GOOD.replace("lr_mult: 0", "lr_mult: 0 decay_mutl: 0")
SOLVER = 'net: "train.prototxt"\nbase_lr: 0.1\n'


class Folder:
    """A folder in which commands run, in this process."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def put(self, name: str, text: str = BAD) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_bytes().decode("utf-8")

    def run(self, *arguments: str | Path, stdin: str = "") -> Outcome:
        before = sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8")))
        try:
            with pytest.raises(SystemExit) as done:
                cli.main([str(argument) for argument in arguments])
        finally:
            sys.stdin = before
        said = self._capsys.readouterr()
        assert isinstance(done.value.code, int)
        return Outcome(done.value.code, said.out, said.err)

    def check(self, *arguments: str | Path, stdin: str = "") -> Outcome:
        return self.run("check", *arguments, stdin=stdin)


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Folder:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("UPCONV_")]:
        monkeypatch.delenv(name)
    return Folder(tmp_path, capsys)


def codes(done: Outcome) -> list[str]:
    return [finding["code"] for finding in json.loads(done.out)["findings"]]


# Exit codes.


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (GOOD, "", 0),
        (BAD, "", 1),
        (BAD, "--exit-zero", 0),
        (WARN, "", 0),
        (WARN, "--fail-on warning", 1),
        (GOOD, "--fail-on info", 1),
        (BAD, "--ignore UP202", 0),
        (BAD, "--select UP1", 0),
        (BAD, "--ignore bilinear-pad", 0),
        (BAD, "--select UP --ignore UP2 --statistics", 0),
        ("layer {", "", 1),
        ("", "", 1),
        ("layer {", "--exit-zero", 0),
    ],
)
def test_exit_code(folder: Folder, text: str, options: str, code: int) -> None:
    folder.put("net.prototxt", text)
    done = folder.check("net.prototxt", *options.split())
    assert (done.code, done.err) == (code, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.prototxt", "error: none.prototxt: no such file or folder (check the path)"),
        ("empty", "error: nothing to check in empty: no model was found"),
        (
            "solver.prototxt",
            "error: solver.prototxt: nothing to check: no Caffe net, but a solver "
            '(its net is "train.prototxt")',
        ),
        ("net.prototxt --select UP9", "error: no rule's code is or begins with 'UP9'"),
        ("net.prototxt --select BAD", "error: no rule's code is or begins with 'BAD'"),
        ("net.prototxt --output xml:F", "error: --output xml:F: write it as FORMAT:FILE"),
        ("net.prototxt --output json", "error: --output json: write it as FORMAT:FILE"),
        ("net.prototxt --output json:no/F", "error: no/F: its folder does not exist"),
        ("net.prototxt --baseline none.json", "error: none.json: no such baseline"),
        ("net.prototxt --prune-baseline", "error: --prune-baseline: there is no baseline"),
        ("net.prototxt --config none.toml", "error: none.toml: cannot be read: No such file"),
        ("net.prototxt --dialect nobody", "error: "),
        ("net.prototxt --input data", "error: --input data: it has no NAME="),
        ("net.prototxt --input nowhere=1x2x8x8", "error: "),
        ("net.prototxt --diff --format json", "error: --diff and --format json both want"),
        ("- --fix --format json", "error: --fix on standard input and --format json both want"),
        ("- net.prototxt --fix", "error: standard input is fixed by itself"),
        ("net.prototxt --diff --statistics", "error: --diff and --statistics both want"),
    ],
)
def test_wrong_request_is_one_line_and_code_2(folder: Folder, arguments: str, message: str) -> None:
    folder.put("net.prototxt")
    folder.put("solver.prototxt", SOLVER)
    (folder.path / "empty").mkdir()
    done = folder.check(*arguments.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", ["--jobs 0", "--jobs x", "--format xml", "--fail-on never", "--wrong"]
)
def test_option_that_click_refuses(folder: Folder, arguments: str) -> None:
    folder.put("net.prototxt")
    done = folder.check("net.prototxt", *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


def test_failure_of_ours_is_code_2(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("upconv.linter.running.run.check_path", fail)
    folder.put("net.prototxt")
    done = folder.check("net.prototxt")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: upconv failed: ZeroDivisionError: by zero (please report")


def test_file_without_permission_is_unreadable(folder: Folder) -> None:
    path = folder.put("net.prototxt")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert folder.check(path).code == 1


# What is checked.


def test_folder_with_nets_and_others(folder: Folder) -> None:
    folder.put("a/net.prototxt")
    folder.put("solver.prototxt", SOLVER)
    done = folder.check(".", "--format", "json")
    record = json.loads(done.out)
    jsonschema.validate(record, json.loads(SCHEMA_PATH.read_text("utf-8")))
    assert [(file["path"], file["status"]) for file in record["files"]] == [
        ("solver.prototxt", "skipped"),
        ("a/net.prototxt", "ok"),
    ]
    assert (done.code, done.err) == (1, "")


def test_no_path_is_this_folder(folder: Folder) -> None:
    folder.put("net.prototxt")
    assert folder.check().code == 1


def test_only_others_is_nothing_to_check(folder: Folder) -> None:
    folder.put("a.prototxt", SOLVER)
    folder.put("b.prototxt", SOLVER)
    done = folder.check(".")
    assert done.code == 2
    assert "none of 2 files is a model; a.prototxt: no Caffe net, but a solver" in done.err


def test_standard_input(folder: Folder) -> None:
    done = folder.check("-", "--format", "json", stdin=BAD)
    assert (done.code, codes(done)[-1]) == (1, "UP202")
    assert json.loads(done.out)["files"][0]["path"] == "-"
    named = folder.check("-", "--format", "json", "--stdin-filename", "a/b.prototxt", stdin=BAD)
    assert json.loads(named.out)["files"][0]["path"] == "a/b.prototxt"
    assert folder.check("-", stdin=SOLVER).code == 2
    assert folder.check("-", stdin="layer {").code == 1


def test_file_twice_is_checked_once(folder: Folder) -> None:
    folder.put("net.prototxt")
    done = folder.check("net.prototxt", "net.prototxt", "--format", "json")
    assert len(json.loads(done.out)["files"]) == 1


# What is said.


def test_colour_only_where_it_is_wanted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("net.prototxt")
    assert "\x1b[" not in folder.check("net.prototxt").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in folder.check("net.prototxt").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in folder.check("net.prototxt").out


def test_several_reports_at_once(folder: Folder) -> None:
    folder.put("net.prototxt")
    done = folder.check(
        "net.prototxt", "--format", "concise", "--output", "json:a.json", "--output", "sarif:b"
    )
    assert done.out.startswith("net.prototxt:")
    assert json.loads(folder.read("a.json"))["summary"]["errors"] == 1
    assert json.loads(folder.read("b"))["version"] == "2.1.0"


def test_statistics(folder: Folder) -> None:
    folder.put("a.prototxt")
    folder.put("b.prototxt")
    rows = folder.check(".", "--select", "UP2", "--statistics").out
    assert rows == "     2 UP202 error   bilinear-pad\n\n2 errors; 2 files checked\n"
    assert folder.check(".", "--select", "UP3", "--statistics").out == (
        "no findings; 2 files checked\n"
    )
    counts = json.loads(folder.check(".", "--select", "UP2", "--statistics", "--format=json").out)
    assert counts == [{"code": "UP202", "name": "bilinear-pad", "severity": "error", "count": 2}]


# Fixes.


def test_fix_writes_safe_fixes_only(folder: Folder) -> None:
    path = folder.put("net.prototxt", MISSPELT.replace("    pad: 1\n", "").replace("\n", "\r\n"))
    path.chmod(0o600)
    done = folder.check("net.prototxt", "--fix", "--select", "UP0,UP2")
    assert "decay_mult: 0 }\r\n" in folder.read("net.prototxt")
    assert done.code == 1
    assert done.err == (
        "1 finding fixed\n1 more can be fixed with --fix --unsafe-fixes, which change numbers\n"
    )
    again = folder.check("net.prototxt", "--fix", "--unsafe-fixes", "--select", "UP0,UP2")
    assert (again.code, again.err) == (0, "1 finding fixed\n")
    expected = MISSPELT.replace("mutl", "mult").replace("\n", "\r\n")
    assert folder.read("net.prototxt") == expected
    assert path.stat().st_mode & 0o777 == 0o600
    folder.check("net.prototxt", "--fix", "--unsafe-fixes")
    assert folder.read("net.prototxt") == expected


def test_diff_writes_nothing(folder: Folder) -> None:
    folder.put("a/net.prototxt", MISSPELT)
    done = folder.check(".", "--diff", "--output", "json:report.json")
    assert folder.read("a/net.prototxt") == MISSPELT
    assert "\n-  param { lr_mult: 0 decay_mutl: 0 }\n+  param { lr_mult: 0 decay_mult: 0 }\n" in (
        done.out
    )
    assert done.out.startswith("--- a/a/net.prototxt\n+++ b/a/net.prototxt\n@@")
    assert done.err == "1 finding can be fixed\n"
    assert "UP002" in folder.read("report.json")


def test_fixed_standard_input_goes_to_standard_output(folder: Folder) -> None:
    done = folder.check("-", "--fix", stdin="\ufeff" + MISSPELT)
    assert done.out == "\ufeff" + MISSPELT.replace("mutl", "mult")
    assert "1 finding fixed" in done.err
    clean = folder.check("-", "--fix", stdin=GOOD)
    assert (clean.out, clean.code) == (GOOD, 0)
    diff = folder.check("-", "--diff", "--stdin-filename", "n.prototxt", stdin=MISSPELT)
    assert diff.out.startswith("--- a/n.prototxt\n+++ b/n.prototxt\n")


def test_silenced_and_known_findings_are_not_fixed(folder: Folder) -> None:
    text = BAD.replace("layer {", "# upconv: ignore[UP202] meant\nlayer {")
    folder.put("silenced.prototxt", text)
    folder.put("known.prototxt", BAD)
    folder.check("known.prototxt", "--baseline", "b.json", "--write-baseline")
    done = folder.check(".", "--fix", "--unsafe-fixes", "--baseline", "b.json", "--select", "UP2")
    assert done.code == 0
    assert (folder.read("silenced.prototxt"), folder.read("known.prototxt")) == (text, BAD)


# Baselines.


def test_baseline_written_used_and_pruned(folder: Folder) -> None:
    folder.put("net.prototxt")
    known = ("--baseline", "known.json", "--select", "UP2")
    done = folder.check(".", *known, "--write-baseline")
    assert (done.code, done.err) == (0, "known.json: 1 finding written\n")
    done = folder.check(".", *known)
    assert (done.code, done.err) == (0, "known.json: 1 known finding not shown\n")
    moved = "\n\n" + BAD + UP.replace('"up"', '"up2"').replace("pad: 1", "pad: 0")
    folder.put("net.prototxt", moved)
    done = folder.check(".", *known, "--format", "json")
    assert done.code == 1
    assert [f["layer"] for f in json.loads(done.out)["findings"]] == ["up2"]
    folder.put("net.prototxt", GOOD)
    done = folder.check(".", *known)
    assert done.code == 0
    assert done.err == (
        "known.json: 1 entry found no more (net.prototxt: UP202 layer 'up'); "
        "--prune-baseline drops them\n"
    )
    done = folder.check(".", *known, "--prune-baseline")
    assert done.err == "known.json: 1 entry found no more, dropped\n"
    assert json.loads(folder.read("known.json"))["findings"] == []
    assert folder.check(".", *known).err == ""


def test_code_on_standard_input_needs_no_name(folder: Folder) -> None:
    code = "import torch.nn as nn\nup = nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)\n"
    assert codes(folder.check("-", "--format", "json", stdin=code)) == ["UP107"]


def test_silenced_findings_are_shown_in_sarif_on_request(folder: Folder) -> None:
    folder.put("known.prototxt")
    folder.put("meant.prototxt", BAD.replace("layer {", "layer {  # upconv: ignore[UP202] meant"))
    folder.check(".", "--baseline", "b.json", "--write-baseline", "--select", "UP2")
    for cached in range(2):
        options = (".", "--baseline", "b.json", "--select", "UP2", "--format", "sarif")
        assert json.loads(folder.check(*options).out)["runs"][0]["results"] == [], cached
        results = json.loads(folder.check(*options, "--show-silenced").out)["runs"][0]["results"]
        assert [mark for result in results for mark in result["suppressions"]] == [
            {"kind": "external", "status": "accepted", "justification": "known to the baseline"},
            {"kind": "inSource", "status": "accepted", "justification": "meant"},
        ]


def test_baseline_without_a_name_lies_beside_the_configuration(folder: Folder) -> None:
    folder.put("upconv.toml", 'baseline = "known/b.json"\n')
    (folder.path / "known").mkdir()
    folder.put("sub/net.prototxt")
    folder.check("sub", "--write-baseline")
    assert json.loads(folder.read("known/b.json"))["findings"]
    assert folder.check("sub").code == 0


def test_baseline_takes_unreadable_files(folder: Folder) -> None:
    folder.put("net.prototxt", "layer {")
    assert folder.check(".", "--write-baseline").code == 0
    assert folder.check(".", "--baseline", "upconv-baseline.json").code == 0


# Configuration.


def test_command_line_before_environment_before_file(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("net.prototxt")
    folder.put("upconv.toml", 'select = ["UP201"]\nformat = "json"\nfail-on = "info"\n')
    assert codes(folder.check()) == []
    monkeypatch.setenv("UPCONV_SELECT", "UP202,UP205")
    assert codes(folder.check()) == ["UP202"]
    assert codes(folder.check("--select", "UP208")) == []
    monkeypatch.setenv("UPCONV_FORMAT", "concise")
    assert folder.check().out.startswith("net.prototxt:2:1: error UP202 ")
    assert folder.check("--format", "json").out.startswith("{")


def test_configuration_of_the_closest_folder(folder: Folder) -> None:
    folder.put("upconv.toml", 'select = ["UP2"]\n')
    folder.put("net.prototxt")
    folder.put("old/net.prototxt")
    folder.put("old/pyproject.toml", '[tool.upconv]\nselect = ["UP2"]\nignore = ["UP202"]\n')
    done = folder.check(".", "--format", "json")
    assert [f["path"] for f in json.loads(done.out)["findings"]] == ["net.prototxt"]
    folder.put("named.toml", 'select = ["UP208"]\n')
    assert codes(folder.check(".", "--format", "json", "--config", "named.toml")) == []


def test_paths_are_relative_to_the_configuration(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("upconv.toml", "jobs = 1\n")
    folder.put("a/b/net.prototxt")
    monkeypatch.chdir(folder.path / "a" / "b")
    done = folder.check("net.prototxt", "--format", "json")
    assert json.loads(done.out)["files"][0]["path"] == "a/b/net.prototxt"
    fixed = folder.check("net.prototxt", "--fix", "--unsafe-fixes", "--select", "UP2")
    assert (fixed.code, folder.read("a/b/net.prototxt")) == (0, GOOD.replace("\r", ""))


def test_severity_ignores_and_excludes_by_file_and_layer(folder: Folder) -> None:
    folder.put("net.prototxt", BAD + UP.replace('"up"', '"keep"').replace("pad: 1", "pad: 0"))
    folder.put("vendor/net.prototxt")
    folder.put("old/net.prototxt")
    folder.put(
        "upconv.toml",
        'select = ["UP2"]\nexclude = ["vendor/"]\n[severity]\nUP20 = "warning"\n'
        '[per-file-ignores]\n"old/" = ["UP202"]\n[per-layer-ignores]\n"kee*" = ["UP2"]\n',
    )
    done = folder.check(".", "--format", "json")
    found = [(f["path"], f["layer"], f["severity"]) for f in json.loads(done.out)["findings"]]
    assert found == [("net.prototxt", "up", "warning")]
    assert (done.code, done.err) == (0, "")
    assert folder.check("vendor/net.prototxt").code == 0, "a warning; what is named is checked"


def test_idle_ignores_of_the_configuration_are_told(folder: Folder) -> None:
    folder.put("net.prototxt")
    folder.put("upconv.toml", '[per-layer-ignores]\n"up" = ["UP202"]\n"down" = ["UP202"]\n')
    done = folder.check(".")
    assert (
        done.err == f"{folder.path}/upconv.toml: per-layer-ignores.'down': UP202 silences nothing\n"
    )
    assert folder.check("net.prototxt").err == ""


def test_phase_and_dialect_of_the_configuration(folder: Folder) -> None:
    folder.put("net.prototxt", BAD.replace('name: "up"', 'name: "up" include { phase: TRAIN }'))
    folder.put("upconv.toml", 'phase = "TRAIN"\nselect = ["UP2"]\nformat = "json"\n')
    assert "UP202" in codes(folder.check())
    assert codes(folder.check("--phase", "TEST")) == []
    folder.put("upconv.toml", 'dialect = "nobody"\n')
    assert folder.check().code == 2


# Many files.


def test_cache_is_used_for_several_files_and_gives_the_same(folder: Folder) -> None:
    for number in range(3):
        folder.put(f"{number}.prototxt")
    first = folder.check(".", "--format", "json")
    assert (folder.path / ".upconv_cache" / "CACHEDIR.TAG").is_file()
    assert folder.check(".", "--format", "json") == first
    text = folder.check(".")
    assert "    weight_filler" not in text.out
    assert "layer {" in text.out
    assert folder.check(".", "--no-cache", "--format", "json") == first


def test_no_cache_for_one_file_and_none_where_it_is_not_wanted(folder: Folder) -> None:
    folder.put("0.prototxt")
    folder.check("0.prototxt")
    folder.put("1.prototxt")
    folder.check(".", "--no-cache")
    assert not (folder.path / ".upconv_cache").exists()
    folder.check(".", "--cache-dir", "elsewhere")
    assert (folder.path / "elsewhere" / ".gitignore").is_file()


def test_jobs_give_the_same_report(folder: Folder) -> None:
    for number in range(6):
        folder.put(f"{number}.prototxt")
    options = (".", "--no-cache", "--format", "json")
    assert folder.check(*options, "--jobs", "2") == folder.check(*options, "--jobs", "1")


# A process of its own.


def test_cold_check_imports_nothing_heavy(tmp_path: Path) -> None:
    """The budget is CPU time (benchmarks/cold_start.py); this holds what it is spent on."""
    script = tmp_path / "sitecustomize.py"
    script.write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print(sorted(m for m in sys.modules), file=sys.stderr))\n"
    )
    root = ROOT
    done = upconv(
        "check",
        FIXTURES / "fcn8s" / "fcn8s.prototxt",
        cwd=tmp_path,
        PYTHONPATH=f"{root}:{tmp_path}",
    )
    assert done.code == 0
    modules = set(json.loads(done.err.replace("'", '"')))
    assert "upconv.converters.readers.caffe.reader" in modules
    heavy = {"numpy", "onnx", "onnxruntime", "h5py", "rich", "torch", "pathspec", "google"}
    heavy |= {"hashlib", "tomllib", "importlib.metadata", "concurrent.futures", "multiprocessing"}
    heavy |= {
        "upconv.linter.running.cache",
        "upconv.linter.reports.sarif",
        "upconv.linter.reports.junit",
        "subprocess",
    }
    heavy |= {"upconv.converters.readers.caffe.caffemodel", "upconv.linter.fixing.fix"}
    heavy |= {"upconv.converters.passes.cut", "pkgutil", "logging", "shutil", "tempfile", "asyncio"}
    assert heavy & modules == set()
    assert len([name for name in modules if name.startswith("upconv")]) <= MOST_MODULES


MOST_MODULES = 210
"""Of ours that a check of one net may load: each takes 0.1 to 0.5 ms of the tenth of a second."""


def test_what_is_registered_for_the_end_is_done_though_a_process_ends_at_once() -> None:
    program = (
        "import atexit, sys\n"
        "from upconv.service.cli.main import main\n"
        "atexit.register(lambda: print('done'))\n"
        "sys.argv = ['upconv', 'rule', 'UP201']\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UP201 bilinear-kernel-size")
    assert done.stdout.endswith("done\n")


def test_a_profiler_sees_the_end_of_a_command() -> None:
    command = [sys.executable, "-m", "cProfile", "-m", "upconv", "rule", "UP201"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert "function calls" in done.stdout


def test_pipe_that_closes_early_is_no_error(tmp_path: Path) -> None:

    root = ROOT
    net = FIXTURES / "fcn8s" / "fcn8s.prototxt"
    command = f"{sys.executable} -m upconv check {net} --statistics | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_unsafe_fixes_alone_write_nothing(folder: Folder) -> None:
    folder.put("net.prototxt")
    before = (folder.path / "net.prototxt").read_bytes()
    done = folder.check("net.prototxt", "--unsafe-fixes")
    assert (folder.path / "net.prototxt").read_bytes() == before
    assert "fixable with --fix" in done.out


def test_quiet_colour_and_exclude(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("a.prototxt")
    folder.put("third/b.prototxt")
    whole = folder.check(".", "--exclude", "third/", "--select", "UP2")
    assert "1 file checked, 1 passed over: 1 excluded" in whole.out
    quiet = folder.check(".", "--exclude", "third/", "--select", "UP2", "-q")
    assert quiet.out.strip() in whole.out
    assert "checked" not in quiet.out
    assert "\x1b[" in folder.check("a.prototxt", "--color", "always").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in folder.check("a.prototxt", "--color", "never").out
