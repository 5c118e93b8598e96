"""Models whose files have their channels last: their images as the representation has them.

A file may hold images with channels last, and turn them before anything is done with them, as ONNX
files of Keras models do. What is turned at once, and turned back at the end, is only how the file
says it.
"""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import Permute
from upconv.converters.passes.rename import renamed


def to_first(rank: int) -> list[int]:
    """The permutation from channels-last to channels-first.

    >>> to_first(4)
    [0, 3, 1, 2]
    """
    return [0, rank - 1, *range(1, rank - 1)] if rank > 2 else list(range(rank))


def to_last(rank: int) -> list[int]:
    """The permutation from channels-first to channels-last.

    >>> to_last(4)
    [0, 2, 3, 1]
    """
    return [0, *range(2, rank), 1] if rank > 2 else list(range(rank))


def channels_first(model: Model) -> Model:
    """The model without the layers that turn its inputs and outputs, which are then named as
    channels last.

    >>> from upconv.converters.ir.operators import Relu
    >>> layers = (Layer("in", Permute((0, 3, 1, 2)), ("x",), ("a",)),
    ...           Layer("relu", Relu(), ("a",), ("b",)),
    ...           Layer("out", Permute((0, 2, 3, 1)), ("b",), ("y",)))
    >>> net = Model("net", "", "onnx", (ModelInput("x", (1, 5, 7, 3)),), ("y",), layers)
    >>> net = channels_first(net)
    >>> [(one.name, one.inputs, one.outputs) for one in net.layers], net.inputs[0].shape
    ([('relu', ('x',), ('y',))], (1, 3, 5, 7))
    >>> sorted(net.channels_last)
    ['x', 'y']
    """
    consumers = model.consumers()
    turned = {entry.name for entry in model.inputs if _is_turned(entry, model, consumers)}
    names = {layer.outputs[0]: value for value in turned for layer in consumers.get(value, ())}
    back = _turned_back(model, consumers, {*names, *names.values()})
    gone = {layer.name for value in turned for layer in consumers[value]}
    gone |= {model.producers()[output].name for output in back.values()}
    layers = tuple(
        renamed(layer, {**names, **back}) for layer in model.layers if layer.name not in gone
    )
    inputs = tuple(_first(entry) if entry.name in turned else entry for entry in model.inputs)
    last = model.channels_last | turned | frozenset(back.values())
    return replace(model, inputs=inputs, layers=layers, channels_last=last)


def _is_turned(entry: ModelInput, model: Model, consumers: dict[str, list[Layer]]) -> bool:
    """Whether all that reads an input turns it, and hands it on inside of the model."""
    readers = consumers.get(entry.name, [])
    rank = len(entry.shape or ())
    order = tuple(to_first(rank))
    alone = rank > 2 and entry.name not in (*model.outputs, *model.channels_last)
    return (
        alone
        and bool(readers)
        and all(one.operator == Permute(order) for one in readers)
        and not {value for one in readers for value in one.outputs} & set(model.outputs)
    )


def _turned_back(
    model: Model, consumers: dict[str, list[Layer]], taken: set[str]
) -> dict[str, str]:
    """Value -> the output that it is turned into, where nothing else is made of it."""
    producers, found = model.producers(), dict[str, str]()
    for output in model.outputs:
        layer = producers.get(output)
        if layer is None or not isinstance(layer.operator, Permute) or output in consumers:
            continue
        value = layer.inputs[0]
        turns = list(layer.operator.order) == to_last(len(layer.operator.order))
        made = value in producers and value not in taken and value not in (*model.outputs, *found)
        if turns and made and len(consumers[value]) == 1 and model.outputs.count(output) == 1:
            found[value] = output
    return found


def _first(entry: ModelInput) -> ModelInput:
    assert entry.shape is not None
    return replace(entry, shape=tuple(entry.shape[axis] for axis in to_first(len(entry.shape))))
