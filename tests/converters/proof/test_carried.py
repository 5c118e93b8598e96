"""One evaluation of the reference serves all runs, and what a run repeats is not run again: both
only where nothing is lost by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof import end_to_end, runtime
from upconv.converters.proof.end_to_end import run_reference
from upconv.converters.proof.layer_by_layer import LayerProof
from upconv.converters.proof.pace import Pace
from upconv.converters.proof.runtime import read_onnx
from upconv.converters.proof.stimuli import stimuli
from upconv.converters.proof.verify import aliases, verify


def network(height: object = 12, width: object = 17) -> Model:
    """Convolutions behind each other, of groups and of a stride, a branch and an upsampling."""
    rng = np.random.default_rng(0)

    def conv(name: str, value: str, channels: int, inputs: int, **settings: Any) -> Layer:
        op = ops.Conv(channels, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1), **settings)
        weight = rng.standard_normal((channels, inputs, 3, 3), dtype=np.float32) * np.float32(0.3)
        bias = rng.standard_normal(channels, dtype=np.float32)
        weights = {"weight": weight_of(weight), "bias": weight_of(bias)}
        return Layer(name, op, (value,), (name,), weights)

    up = ops.ConvTranspose(4, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
    weight = weight_of(rng.standard_normal((6, 4, 4, 4), dtype=np.float32))
    layers = (
        conv("one", "data", 8, 3),
        Layer("relu", ops.Relu(), ("one",), ("relu",)),
        conv("two", "relu", 6, 4, groups=2),
        conv("three", "relu", 6, 8),
        Layer("sum", ops.Eltwise("sum"), ("two", "three"), ("sum",)),
        conv("four", "sum", 6, 6),
        Layer("up", up, ("four",), ("up",), {"weight": weight}),
    )
    inputs = (ModelInput("data", (1, 3, height, width)),)  # type: ignore[arg-type]
    return Model("net", "", "caffe", inputs, ("up", "sum"), layers)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_onnx(network(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_what_is_carried_along_is_the_reference_of_the_whole_network(written: Path) -> None:
    model, file = network(), read_onnx(str(written))
    pace = Pace(lambda message: None, 0.0)
    shapes = {"data": (1, 3, 12, 17)}
    proof = LayerProof.of(model, file, aliases(model, file), shapes, pace, carried=True)
    for stimulus, feeds in stimuli(model, shapes, 0).items():
        found = proof.certify(stimulus, feeds)
        whole = run_reference(model, feeds)
        assert found.exact.keys() == whole.keys() == {"up", "sum"}
        for name, values in found.exact.items():
            limit = 1e-13 * np.abs(whole[name]).max()  # sums are of other parts
            np.testing.assert_allclose(values, whole[name], rtol=0, atol=limit)


@pytest.mark.parametrize("wrong", ["one", "two", "three", "four"])
@pytest.mark.parametrize("size", [1e-2, 1e3])
def test_behind_a_wrong_layer_the_others_are_judged_on_what_they_were_fed(
    wrong: str, size: float, written: Path
) -> None:
    """However far a run has come from the reference's own values, only the wrong layer fails."""
    file = onnx.load(written)
    at = next(i for i, node in enumerate(file.graph.node) if wrong in node.output)
    file.graph.node[at].output[0] = "right"
    file.graph.initializer.append(numpy_helper.from_array(np.array(size, np.float32), "more"))
    file.graph.node.insert(at + 1, helper.make_node("Add", ["right", "more"], [wrong]))
    onnx.save(file, written)
    found = verify(network(), str(written))
    assert [one.layer for one in found.layers if one.verdict != "pass"] == [wrong]
    assert found.compared == 1
    assert {one.name: one.verdict for one in found.outputs}["up"] == "fail"


def _count_plain(monkeypatch: pytest.MonkeyPatch, spoilt: bool) -> list[bool]:
    """Whether optimizations are on in each run of the untouched file, which without them is off by
    a bit of what the run with all values shown has, where it is `spoilt`."""
    levels: list[bool] = []
    started, ran = runtime.session, runtime.run

    def session(model: Any, optimized: bool, shown: str = "") -> Any:
        return started(model, optimized, shown), optimized

    def run(
        running: Any, feeds: Mapping[str, Any], outputs: Sequence[str], shown: str = ""
    ) -> dict[str, NDArray[Any]]:
        levels.append(running[1])
        found = ran(running[0], feeds, outputs, shown)
        if spoilt and not running[1]:
            found["up"].flat[5] = np.nextafter(found["up"].flat[5], np.float32(9))
        return found

    monkeypatch.setattr(end_to_end, "session", session)
    monkeypatch.setattr(end_to_end, "run", run)
    return levels


@pytest.mark.parametrize(
    ("height", "plain", "optimized"),
    [(12, (1, 2), 2), (symbol("H"), (2, 3), 3)],  # noise, impulses, and noise of another size
)
def test_a_run_stands_for_others_where_it_repeats_what_is_certified(
    height: object,
    plain: tuple[int, int],
    optimized: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "net.onnx"
    model = network(height, 17)
    write_onnx(model, path)
    for spoilt, count in zip((False, True), plain, strict=True):
        with monkeypatch.context() as context:
            levels = _count_plain(context, spoilt)
            assert verify(model, str(path)).verdict == "pass"
        assert (levels.count(False), levels.count(True)) == (count, optimized)
