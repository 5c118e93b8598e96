"""What a model is: its layers, shapes and parameters, and what keeps it from being converted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir.records import record
from upconv.converters.passes.cut import Cut
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.inspection import (
    Block,
    InspectedLayer,
    Inspection,
    Stage,
    Totals,
    Value,
    Weights,
)

if TYPE_CHECKING:
    from upconv.converters.ir.dims import Size
    from upconv.converters.ir.errors import UpconvError
    from upconv.converters.ir.inference import Inference
    from upconv.converters.ir.model import Layer, Model


@record(frozen=True, slots=True)
class InspectRequest:
    """A model, in a file or in memory. `options` are of a model in a file, `part` is what of the
    model is looked at."""

    model: str | Model
    options: ReadOptions = ReadOptions()
    part: Cut = Cut()


def inspect(request: InspectRequest) -> Inspection:
    """Look at a model.

    Raises UnreadableError and UnsupportedError for a file that holds none, and UsageError where the
    options or the part name what is not there.
    """
    from upconv.converters.ir.inference import infer
    from upconv.converters.passes.cut import cut
    from upconv.converters.readers.formats import open_model

    model = request.model
    if isinstance(model, str):
        model = open_model(model, request.options)
    if request.part != Cut():
        model = cut(model, request.part)
    inference = infer(model)
    layers = tuple(_layer(layer, inference) for layer in model.layers)
    shapes = inference.shapes
    return Inspection(
        model.name,
        model.path,
        model.framework,
        tuple(Value(entry.name, entry.shape) for entry in model.inputs),
        tuple(Value(name, shapes.get(name)) for name in model.outputs),
        layers,
        _totals(model, layers, inference),
        tuple(_blocks(model, inference)),
    )


def _layer(layer: Layer, inference: Inference) -> InspectedLayer:
    from upconv.converters.ir.cost import products, weight_sizes
    from upconv.converters.ir.operators import Unknown

    operator, origin = layer.operator, layer.origin
    inputs, outputs = (
        tuple(Value(name, inference.shapes.get(name)) for name in names)
        for names in (layer.inputs, layer.outputs)
    )
    return InspectedLayer(
        layer.name,
        type(operator).__name__,
        operator.type if isinstance(operator, Unknown) else origin.type,
        inputs,
        outputs,
        sum(size for _, size in weight_sizes(layer, inputs[0].shape if inputs else None)),
        _weights(layer),
        products(layer, [one.shape for one in inputs], outputs[0].shape if outputs else None),
        (operator.reason or "unknown layer type") if isinstance(operator, Unknown) else "",
        origin.span.line if origin.span else None,
        origin.code,
    )


def _weights(layer: Layer) -> Weights:
    if not layer.weights:
        return "none"
    return "stored" if all(one.present for one in layer.weights.values()) else "missing"


def _parameters(model: Model, inference: Inference) -> int:
    """Of all layers, a weight that several share counted once."""
    from upconv.converters.ir.cost import weight_sizes

    found: dict[int, int] = {}
    for layer in model.layers:
        x = inference.shapes.get(layer.inputs[0]) if layer.inputs else None
        found |= {id(weight): size for weight, size in weight_sizes(layer, x)}
    return sum(found.values())


def _totals(model: Model, layers: tuple[InspectedLayer, ...], inference: Inference) -> Totals:
    from upconv.converters.ir.dims import TooLongError, evaluate, leaves
    from upconv.converters.ir.errors import UsageError
    from upconv.converters.proof.stimuli import fixed_shapes

    count, parameters = len(layers), _parameters(model, inference)
    each = [one.multiplications for one in layers]
    try:
        total: Size | None = sum(size for size in each if size is not None)
    except TooLongError:
        total = None
    if total is None or None in each:
        return Totals(count, parameters, None, {}, None)
    if isinstance(total, int):
        return Totals(count, parameters, total, {}, None)
    try:
        closed = fixed_shapes(model)
    except UsageError:  # no size fits: the blocks say so
        return Totals(count, parameters, total, {}, None)
    example = {
        str(size): n
        for entry in model.inputs
        for size, n in zip(entry.shape or (), closed[entry.name], strict=True)
        if not isinstance(size, int) and set(map(str, leaves(size))) == {str(size)}
    }
    return Totals(count, parameters, total, example, evaluate(total, example))


def _blocks(model: Model, inference: Inference) -> Iterator[Block]:
    """What a conversion would refuse, as it would say it; then what a proof would. A whole ONNX
    file's nodes that are not understood are copied."""
    from upconv.converters.ir.errors import UnsupportedError, UsageError
    from upconv.converters.onnx_writer.options import WriteOptions
    from upconv.converters.onnx_writer.refusals import folded, problems
    from upconv.converters.onnx_writer.splice import malformed, must_be_spliced
    from upconv.converters.passes.live import live
    from upconv.converters.proof.memory import require_memory
    from upconv.converters.proof.stimuli import fixed_shapes
    from upconv.converters.readers.formats import require_graph

    try:
        if must_be_spliced(model, WriteOptions()):
            found: list[UpconvError] = list(malformed(model))
        else:
            found = [*folded(list(problems(live(require_graph(model)), inference)))]
    except UnsupportedError as none:
        found = [none]
    for error in found:
        yield _block("conversion", error)
    if found:
        return
    try:
        require_memory(model, fixed_shapes(model))
    except UsageError as error:
        yield _block("proof", error)


def _block(stage: Stage, error: UpconvError) -> Block:
    return Block(stage, error.layer, error.message, error.hint)
