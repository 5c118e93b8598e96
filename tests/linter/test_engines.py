"""Profiles of engines: their data is whole, and they say what was measured, no more and no less."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from benchmarks.engines.generated.__main__ import OUT as MEASURED
from benchmarks.engines.generated.search import branches
from benchmarks.engines.generated.settings import made_of, usual
from benchmarks.engines.verdicts import EFFECTS, RIGHT, shows
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.linter.engines.condition import holds, problem, words
from upconv.linter.engines.facts import KNOWN
from upconv.linter.engines.nodes import nodes_of
from upconv.linter.engines.profile import Target, profiles, targets_of
from upconv.linter.running.engine import CheckOptions, check_path

COLUMNS = {
    "ort": "onnxruntime",
    "openvino": "openvino",
    "cv5": "opencv-5",
    "tract": "tract",
    "mnn": "mnn",
    "ncnn": "ncnn",
}
RUN = {"opencv-4": "opencv-4", "opencv-5": "opencv"} | {
    name: name for name in ("onnxruntime", "openvino", "tract", "mnn", "ncnn")
}
"""Target -> the engine of the benchmark that is run for it."""
UNSAID = {"Resize,mode=nearest,coordinates=align_corners,by=scales-of-1.7"}
"""What ncnn misreads, and no entry says yet."""
STORED = ("ct_", "rs_", "gs_", "gs16_", "mu_", "d2s_", "s2d", "col2im", "ccp_")
"""What cases of ../shared/engines begin with; others are models of the benchmark's own."""
OF_THE_FILE = {("ct_neg_pads", "cv5"), ("ct_oshape_full_form", "cv5")}
"""Refused since these files store no shape of their output: with one the engine runs."""
EQUAL_BY_CHANCE = 10
"""Cells of the table where an engine's other reading gives the same pixels at the case's sizes."""


def effects(path: Path, targets: dict[str, Target]) -> dict[str, set[str]]:
    """Column of the table -> what its profile says of a model."""
    model = open_model(str(path), ReadOptions())
    seen = list(nodes_of(model, infer(model)))
    return {
        column: {entry.effect for node in seen for entry in target.verdicts(node)}
        for column, target in targets.items()
    }


def test_the_profiles_say_what_was_measured(shared: Path) -> None:
    """Of 225 models in 6 engines: no refusal, wrong value or crash without an entry, and no entry
    that says a refusal or crash where the engine ran."""
    table = json.loads((shared / "engines" / "table.json").read_text("utf-8"))
    targets = {column: targets_of((name,))[0] for column, name in COLUMNS.items()}
    by_chance: list[str] = []
    for case, measured in table.items():
        said = effects(shared / "engines" / "cases" / f"{case}.onnx", targets)
        for column in targets:
            got, expected = measured[column], EFFECTS.get(measured[column])
            if (case, column) in OF_THE_FILE:
                continue
            if expected:
                assert expected in said[column], f"{case} in {column}: {got}, and no entry says so"
            elif said[column]:
                assert said[column] == {"misreads"}, f"{case} in {column}: {got} though {said}"
                by_chance += [f"{case} {column}"] * (got == "ok")
    assert len(by_chance) <= EQUAL_BY_CHANCE, by_chance


def test_every_measured_entry_is_shown_by_its_case(shared: Path) -> None:
    for target in targets_of(tuple(COLUMNS.values())):
        for entry in target.entries():
            path = shared / "engines" / "cases" / f"{entry.case}.onnx"
            if entry.certainty == "measured" and path.is_file():
                model = open_model(str(path), ReadOptions())
                seen = nodes_of(model, infer(model))
                shown = {one.says for node in seen for one in target.verdicts(node)}
                assert entry.says in shown, (target.name, entry.case)


def test_every_measured_entry_holds_on_models_made_from_its_condition() -> None:
    """`python -m benchmarks.engines.generated` ran them: every branch of every measured entry was
    run, a model shows its effect, and the twins, of which no entry speaks, are right."""
    found = json.loads(MEASURED.read_text("utf-8"))
    for target in targets_of(tuple(RUN)):
        rows = found[RUN[target.name]]["entries"]
        told = {(row["says"], row["branch"]): row for row in rows}
        made = {one["model"] for row in rows for one in row["models"]}
        for entry in target.entries():
            if entry.certainty != "measured":
                continue
            assert entry.case.startswith(STORED) or entry.case in made, (target.name, entry.case)
            for operator, branch in product(entry.operators, branches(entry.when)):
                row = told[entry.says, words({"operator": operator, **branch})]
                assert any(shows(entry.effect, one["verdict"]) for one in row["models"]), row
                twins = {one["twin"]: one["twin_verdict"] for one in row["models"] if one["twin"]}
                wrong = {twin for twin, verdict in twins.items() if verdict not in RIGHT}
                assert wrong <= UNSAID, row


def test_an_entry_names_its_evidence() -> None:
    for profile in profiles().values():
        for entry in profile.entries:
            assert all((entry.source, entry.says, entry.instead))
            assert entry.certainty != "measured" or profile.measured


def test_a_target_may_name_a_version() -> None:
    (four,) = targets_of(("opencv-4",))
    (five,) = targets_of(("opencv-5",))
    (newest,) = targets_of(("opencv",))
    assert {one.says for one in newest.entries()} == {one.says for one in five.entries()}
    assert {one.says for one in four.entries()} != {one.says for one in five.entries()}
    (older,) = targets_of(("tensorrt-8.6",))
    effects = Counter(e.effect for e in older.entries() if e.when == {"antialias": True})
    assert effects == {"misreads": 1}


@pytest.mark.parametrize("name", ["openvin", "openvino-", "openvino-x", "", "ncnn-1..2", "-1"])
def test_an_unknown_target_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown target"):
        targets_of((name,))


def test_conditions_are_data() -> None:
    assert problem({"kernel": {"below": "stride"}}, KNOWN) == ""
    assert "no fact 'kernels'" in problem({"kernels": 1}, KNOWN)
    assert "none of not" in problem({"kernel": {"under": 1}}, KNOWN)
    assert "no fact 'strides'" in problem([{"kernel": {"below": "strides"}}], KNOWN)
    assert not holds({"kernel": {"below": "stride"}}, {"kernel": (2, 2)})
    assert holds({"dilation": {"not": 1}}, {"dilation": (2, 1)}) is False
    assert words([{"mode": "cubic"}, {}]) == "mode cubic; or always"


def test_other_formats_are_judged_by_what_convert_would_write(tmp_path: Path) -> None:
    """Keras has no pads to write: its odd SAME becomes unequal pads, which ncnn refuses."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "Input" top: "d" input_param { shape '
        "{ dim: 2 dim: 4 dim: 5 dim: 7 } } }\n"
        'layer { name: "up" type: "Deconvolution" bottom: "d" top: "up" '
        "convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }\n",
        "utf-8",
    )
    report = check_path(path, CheckOptions(targets=("ncnn", "openvino-2026")))
    found = [one.message for one in report.findings if one.code.startswith("UP5")]
    assert [one[:37] for one in found] == ["ncnn refuses: a batch of more than one"[:37]]
    assert not [f for f in check_path(path).findings if f.code.startswith("UP5")]


@pytest.mark.parametrize(
    ("groups", "also", "told"), [(2, "", True), (4, "", True), (1, "", False), (2, "c", False)]
)
def test_what_reads_a_node_alone(groups: int, also: str, told: bool, tmp_path: Path) -> None:
    """OpenCV 4 joins a BatchNormalization with the groups before it, if nothing else reads them."""
    said = {**usual("ConvTranspose"), "group": groups, "normalised": True}
    proto, _ = made_of("ConvTranspose", said)
    if also:
        end = proto.graph.output.add()
        end.CopyFrom(proto.graph.output[0])
        end.name = also
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    model = open_model(str(tmp_path / "net.onnx"), ReadOptions())
    nodes = list(nodes_of(model, infer(model)))
    four, five = (targets_of((name,))[0] for name in ("opencv-4", "opencv-5"))
    assert [entry for node in nodes for entry in five.verdicts(node)] == []
    found = [entry.says for node in nodes for entry in four.verdicts(node)]
    assert any("BatchNormalization" in says for says in found) is told
