from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context
from upconv.linter.finding import fingerprint
from upconv.linter.rule import Hit
from upconv.linter.rules import RULES
from upconv.linter.running.engine import CheckOptions, check_path, check_source
from upconv.linter.settings.overrides import Override

UP = """
layer {
  name: "up"
  type: "Deconvolution"
  bottom: "data"
  top: "up"
  param { lr_mult: 0 }
  convolution_param { num_output: 2 group: 2 bias_term: false SETTINGS }
}
"""
HEAD = 'input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }\n'
BAD = HEAD + UP.replace("SETTINGS", 'kernel_size: 2 stride: 2 weight_filler { type: "bilinear" }')


def codes(text: str, options: CheckOptions | None = None) -> list[str]:
    return [f.code for f in check_source(Source("net.prototxt", text), options).findings]


def test_source_and_file_give_the_same_findings(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(BAD, "utf-8")
    options = CheckOptions(root=tmp_path)
    from_file = check_path(path, options)
    from_text = check_source(Source(str(path), BAD), options)
    assert from_file.findings == from_text.findings
    assert [f.code for f in from_file.findings] == ["UP201"]


def test_paths_are_posix_and_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "net.prototxt"
    path.write_text(BAD, "utf-8")
    report = check_path(path, CheckOptions(root=tmp_path))
    assert report.path == "a/net.prototxt" == report.findings[0].path
    outside = check_path(path, CheckOptions(root=tmp_path / "b"))
    assert outside.path == path.as_posix()


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        (("UP",), (), ["UP201"]),
        (("UP",), ("UP2",), []),
        (("UP",), ("UP1",), ["UP201"]),
        (("UP1",), (), []),
        (("UP201",), ("UP2",), ["UP201"]),
        (("UP2",), ("UP201",), []),
        (("UP201",), ("UP201",), []),
    ],
)
def test_the_longest_prefix_decides(
    select: tuple[str, ...], ignore: tuple[str, ...], expected: list[str]
) -> None:
    assert codes(BAD, CheckOptions(select=select, ignore=ignore)) == expected


def test_severity_is_a_setting() -> None:
    options = CheckOptions(severities=(("UP201", "info"),))
    (finding,) = check_source(Source("a", BAD), options).findings
    assert finding.severity == "info"


def test_unreadable_file_is_an_error_finding(tmp_path: Path) -> None:
    missing = check_path(tmp_path / "none.prototxt")
    assert missing.status == "unreadable"
    assert [(f.code, f.severity) for f in missing.findings] == [("UP001", "error")]


def test_all_syntax_errors_of_a_file_are_reported_and_the_rest_is_checked() -> None:
    text = BAD + "layer { name: one }\n" + "layer { type: $ }\n"
    report = check_source(Source("net.prototxt", text))
    assert report.status == "unreadable"
    found = [f.code for f in report.findings]
    assert found.count("UP001") >= 2
    assert "UP201" in found


@pytest.mark.parametrize("named", [True, False])
def test_solver_is_skipped_with_the_reason(tmp_path: Path, named: bool) -> None:
    solver = tmp_path / "solver.prototxt"
    solver.write_text('net: "train.prototxt"\nbase_lr: 0.1\n', "utf-8")
    found = check_path(solver, named=named)
    assert found.status == "skipped"
    assert found.reason == 'no Caffe net, but a solver (its net is "train.prototxt")'
    assert found.findings == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "words: 1\n"])
def test_what_is_no_net_is_an_error_where_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(text, "utf-8")
    assert check_path(path).status == "unreadable"
    assert check_path(path, named=False).status == "skipped"


def test_a_template_without_a_layer_is_skipped_too(tmp_path: Path) -> None:
    template = tmp_path / "net.prototxt"
    template.write_text("${LAYERS}\n", "utf-8")
    report = check_path(template, named=False)
    assert report.status == "skipped"
    assert "template" in report.reason


def test_crashing_rule_becomes_a_finding_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(context: Context) -> Iterator[Hit]:
        yield Hit("seen before the crash", "keep it")
        raise ZeroDivisionError("by zero")

    monkeypatch.setitem(RULES, "UP202", replace(RULES["UP202"], check=crash))
    report = check_source(Source("net.prototxt", BAD))
    assert report.crashed
    by_code = {finding.code: finding for finding in report.findings}
    assert set(by_code) == {"UP006", "UP201", "UP202"}
    assert "UP202 (bilinear-pad) crashed: ZeroDivisionError: by zero" in by_code["UP006"].message


def test_a_size_that_no_tensor_has_is_told_where_it_is_made(tmp_path: Path) -> None:
    """And not again for every layer that it is handed on to."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "data" input_shape { dim: 1 dim: 2 dim: 5 dim: 6 }\n'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {'
        ' num_output: 3 kernel_size: 9 weight_filler { type: "xavier" } } }\n'
        'layer { name: "r" type: "ReLU" bottom: "c" top: "r" }\n'
        'layer { name: "s" type: "Sigmoid" bottom: "r" top: "s" }\n'
    )
    report = check_path(path)
    assert [(one.code, one.layer) for one in report.findings] == [("UP101", "c")]


def test_fingerprints_differ_and_do_not_move_with_lines() -> None:
    twice = BAD + UP.replace('name: "up"', 'name: "up2"').replace(
        'top: "up"', 'top: "up2"'
    ).replace("SETTINGS", 'kernel_size: 2 stride: 2 weight_filler { type: "bilinear" }')
    first = check_source(Source("net.prototxt", twice)).findings
    moved = check_source(Source("net.prototxt", "\n\n\n" + twice)).findings
    prints = [f.fingerprint for f in first]
    assert len(set(prints)) == len(prints) == 2
    assert prints == [f.fingerprint for f in moved]
    assert [f.place.line + 3 for f in first if f.place] == [f.place.line for f in moved if f.place]


def test_fingerprint_counts_occurrences() -> None:
    assert fingerprint("UP201", "a", "up", 0) != fingerprint("UP201", "a", "up", 1)


def test_columns_count_code_points() -> None:
    text = HEAD + UP.replace(
        "\n  convolution_param", ' name: "\N{GRINNING FACE}é" convolution_param'
    )
    text = text.replace("SETTINGS", 'kernel_size: 2 stride: 2 weight_filler { type: "bilinear" }')
    (finding,) = check_source(Source("net.prototxt", text)).findings
    assert finding.place is not None
    line = text.splitlines()[finding.place.line - 1]
    start, end = finding.place.column - 1, finding.place.end_column - 1
    assert line[start:end] == "kernel_size: 2"


def test_text_path_imports_nothing_heavy(root: Path) -> None:
    net = root / "fixtures" / "rules" / "UP201" / "bad.prototxt"
    script = (
        "import sys; from upconv.linter.running.engine import check_path;"
        "from upconv.linter.finding import Report;"
        "from upconv.linter.reports import FORMATS;"
        f"report = Report((check_path({str(net)!r}),));"
        "[form(report) for form in FORMATS.values()];"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'h5py', 'rich', 'pathspec', 'torch'};"
        "print(len(report.findings), sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    count, heavy = run.stdout.split(maxsplit=1)
    assert (int(count) > 0, heavy.strip()) == (True, "[]")


def test_families_of_readers_import_nothing_heavy(root: Path) -> None:
    """One that does so makes each check of its format twice as long, whatever is in the file."""
    readers = root / "converters" / "readers"
    found = [file for kind in ("ops", "layers") for file in readers.rglob(f"{kind}_*.py")]
    names = [".".join(file.relative_to(root).with_suffix("").parts) for file in found]
    script = (
        "import sys; from importlib import import_module;"
        f"[import_module(f'upconv.{{name}}') for name in {names}];"
        "print(sorted({'numpy', 'onnx', 'h5py', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert len(names) > 50
    assert run.stdout == "[]\n"


def test_wrong_options_are_the_commands_fault() -> None:
    options = CheckOptions(ReadOptions(inputs={"nowhere": (1, 2, 8, 8)}))
    with pytest.raises(UsageError, match="nowhere"):
        check_source(Source("net.prototxt", BAD), options)


def test_unreadable_weights_are_named(tmp_path: Path) -> None:
    weights = tmp_path / "cut.caffemodel"
    weights.write_bytes(b"\xff\xff\xff\xff\xff")
    report = check_source(Source("net.prototxt", BAD), CheckOptions(ReadOptions(str(weights))))
    (finding,) = report.findings
    assert (finding.code, report.status) == ("UP001", "unreadable")
    assert str(weights) in finding.message


BROKEN = HEAD + 'layer { name: "up" type: "Deconvolution" convolution_param { kernel_size: four } }'


@pytest.mark.parametrize(
    "options",
    [
        CheckOptions(select=("UP2",)),
        CheckOptions(ignore=("UP",)),
        CheckOptions(ignore=("UP001", "UP006")),
    ],
)
def test_no_choice_of_rules_makes_an_unreadable_file_clean(options: CheckOptions) -> None:
    assert "UP001" in codes(BROKEN, options)


@pytest.mark.parametrize("options", [CheckOptions(), CheckOptions(select=("UP105",))])
def test_a_reader_that_fails_is_a_finding_of_its_file(
    options: CheckOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Source, read: ReadOptions) -> None:
        raise AssertionError("unexpected\nsecond line")

    monkeypatch.setattr("upconv.converters.readers.formats.open_text", fail)
    report = check_source(Source("net.prototxt", BAD), options)
    (finding,) = report.findings
    assert (finding.code, finding.path, report.status) == ("UP006", "net.prototxt", "unreadable")
    assert "the reader failed: AssertionError: unexpected;" in finding.message
    assert "in fail" in report.traces[0]


def test_a_defect_that_stops_several_rules_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("upconv.linter.context.infer", fail)
    report = check_source(Source("net.prototxt", BAD), CheckOptions(select=("UP1",)))
    (finding,) = report.findings
    assert finding.code == "UP006"
    assert "rule UP101 (output-not-positive) crashed, and so did UP103" in finding.message


def test_nothing_silences_a_failure_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("upconv.linter.context.infer", fail)
    text = "# upconv: ignore[UP006]\n" + BAD
    everywhere = Override("upconv.toml", Path(), ignore=("UP006",))
    report = check_source(Source("net.prototxt", text), CheckOptions(overrides=(everywhere,)))
    assert "UP006" in [finding.code for finding in report.findings]
