"""Writes small models, runs them in onnxruntime, compares them with the float64 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import shape_inference

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Weight, weight_of
from upconv.converters.onnx_writer import WriteOptions, Written, write_onnx
from upconv.converters.reference import run_model

OPSETS = (13, 18, 22)
ALL_OPSETS = tuple(range(13, 23))
TOLERANCE = 2e-6
"""Of the largest magnitude: some thirty roundings, a wrong pixel is a thousand times that."""


def values(*shape: int, seed: int = 0) -> Any:
    """Seeded noise, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights(**arrays: Any) -> dict[str, Weight]:
    return {name: weight_of(np.asarray(array, np.float32)) for name, array in arrays.items()}


def letters(shape: Sequence[int], dynamic: str) -> tuple[Size, ...]:
    """The shape with the axes named in `dynamic` (of "NCDHW", the spatial ones from the back) as
    symbols: letters((1, 3, 5, 6), "HW") is (1, 3, H, W)."""
    if len(shape) < 2:
        return tuple(shape)
    names = ("N", "C", *"DHW"[3 - (len(shape) - 2) :])
    pairs = zip(names, shape, strict=True)
    return tuple(symbol(name) if name in dynamic else size for name, size in pairs)


def model(
    layers: Sequence[Layer], inputs: Mapping[str, Sequence[Size]], outputs: Sequence[str]
) -> Model:
    entries = tuple(ModelInput(name, tuple(shape)) for name, shape in inputs.items())
    return Model("net", "net.prototxt", "caffe", entries, tuple(outputs), tuple(layers))


def one_layer(
    operator: Operator,
    *shapes: Sequence[Size],
    outputs: int = 1,
    **arrays: Any,
) -> Model:
    """A model of one layer named "layer": inputs x0, x1 ..., outputs y0, y1 ..."""
    names = [f"x{index}" for index in range(len(shapes))]
    results = tuple(f"y{index}" for index in range(outputs))
    layer = Layer("layer", operator, tuple(names), results, weights(**arrays))
    return model([layer], dict(zip(names, shapes, strict=True)), results)


def check_valid(path: Path) -> onnx.ModelProto:
    """onnx.checker and strict shape inference agree with the file; the loaded model."""
    onnx.checker.check_model(str(path), full_check=True)
    loaded = onnx.load(path)
    inferred = shape_inference.infer_shapes(loaded, strict_mode=True, data_prop=True)
    for declared, found in zip(loaded.graph.output, inferred.graph.output, strict=True):
        assert declared == found, f"declared {declared}, inferred {found}"
    return loaded


def run_onnx(path: Path, feeds: Mapping[str, Any], optimized: bool = True) -> dict[str, Any]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    )
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def assert_close(got: Any, want: Any, tolerance: float, what: str = "") -> None:
    assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
    finite = np.abs(want[np.isfinite(want)])
    limit = tolerance * (float(finite.max()) if finite.size else 0.0)
    np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=what)


def convert_and_compare(
    source: Model,
    feeds: Mapping[str, Any],
    folder: Path,
    opsets: Sequence[int] = OPSETS,
    tolerance: float = TOLERANCE,
    **options: Any,
) -> Written:
    """Write at every opset, run with optimizations on and off, compare all outputs with the
    reference; what was written last."""
    want = run_model(source, feeds, keep=source.outputs)
    for opset in opsets:
        path = folder / f"opset{opset}.onnx"
        written = write_onnx(source, path, WriteOptions(opset=opset, **options))
        check_valid(path)
        for optimized in (False, True):
            got = run_onnx(path, feeds, optimized)
            assert set(got) == set(source.outputs)
            for name, value in got.items():
                what = f"{name}, opset {opset}, optimized {optimized}"
                assert_close(value, want[name], tolerance, what)
    return written


def compare_one(
    operator: Operator,
    folder: Path,
    *arrays: Any,
    dynamic: str = "",
    outputs: int = 1,
    opsets: Sequence[int] = OPSETS,
    tolerance: float = TOLERANCE,
    options: Mapping[str, Any] | None = None,
    **stored: Any,
) -> Written:
    """One operator on these inputs, with the axes named in `dynamic` as symbols."""
    shapes = [letters(array.shape, dynamic) if dynamic else array.shape for array in arrays]
    source = one_layer(operator, *shapes, outputs=outputs, **stored)
    feeds = {f"x{index}": array for index, array in enumerate(arrays)}
    return convert_and_compare(source, feeds, folder, opsets, tolerance, **(options or {}))
