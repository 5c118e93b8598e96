"""Small ONNX models, and what the reference and onnxruntime make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference import run_model

FLOAT = TensorProto.FLOAT


def proto(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    stored: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 18,
    **more: Any,
) -> Any:
    """A model of float inputs, with initializers of these values."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (stored or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def read(model: Any, folder: Path, **options: Any) -> Model:
    """The model of a proto, by way of a file."""
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return open_model(str(path), ReadOptions(**options))


def unknown(model: Model) -> dict[str, str]:
    """Layer -> why it is not understood."""
    found = [layer for layer in model.layers if isinstance(layer.operator, Unknown)]
    return {layer.name: layer.operator.reason for layer in found}  # type: ignore[union-attr]


def meant(model: Model, feeds: Mapping[str, Any]) -> list[Any]:
    """The outputs in the reference."""
    values = run_model(model, feeds, keep=model.outputs)
    return [values[name] for name in model.outputs]


def computed(model: Any | str, feeds: Mapping[str, Any]) -> list[Any]:
    """The outputs in onnxruntime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    source = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def assert_close(got: Any, want: Any, share: float = 1e-5) -> None:
    """Equal to a share of the largest magnitude."""
    assert got.shape == want.shape
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=1e-9))
    np.testing.assert_allclose(got, want, rtol=0, atol=share * scale)


def noise(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def node(op: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), list(outputs or ("y",)), **attributes)


def external(folder: Path, location: str, values: Any, **entries: str) -> Any:
    """A model x + w whose w lies in another file."""
    model = proto([node("Add", ["x", "w"])], {"x": [1, 3]})
    tensor = numpy_helper.from_array(values, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    model.graph.initializer.append(tensor)
    return model
