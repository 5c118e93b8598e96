"""The table of emitters: how each operator is said in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from converters.ir import Layer
from converters.onnx_writer.graph import GraphBuilder
from converters.registry import OperatorTable

Emitter: TypeAlias = Callable[[Any, Layer, GraphBuilder], str]
"""(operator, layer, graph) -> the form: which ONNX operators say it, for reports."""

EMITTERS: OperatorTable[Emitter] = OperatorTable("ONNX emission")
