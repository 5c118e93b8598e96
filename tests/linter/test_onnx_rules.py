"""Each trap of an ONNX file is told by the rule that is for it, once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.onnx_traps import TRAPS
from fixtures.make_onnx import net, node, noise
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import CheckOptions, check_path


def codes(model: Any, folder: Path) -> list[str]:
    """The codes of what is found in a file of this model."""
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return [one.code for one in check_path(path, CheckOptions(ReadOptions())).findings]


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_one_finding(name: str, tmp_path: Path) -> None:
    code, model = TRAPS[name]
    assert codes(model, tmp_path).count(code) == 1


_REFUSALS = {"UP001", "UP003", "UP407", "UP408"}


@pytest.mark.parametrize("name", TRAPS)
def test_what_is_not_understood_is_said_once(name: str, tmp_path: Path) -> None:
    found = codes(TRAPS[name][1], tmp_path)
    assert len([code for code in found if code in _REFUSALS]) <= 1


def _scaled(scale: float, size: int | str) -> Any:
    stored = {"s": np.array([1, 1, scale, 1], np.float32)}
    return net([node("Resize", "x,,s")], (1, 2, size, 8), stored)


@pytest.mark.parametrize("scale", [0.3333333, 1.9999999, 0.6666665, 2.9999998, 1.2999999])
def test_noise_is_told_where_onnxruntime_gets_another_size(scale: float, tmp_path: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(_scaled(scale, "H").SerializeToString())
    meant = Fraction(scale).limit_denominator(32)
    for size in (3, 5, 8, 9, 10, 30, 60, 90):
        (y,) = session.run(None, {"x": np.zeros((1, 2, size, 8), np.float32)})
        is_other = y.shape[2] != size * meant.numerator // meant.denominator
        assert is_other == ("UP404" in codes(_scaled(scale, size), tmp_path))
    assert "UP404" in codes(_scaled(scale, "H"), tmp_path)


def test_letters_that_are_equal_for_all_inputs_are_kept(tmp_path: Path) -> None:
    nodes = [node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
             node("ConvTranspose", "p,w", kernel_shape=[2, 2], strides=[2, 2])]  # fmt: skip
    stored = {"w": noise(2, 3, 2, 2)}
    kept = net(nodes, ("N", 2, 64, 64), stored, ("N", 3, 64, 64))
    assert {"UP102", "UP410"}.isdisjoint(codes(kept, tmp_path))
    odd = net(nodes, ("N", 2, "H", 64), stored, ("N", 3, "H", 64))
    assert codes(odd, tmp_path).count("UP410") == 1


def test_a_resize_of_the_input_itself_may_be_meant(tmp_path: Path) -> None:
    stored = {"z": np.array([1, 2, 64, 64])}
    made = net([node("Resize", "x,,,z")], (1, 2, "H", "W"), stored)
    assert "UP405" not in codes(made, tmp_path)


def test_a_size_that_is_computed_from_another_tensors_is_no_crop_to_it(tmp_path: Path) -> None:
    """tf2onnx cuts a transposed convolution to twice its input's size: nothing is to be aligned."""
    nodes = [
        node("Relu", "x", "r"),
        node("ConvTranspose", "r,w", "u", strides=[2, 2]),
        node("Shape", "r", "n", start=2, end=3),
        node("Mul", "n,two", "m"),
        node("Slice", "u,zero,m,axes"),
    ]
    stored = {"w": noise(2, 3, 5, 5), "two": np.array([2]), "zero": np.array([0])}
    made = net(nodes, (1, 2, "H", "W"), {**stored, "axes": np.array([2])})
    assert "UP105" not in codes(made, tmp_path)
