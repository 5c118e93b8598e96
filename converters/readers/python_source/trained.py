"""Trained weights beside the code of a network: a state_dict's tensors for the layers it names.

`self.up = nn.ConvTranspose2d(...)` has its weight under a name that ends in `up.weight`. A layer
gets weights where one name of the file ends so, and no other layer of the code claims it: a block
that a network uses four times has four, and none is chosen. What stays without is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.ir.model import Layer, Model, Notice
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.python_source.call import Call
from upconv.converters.readers.torch.state.given_weights import shape_text
from upconv.converters.readers.torch.state.state_dict import (
    StateDict,
    is_state_dict,
    listed,
    open_state_dict,
)

WEIGHT: Final = ".weight"
BIAS: Final = ".bias"
_OF_OTHERS: Final = frozenset(
    {".caffemodel", ".h5", ".hdf5", ".keras", ".params", ".pb", ".index", ".onnx", ".tflite"}
)
"""Files in which other frameworks have weights."""

ANOTHER: Final = "these are the weights of another version of this code"


def with_weights(model: Model, path: str) -> Model:
    """The model of a Python file, with what a state_dict holds for its layers.

    Weights of other frameworks are not for Python code; they leave the model as it is. A file that
    cannot be read, or is nobody's, becomes a notice.
    """
    wanted = dict(_attributes(model.layers))
    if not path or not wanted:
        return model
    try:
        if not is_state_dict(path) and PurePath(path).suffix.lower() in _OF_OTHERS:
            return model
        state = open_state_dict(path)
    except UpconvError as error:
        return replace(model, notices=(*model.notices, Notice("unreadable-part", error)))
    keys = _claims(wanted, state)
    told = [*state.notices, *_unmatched(model, wanted, keys, path)]
    fitting: dict[str, Layer] = {}
    for layer in model.layers:
        claimed = keys.get(layer.name, ())
        problems = list(_problems(layer, claimed[0], state)) if len(claimed) == 1 else []
        told += problems
        if len(claimed) == 1 and not problems:
            fitting[layer.name] = _trained(layer, claimed[0], state)
    layers = tuple(fitting.get(layer.name, layer) for layer in model.layers)
    notices = (*model.notices, *told)
    return replace(model, layers=layers, notices=notices, weights_path=path)


def _attributes(layers: Sequence[Layer]) -> Iterator[tuple[str, str]]:
    """(layer's name, its attribute's path) of PyTorch's layers that have a weight and are kept by
    their module: `up` of `self.up`, `decoder.0` of the first in `self.decoder`."""
    for layer in layers:
        call = layer.origin.written.call
        if not isinstance(call, Call) or call.framework != "pytorch":
            continue
        holder = call.scope.parent
        if "weight" in layer.weights and holder is not None and holder.kind == "class":
            yield layer.name, layer.name.removeprefix(f"{holder.path}.").partition("@")[0]


def _claims(wanted: Mapping[str, str], state: StateDict) -> dict[str, tuple[str, ...]]:
    """Layer -> the names of the file that may be its weight, without their `.weight`."""
    ends: dict[str, list[str]] = {}
    for name in state.tensors:
        if name.endswith(WEIGHT):
            base = name.removesuffix(WEIGHT)
            for end in _ends(base):
                ends.setdefault(end, []).append(base)
    owners: dict[str, list[str]] = {}
    for layer, attribute in wanted.items():
        owners.setdefault(attribute, []).append(layer)
    return {
        layer: tuple(ends.get(attribute, ())) if len(owners[attribute]) == 1 else ()
        for layer, attribute in wanted.items()
    }


def _ends(base: str) -> Iterator[str]:
    """A dotted name, and what is left of it as words go from its begin."""
    yield base
    while "." in base:
        base = base.partition(".")[2]
        yield base


def _problems(layer: Layer, base: str, state: StateDict) -> Iterator[Notice]:
    """Where the file contradicts the code."""
    call, have = layer.origin.written.call, state.tensors[base + WEIGHT].shape
    assert isinstance(call, Call), "only layers of calls have attributes"
    declared = layer.weights["weight"].shape
    kernel = getattr(layer.operator, "kernel", None)
    if declared is not None and have != declared:
        said = f"the code says {shape_text(declared)}"
        yield _mismatch(layer, base + WEIGHT, have, said, state.path)
    elif kernel is not None and have[2:] != kernel:
        said = f"the code says kernel_size {shape_text(kernel)}"
        yield _mismatch(layer, base + WEIGHT, have, said, state.path)
    elif (bias := state.tensors.get(base + BIAS)) is None:
        if "bias" in layer.weights and call.known("bias"):
            yield _notice(layer, f"missing key: {base}{BIAS}, and the code says bias=True", state)
    elif "bias" not in layer.weights:
        yield _notice(layer, f"unexpected key: {base}{BIAS}, and the code says bias=False", state)
    elif (channels := layer.weights["bias"].shape) not in (None, bias.shape):
        said = f"the code says {shape_text(channels or ())}"
        yield _mismatch(layer, base + BIAS, bias.shape, said, state.path)


def _mismatch(layer: Layer, name: str, have: tuple[int, ...], said: str, path: str) -> Notice:
    text = f"size mismatch for {name}: {PurePath(path).name} has {shape_text(have)}, {said}"
    return Notice(
        "unreadable-part", UnreadableError(text, where=layer.origin, layer=layer.name, hint=ANOTHER)
    )


def _notice(layer: Layer, text: str, state: StateDict) -> Notice:
    error = UnreadableError(
        f"{PurePath(state.path).name}: {text}", where=layer.origin, layer=layer.name, hint=ANOTHER
    )
    return Notice("unreadable-part", error)


def _trained(layer: Layer, base: str, state: StateDict) -> Layer:
    """The layer with its tensors; channels that the code leaves open are the file's."""
    weights = {
        name: Weight(tensor.shape, tensor)
        for name, end in (("weight", WEIGHT), ("bias", BIAS))
        if (tensor := state.tensors.get(base + end)) is not None
    }
    operator, call = layer.operator, layer.origin.written.call
    assert isinstance(call, Call), "only layers of calls have attributes"
    groups = call.literal_int("groups") if isinstance(operator, ops.ConvTranspose) else None
    if isinstance(operator, ops.ConvTranspose) and groups:
        channels = weights["weight"].shape
        assert channels is not None, "a tensor of a file has a shape"
        operator = replace(operator, out_channels=channels[1] * groups, groups=groups)
    return replace(layer, operator=operator, weights=weights)


def _unmatched(
    model: Model, wanted: Mapping[str, str], keys: Mapping[str, Sequence[str]], path: str
) -> Iterator[Notice]:
    """One remark that counts the layers that got no weights, at the first of them."""
    left = [layer for layer in model.layers if len(keys.get(layer.name, ("",))) != 1]
    if not left:
        return
    names = [f"{layer.name} ({_why(wanted[layer.name], keys[layer.name])})" for layer in left]
    file, count = PurePath(path).name, f"{len(left)} of {len(wanted)}"
    text = f"{count} layers got no weights of {file}: {listed(names)}"
    error = UpconvError(text, where=left[0].origin, hint="check the exported model with them")
    yield Notice("unmatched-weights", error, harmless=True)


def _why(attribute: str, keys: Sequence[str]) -> str:
    if keys:
        return f"{len(keys)} names end in {attribute}{WEIGHT}"
    return f"no name is its own and ends in {attribute}{WEIGHT}"
