"""The table of emitters: how each operator is said in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.onnx_writer.graph import GraphBuilder

Emitter: TypeAlias = Callable[[Any, Layer, GraphBuilder], str]
"""(operator, layer, graph) -> the form: which ONNX operators say it, for reports."""

EMITTERS: OperatorTable[Emitter] = OperatorTable("ONNX emission")
