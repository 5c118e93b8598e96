"""Identities that the writer leaves out: what is not computed is never certified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.converters.readers.keras.handmade import (
    arrays,
    entry,
    layer,
    model,
    read,
    write_h5,
    write_json,
)
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify

UP = {"filters": 3, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}


def upsampler(folder: Path, *behind: dict[str, Any]) -> tuple[Any, Path]:
    """x -> up -> drop, and what follows; channels last at the border."""
    up = layer("Conv2DTranspose", "up", "x", **UP)
    net = model(entry("x", 4, 5, 2), up, layer("Dropout", "drop", "up", rate=0.5), *behind)
    found = read(write_h5(folder / "m.h5", net, arrays()))
    target = folder / "m.onnx"
    write_onnx(found, target)
    return found, target


def verdicts(found: Any, path: Path) -> dict[str, str]:
    return {one.layer: one.verdict for one in verify(found, str(path)).layers}


def changed(path: Path, change: Any) -> Path:
    proto = onnx.load(path)
    change(proto.graph)
    onnx.save(proto, path)
    return path


def relu(graph: Any) -> None:
    (node,) = (one for one in graph.node if one.op_type == "Identity")
    node.op_type = "Relu"


def renamed(graph: Any) -> None:
    """As a foreign tool would name the value before the last transposition."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["t0" if name == "drop/channels_first" else name for name in names]


def test_as_written_everything_passes(tmp_path: Path) -> None:
    found, path = upsampler(tmp_path)
    assert verdicts(found, path) == {"up": "pass", "drop": "pass"}


def test_another_node_in_an_identitys_place_fails(tmp_path: Path) -> None:
    found, path = upsampler(tmp_path)
    assert verdicts(found, changed(path, relu)) == {"up": "pass", "drop": "fail"}


@pytest.mark.parametrize("also", [relu, lambda graph: None])
def test_a_value_of_another_name_is_not_certified(also: Any, tmp_path: Path) -> None:
    found, path = upsampler(tmp_path)
    also_verdicts = verdicts(found, changed(changed(path, also), renamed))
    assert also_verdicts == {"up": "pass", "drop": "incomplete"}


def test_an_identity_inside_is_its_input_to_the_reader(tmp_path: Path) -> None:
    """Its reader is certified on the very value that it would have handed on."""
    found, path = upsampler(tmp_path, layer("ReLU", "end", "drop"))
    assert verdicts(found, path) == {"up": "pass", "drop": "pass", "end": "pass"}

    def between(graph: Any) -> None:
        (node,) = (one for one in graph.node if one.op_type == "Relu")
        node.input[0] = "t0"
        turned = onnx.helper.make_node("Neg", ["up"], ["t0"])
        graph.node.insert(list(graph.node).index(node), turned)

    assert verdicts(found, changed(path, between))["end"] == "fail"


def test_an_input_that_is_an_output_too(tmp_path: Path) -> None:
    net = model(entry("x", 4, 5, 2), layer("Dropout", "drop", "x", rate=0.5))
    found = read(write_json(tmp_path / "m.json", net))
    path = tmp_path / "m.onnx"
    write_onnx(found, path)
    assert set(verdicts(found, path).values()) == {"pass"}
    assert "fail" in verdicts(found, changed(path, relu)).values()
