"""Every rule, one module a family. Importing this package fills `RULES`, code -> rule."""

from __future__ import annotations

from upconv.linter.rule import RULES
from upconv.linter.rules import (
    alignment,
    bilinear,
    conventions,
    engines,
    file,
    fillers,
    geometry,
    graph_files,
    keras_code,
    kernels,
    merges,
    mxnet_layers,
    onnx_nodes,
    onnx_sizes,
    overlap,
    porting,
    sizes,
    torch_code,
    torch_refused,
    weights,
    wiring,
)

__all__ = [
    "RULES",
    "alignment",
    "bilinear",
    "conventions",
    "engines",
    "file",
    "fillers",
    "geometry",
    "graph_files",
    "keras_code",
    "kernels",
    "merges",
    "mxnet_layers",
    "onnx_nodes",
    "onnx_sizes",
    "overlap",
    "porting",
    "sizes",
    "torch_code",
    "torch_refused",
    "weights",
    "wiring",
]
