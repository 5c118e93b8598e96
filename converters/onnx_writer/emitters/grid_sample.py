"""Sampling at computed places: GridSample, whose words changed with opset 20."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer.graph import GraphBuilder
from upconv.converters.onnx_writer.table import EMITTERS

SINCE: Final = {2: 16, 3: 20}
"""Spatial axes -> the first opset with sampling along so many; onnxruntime has no others."""

RENAMED: Final = 20
OLD_WORDS: Final = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}


@EMITTERS.register(ops.GridSample)
def _grid_sample(op: ops.GridSample, layer: Layer, graph: GraphBuilder) -> str:
    axes = len(graph.shape(layer.inputs[0])) - 2
    if axes not in SINCE or (op.mode == "cubic" and axes != 2):
        raise UnsupportedError(f"onnxruntime has no {op.mode} sampling along {axes} axes")
    if graph.opset < SINCE[axes]:
        raise UnsupportedError(
            f"sampling along {axes} axes is not in opset {graph.opset}",
            hint=f"give --opset {SINCE[axes]} or higher",
        )
    graph.node(
        "GridSample",
        tuple(map(graph.tensor, layer.inputs[:2])),
        layer.outputs[0],
        mode=op.mode if graph.opset >= RENAMED else OLD_WORDS[op.mode],
        padding_mode=op.padding,
        align_corners=int(op.align_corners),
    )
    return "GridSample"
