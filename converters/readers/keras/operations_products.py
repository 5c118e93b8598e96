"""Functions that sum products of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly.einsum import einsum
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function
from upconv.converters.readers.keras.operations_shape import known_rank


@lowers_function("matmul")
def _matmul(layer: KerasLayer, step: Step) -> Value:
    values = [step.plain(value) for value in layer.inputs]
    if len(values) != 2 or min(known_rank(layer, step, value) for value in values) < 2:
        raise layer.unsupported("a product with a constant or a vector")
    return step.add(ops.MatMul(), values)


@lowers_function("einsum")
def _einsum(layer: KerasLayer, step: Step) -> Value:
    """Keras 3 keeps the letters in the config, TensorFlow's among the arguments."""
    texts = [item for item in layer.call.arguments if isinstance(item, str)]
    equation = layer.config.text("subscripts") or next(iter(texts), "")
    values = [step.plain(value) for value in layer.inputs]

    def emit(operator: Operator, names: Sequence[str], suffix: str) -> str:
        return step.add(operator, [Value(name) for name in names], suffix=suffix).name

    ranks = [(value.name, known_rank(layer, step, value)) for value in values]
    operator, inputs = einsum(emit, equation, ranks)
    return step.add(operator, [Value(name) for name in inputs])
