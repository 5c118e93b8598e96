"""A stored weight is in the file to the last bit, inline or external."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.stored_weights import differing_weights
from upconv.converters.proof.verify import verify


def network() -> Model:
    """An inner product over 768 values: one of them hides in the bound of all."""
    rng = np.random.default_rng(3)
    weights = {
        "weight": weight_of(rng.standard_normal((5, 768), dtype=np.float32)),
        "bias": weight_of(rng.standard_normal(5, dtype=np.float32)),
    }
    layer = Layer("ip", ops.Linear(5), ("data",), ("ip",), weights)
    return Model("net", "", "caffe", (ModelInput("data", (2, 8, 12, 8)),), ("ip",), (layer,))


def nudge(path: Path, name: str) -> None:
    """The last bit of one value of an inline initializer."""
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if t.name == name)
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1).view(np.int32)[3] += 1
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, path)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_one_bit_of_one_weight_fails_its_layer(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(network(), path)
    assert list(differing_weights(network(), str(path))) == []
    nudge(path, f"ip/{name}")
    (layer,) = verify(network(), str(path)).layers
    size = network().layers[0].weights[name].size
    assert layer.verdict == "fail"
    assert layer.reason == f"1 of the {size} values of its {name} are not the source's"


def test_external_weights_are_compared_too(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(network(), path, WriteOptions(external_data="always"))
    assert list(differing_weights(network(), str(path))) == []
    data = path.with_name("net.onnx.data")
    stored = bytearray(data.read_bytes())
    stored[0] ^= 1
    data.write_bytes(stored)
    assert [layer.name for layer, _ in differing_weights(network(), str(path))] == ["ip"]
    data.unlink()
    with pytest.raises(UnreadableError, match="'ip/weight' cannot be read"):
        list(differing_weights(network(), str(path)))


def test_an_initializer_of_another_size_is_left_to_the_certificate(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_onnx(network(), path)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "other/weight"))
    onnx.save(model, path)
    assert list(differing_weights(network(), str(path))) == []
