"""A node of a file that is several layers here is judged as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_onnx import net, node, noise
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

SLOPE: dict[str, Any] = {"alpha": 0.3, "beta": 0.4}

NODES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "hard sigmoid": ([node("HardSigmoid", "x", **SLOPE)], {}),
    "mish": ([node("Mish", "x")], {}),
    "powers and a mean": ([node("LpPool", "x", kernel_shape=[2, 3])], {}),
    "a hidden convolution's neighbour": (
        [node("Conv", "x,w", "a"), node("Softsign", "a")],
        {"w": noise(3, 2, 3, 3)},
    ),
    "a hidden constant": ([node("Add", "x,c")], {"c": noise(2, 1, 1)}),
    "thresholded": ([node("ThresholdedRelu", "x", alpha=0.2)], {}),
}


def _proof(folder: Path, made: Any, meant: Any) -> Any:
    """One file in onnxruntime against the meaning of another."""
    paths = [folder / "made.onnx", folder / "meant.onnx"]
    for path, proto in zip(paths, (made, meant), strict=True):
        path.write_bytes(proto.SerializeToString())
    return verify(open_model(str(paths[1]), ReadOptions()), str(paths[0]))


@pytest.mark.parametrize("name", NODES)
def test_a_model_alone_is_whole(name: str, tmp_path: Path) -> None:
    nodes, stored = NODES[name]
    proto = net(nodes, (2, 2, "H", 7), stored, opset=18 if name != "mish" else 20)
    found = _proof(tmp_path, proto, proto)
    assert found.verdict == "pass", str(found)
    assert all(one.verdict == "pass" for one in found.layers)


def test_what_the_hidden_layer_would_make_otherwise_fails(tmp_path: Path) -> None:
    made, meant = (
        net([node("HardSigmoid", "x", **{**SLOPE, "beta": beta})], (1, 2, 5, 7))
        for beta in (0.4, 0.4001)
    )
    found = _proof(tmp_path, made, meant)
    assert [one.verdict for one in found.layers] == ["fail"]


def test_a_hidden_value_that_nothing_shows_is_incomplete(tmp_path: Path) -> None:
    meant = net([node("Relu", "x", "a"), node("Neg", "a")], (1, 2, 5, 7))
    made = net([node("Relu", "x", "b"), node("Neg", "b", "c")], (1, 2, 5, 7))
    del made.graph.output[:]
    made.graph.output.extend(meant.graph.output)
    made.graph.output[0].name = "c"
    found = _proof(tmp_path, made, meant)
    assert found.verdict == "incomplete"
    assert {one.verdict for one in found.layers} == {"incomplete"}


def test_errors_are_carried_by_what_follows(tmp_path: Path) -> None:
    """A product by 4096 behind a hidden rounding needs 4096 times its room."""
    nodes = [node("HardSigmoid", "x", "a", **SLOPE), node("Mul", "a,k")]
    proto = net(nodes, (1, 2, 50, 70), {"k": np.array(4096, np.float32)})
    assert _proof(tmp_path, proto, proto).verdict == "pass"


def test_a_size_of_minus_one_is_open(tmp_path: Path) -> None:
    proto = net([node("Relu", "x")], (-1, 3, "H", 7))
    assert _proof(tmp_path, proto, proto).verdict == "pass"
