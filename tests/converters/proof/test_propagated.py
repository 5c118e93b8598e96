"""The bound of a whole network holds for every rounding, and is said only where it is proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_onnx import net, node, noise
from upconv.converters.proof.propagated import output_bounds
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference import run_model

CONV: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
STORED = {"w": noise(4, 3, 3, 3), "b": noise(4), "u": noise(4, 2, 2, 2)}
NODES = [
    node("Conv", "x,w,b", "a", **CONV),
    node("Relu", "a", "r"),
    node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]),
    node("ConvTranspose", "p,u", "t", kernel_shape=[2, 2], strides=[2, 2]),
    node("Add", "t,t"),
]


def opened(folder: Path, nodes: Any, stored: Any) -> Any:
    path = folder / "net.onnx"
    path.write_bytes(net(nodes, (2, 3, 6, 8), stored).SerializeToString())
    return open_model(str(path), ReadOptions())


def test_every_rounding_stays_within_it(tmp_path: Path) -> None:
    """Each layer's values moved by all that float32 may: up, down, and at random."""
    model = opened(tmp_path, NODES, STORED)
    feeds = {"x": noise(2, 3, 6, 8)}
    (name,) = model.outputs
    bound = output_bounds(model, feeds, {})[name]
    exact = run_model(model, feeds, model.outputs)[name]
    assert 0 < bound < 1e-4 * np.abs(exact).max()
    rng = np.random.default_rng(0)
    for _ in range(20):

        def rounded(layer: Any, inputs: Any, results: Any) -> Any:
            return tuple(
                x.astype(np.float32) * (1 + 2.0**-24 * rng.choice([-1, 1], x.shape))
                for x in results
            )

        moved = run_model(model, feeds, model.outputs, rounded)[name]
        assert 0 < np.abs(moved - exact).max() <= bound


def test_it_stands_beside_the_tolerance(tmp_path: Path) -> None:
    model = opened(tmp_path, NODES, STORED)
    found = verify(model, model.path)
    (one,) = found.outputs
    assert found.verdict == "pass"
    assert one.bound is not None
    assert one.max_abs_error is not None
    assert one.max_abs_error <= one.bound < one.tolerance
    assert f"proven bound {one.bound:.3g}" in str(found)


@pytest.mark.parametrize("operator", ["Sigmoid", "Softmax"])
def test_a_tolerance_is_no_bound(operator: str, tmp_path: Path) -> None:
    model = opened(tmp_path, [*NODES[:-1], node(operator, "t")], STORED)
    (one,) = verify(model, model.path).outputs
    assert one.verdict == "pass"
    assert one.bound is None
