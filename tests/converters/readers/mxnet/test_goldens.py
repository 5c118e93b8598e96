"""Nets that MXNet computed: equal at both sizes in onnxruntime, every layer certified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.readers.mxnet.support import reasons
from tests.converters.readers.onnx.support import assert_close
from tests.support import ROOT, shared_folder
from upconv.converters.ir.dims import symbol
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

NAMES = sorted(path.parent.name for path in shared_folder().glob("goldens/mxnet/*/net-symbol.json"))
SECOND = ROOT / "fixtures" / "mxnet_second_size.npz"
"""What MXNet 1.9.1's own kernels compute of the nets without an alt.npz, at a second size: another
batch where the file fixes the others."""
CHANNELS = {"elemwise": 3, "leaky": 3, "reshapes": 4, "scalars": 2, "slice_like": 3}
"""Nets whose file does not say how many axes an input has: its channels."""


def _options(name: str, folder: Path) -> ReadOptions:
    weights = str(folder / "net-0000.params")
    if name.startswith("legacy_up"):  # its FullyConnected fits one size
        fixed = _part(folder / "io.npz", "in/").items()
        shapes = {one: (symbol("N"), *array.shape[1:]) for one, array in fixed}
        return ReadOptions(weights=weights, inputs=shapes)
    if name not in CHANNELS:
        return ReadOptions(weights=weights)
    shapes = {}
    for index, one in enumerate(_part(folder / "io.npz", "in/")):
        own = "2" if index and name == "slice_like" else ""
        channels = 5 if own else CHANNELS[name]
        shapes[one] = (symbol("N"), channels, symbol(f"H{own}"), symbol(f"W{own}"))
    return ReadOptions(weights=weights, inputs=shapes)


def _part(path: Path, prefix: str) -> dict[str, np.ndarray]:
    arrays = np.load(path)
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_is_equal_and_certified(name: str, shared: Path, tmp_path: Path) -> None:
    import onnxruntime

    folder = shared / "goldens/mxnet" / name
    model = open_model(str(folder / "net-symbol.json"), _options(name, folder))
    assert not reasons(model)
    assert not model.notices
    target = tmp_path / "net.onnx"
    write_onnx(model, target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    alt = folder / "alt.npz"
    second = (alt, "") if alt.exists() else (SECOND, f"{name}/")
    for path, prefix in ((folder / "io.npz", ""), second):
        want = _part(path, f"{prefix}out/")
        assert list(want) == list(model.outputs)
        feeds = _part(path, f"{prefix}in/")
        for got, one in zip(session.run(None, feeds), want.values(), strict=True):
            assert_close(got, one, 1e-5)
    assert verify(model, str(target)).verdict == "pass"
