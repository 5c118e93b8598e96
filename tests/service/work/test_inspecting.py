"""`inspect`: what a model is made of, held against torch's own counts and the JSON schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import upconv
from fixtures.make_onnx import net, node, noise
from tests.service.commands import upconv as run
from tests.support import ROOT
from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.proof import memory

SCHEMA = json.loads((ROOT / "service/work/schema/inspection.schema.json").read_text("utf-8"))
FCN = ROOT / "fixtures/fcn8s/fcn8s.prototxt"


class _Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(6, 8, (3, 5), stride=2, groups=2)
        self.up = nn.ConvTranspose2d(8, 4, (4, 3), stride=(2, 3), padding=1, groups=2)
        self.head = nn.Linear(10, 5)

    def forward(self, x: Any) -> Any:
        y = self.head(self.up(torch.relu(self.down(x))))
        return y @ y.transpose(2, 3)


def test_counts_are_torchs() -> None:
    module, x = _Net().eval(), torch.ones(2, 6, 13, 11)
    with FlopCounterMode(display=False) as counter:
        module(x)
    found = upconv.inspect(upconv.from_torch(module, (x,)))
    assert found.totals.multiplications == counter.get_total_flops() // 2
    assert found.totals.parameters == sum(p.numel() for p in module.parameters())
    assert found.blocks == ()


def _onnx(folder: Path, *nodes: Any, **stored: Any) -> str:
    path = folder / "net.onnx"
    path.write_bytes(net(nodes, ("N", 2, "H", 7), stored).SerializeToString())
    return str(path)


def test_open_sizes_are_formulas_with_an_example(tmp_path: Path) -> None:
    up = node("ConvTranspose", "x,w", strides=[2, 2])
    found = upconv.inspect(_onnx(tmp_path, up, w=noise(2, 3, 4, 5)))
    (layer,) = found.layers
    assert (layer.type, layer.weights, layer.parameters) == ("ConvTranspose", "stored", 120)
    assert found.totals.example == {"N": 2, "H": 45}
    assert found.totals.at_example == 120 * 7 * 2 * 45
    assert [str(n) for n in found.outputs[0].shape or ()] == ["N", "3", "2*H+2", "17"]


def test_shared_weights_count_once(tmp_path: Path) -> None:
    nodes = [node("Conv", "x,w", "a", pads=[1] * 4), node("Conv", "a,w", pads=[1] * 4)]
    found = upconv.inspect(_onnx(tmp_path, *nodes, w=noise(2, 2, 3, 3)))
    assert [one.parameters for one in found.layers] == [36, 36]
    assert found.totals.parameters == 36


def test_what_is_not_understood_is_said_once_in_the_text(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("LSTM", "a,w,w")]
    path = _onnx(tmp_path, *nodes, w=noise(1, 8, 2))
    found = upconv.inspect(path)
    assert [(one.layer, one.type, one.reason) for one in found.unknown] == [
        ("lstm", "LSTM", "a recurrent layer")
    ]
    assert found.blocks == ()
    assert str(found).count("not understood, and is copied as it stands: 'lstm'") == 1
    part = upconv.inspect(path, cut_inputs="a")
    assert [block.layer for block in part.blocks] == ["lstm"]
    assert str(part).count("recurrent") == 1
    assert upconv.inspect(path, outputs="a").blocks == ()
    jsonschema.validate(found.as_json(), SCHEMA)


def test_missing_weights_are_counted_by_what_their_input_asks_for() -> None:
    found = upconv.inspect(FCN)
    assert {one.weights for one in found.layers} == {"none", "missing"}
    assert {block.stage for block in found.blocks} == {"conversion"}
    up = next(one for one in found.layers if one.layer == "upscore8")
    assert (up.parameters, up.line) == (21 * 21 * 16 * 16, 236)
    jsonschema.validate(found.as_json(), SCHEMA)


def test_a_proof_that_memory_cannot_hold_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "bytes_there", lambda: 1000)
    (block,) = upconv.inspect(_onnx(tmp_path, node("Relu", "x"))).blocks
    assert block.stage == "proof"
    assert "memory" in block.message


def test_the_command_prints_json_alone(tmp_path: Path) -> None:
    path = _onnx(tmp_path, node("Relu", "x"))
    done = run("inspect", path, "--input", "x=1x2x5x7", "--format", "json")
    assert done.code == 0
    assert not done.err
    found = json.loads(done.out)
    jsonschema.validate(found, SCHEMA)
    assert found["outputs"] == [{"name": "y", "shape": [1, 2, 5, 7]}]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "net.onnx"
    broken.write_bytes(b"\x08\x07\xff")
    with pytest.raises(UnreadableError):
        upconv.inspect(broken)
    with pytest.raises(UsageError, match="nowhere"):
        upconv.inspect(FCN, outputs="nowhere")
