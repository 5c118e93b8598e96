"""Layers that are not understood, as nodes of a domain of our own, where the user asks for them.

Such a node has the layer's type, its inputs and outputs and what its file says of it as attributes.
What it computes is for whoever registers the operator with the runtime.
"""

from __future__ import annotations

from typing import Any, Final

from onnx import helper

from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Unknown
from upconv.converters.onnx_writer.graph import GraphBuilder

DOMAIN: Final = "upconv"
VERSION: Final = 1
FORM: Final = "custom"


def emit_custom(operator: Unknown, layer: Layer, graph: GraphBuilder) -> str:
    """Append the node of a layer that is not understood; the form."""
    inputs = [graph.tensor(value) for value in layer.inputs]
    attributes: dict[str, Any] = {
        name: values[0] if len(values) == 1 else list(values) for name, values in operator.fields
    }
    node = helper.make_node(
        operator.type, inputs, layer.outputs, name=layer.name, domain=DOMAIN, **attributes
    )
    graph.nodes.append(node)
    return FORM
