"""Sampling at places against PyTorch, ties and far places among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, plane, run, torch_of
from upconv.converters.ir.operators import GridSample

WORDS = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}
SIZES = [(5, 7), (1, 6), (4, 3, 6)]


def places(*shape: int) -> Any:
    """Places inside, outside and exactly on borders, centres and ties."""
    grid = np.random.default_rng(1).uniform(-3, 3, shape)
    grid[0].reshape(-1)[:10] = [-1, 1, 0, -0.5, 0.5, 2, -2, 0.2, 1e6, -1e6]
    return grid


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_is_torch(mode: Any, padding: Any, align_corners: bool, sizes: tuple[int, ...]) -> None:
    from torch.nn.functional import grid_sample

    if mode == "cubic" and len(sizes) == 3:
        pytest.skip("torch has cubic sampling of two axes only")
    x = noise(2, 3, *sizes)
    grid = places(2, *(4, 6, 5)[: len(sizes)], len(sizes))
    expected = grid_sample(torch_of(x), torch_of(grid), WORDS[mode], padding, align_corners)
    got = run(GridSample(mode, padding, align_corners), x, grid)
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-9)


def test_a_worked_example() -> None:
    """x comes first: (1, -1) is the upper right corner, of which a quarter is inside."""
    x = plane([[10, 20], [30, 40]])
    grid = np.array([[[[1.0, -1.0], [0.0, 0.0]]]])
    for align_corners, expected in ((False, [5, 25]), (True, [20, 25])):
        y = run(GridSample("linear", "zeros", align_corners), x, grid)
        np.testing.assert_array_equal(y, plane([expected]))


def test_no_place_is_no_number() -> None:
    grid = np.array([[[[np.nan, 0.0], [0.0, np.inf]]]])
    assert np.isnan(run(GridSample("linear", "border", False), noise(1, 2, 3, 4), grid)).all()


MODES: Any = {"bilinear": "linear", "bicubic": "cubic"}


def test_recorded_nodes_of_onnx(shared: Path) -> None:
    """Nodes of opset 16 and 20, whose words differ, with what PyTorch makes of them."""
    import onnx
    from onnx import numpy_helper

    files = sorted((shared / "engines/cases").glob("gs*.onnx"))
    for file in files:
        graph = onnx.load(file).graph
        said: dict[str, Any] = {
            a.name: onnx.helper.get_attribute_value(a) for a in graph.node[0].attribute
        }
        mode, padding = said["mode"].decode(), said["padding_mode"].decode()
        stored = np.load(file.with_suffix(".npz"))
        grid = numpy_helper.to_array(graph.initializer[0])
        y = run(
            GridSample(MODES.get(mode, mode), padding, bool(said["align_corners"])),
            stored["x"],
            grid,
        )
        np.testing.assert_allclose(y, stored["y"], rtol=0, atol=2e-6, err_msg=file.name)
    assert len(files) == 37
