"""Python layers whose code is published, and others."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.converters.readers.caffe.support import DATA, layer, notices, operator, read, refusal
from tests.support import shared_folder
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.service.python.calls import convert


def code(text: str, name: str = "spatial_dropout", kind: str = "SpatialDropoutLayer") -> str:
    return f'python_param {{ module: "{name}" layer: "{kind}" param_str: "{text}" }}'


def test_spatial_dropout_scales_at_inference() -> None:
    """Its code multiplies by 1 / (1 - p) where its own phase is not TRAIN."""
    found = operator("Python", code("{'phase': 'TEST', 'p': '0.2'}"))
    assert found == ops.Power(scale=1.25)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{'phase': 'TRAIN', 'p': '0.1'}", "says TRAIN"),
        ("{'phase': 'TEST'}", "no p between 0 and 1"),
        ("{'phase': 'TEST', 'p': '1e999'}", "no p between 0 and 1"),
        ("__import__('os').system('true')", "no dict of plain values"),
        ("(" * 20_000, "no dict of plain values"),
        ("(" * 5_000, "no dict of plain values"),
        ("", "no dict of plain values"),
    ],
)
def test_what_its_parameters_must_say(text: str, why: str) -> None:
    assert why in refusal("Python", code(text))[1]


def test_other_code_is_not_known() -> None:
    assert "(m.L)" in refusal("Python", code("", "m", "L"))[1]
    with_data = read(DATA + layer("Python", code("{}", "spatial_dropout", "Other")))
    assert len(notices(with_data)) == 1


PROPOSALS = {
    "Python": 'python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" }',
    "Proposal": "",
}


@pytest.mark.parametrize("kind", PROPOSALS)
def test_a_net_is_converted_around_its_proposals(kind: str, tmp_path: Path) -> None:
    """The command of the refusal works."""
    pooling = "roi_pooling_param { pooled_w: 2 pooled_h: 3 spatial_scale: 0.25 }"
    file = tmp_path / "net.prototxt"
    file.write_text(
        DATA
        + layer("Pooling", "pooling_param { kernel_size: 4 stride: 4 }", "p", top="p")
        + layer(kind, f'bottom: "p" {PROPOSALS[kind]}', "rpn", top="rois")
        + layer("ROIPooling", f'bottom: "rois" {pooling}', "y", "p", "y")
    )
    with pytest.raises(UnsupportedError, match="regions") as refused:
        convert(file, tmp_path / "m.onnx")
    assert "--inputs rois --input rois=300x5" in str(refused.value)
    done = convert(file, tmp_path / "m.onnx", cut_inputs=["rois"], inputs={"rois": (300, 5)})
    assert done.verdict == "pass"
    assert {one.name for one in onnx.load(done.path).graph.input} == {"data", "rois"}


def test_enet_is_understood_whole() -> None:
    folder = shared_folder() / "corpus" / "caffe" / "TimoSaemann__ENet" / "prototxts"
    if not folder.is_dir():
        pytest.skip("../shared is absent")
    path = Path(folder / "enet_deploy.prototxt")
    assert open_model(str(path), ReadOptions()).notices == ()
