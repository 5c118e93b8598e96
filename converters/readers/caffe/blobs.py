"""Which blobs of a caffemodel belong to which layer of the net (net.cpp, CopyTrainedLayersFrom).

Blobs go by layer name. Layers that share a parameter by `param { name: }` hold one blob between
them: the file may have it under any of their names, and where it has several the last one counts,
since each is copied into the same memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upconv.converters.ir.tensors import TensorData
from upconv.converters.readers.caffe.lowering import ParamSpec
from upconv.converters.readers.caffe.wiring import Node
from upconv.converters.readers.files.prototxt import Message

if TYPE_CHECKING:
    from upconv.converters.readers.caffe.caffemodel import Caffemodel

Blobs = tuple[TensorData, ...]


def param_specs(node: Message) -> tuple[ParamSpec, ...]:
    """The `param { }` blocks of a layer. Raises UnreadableError where one cannot be read."""
    return tuple(
        ParamSpec(
            spec.str("name", ""), spec.float("lr_mult", 1.0), spec.float("decay_mult", 1.0), True
        )
        for spec in node.messages("param")
    )


def blobs_by_layer(
    nodes: Sequence[Node], params: Sequence[tuple[ParamSpec, ...]], weights: Caffemodel
) -> dict[str, Blobs]:
    """Unique layer name -> blobs, for the layers that the weights file knows.

    Of layers with one name the first gets the blobs. A layer that the file lacks gets its blobs
    when it shares all those it declares.
    """
    own = _by_own_name(nodes, weights)
    shared = _shared(nodes, params, own, weights)
    found: dict[str, Blobs] = {}
    for node, specs in zip(nodes, params, strict=True):
        blobs: list[TensorData | None] = list(own.get(node.name, ()))
        blobs += [None] * (len(specs) - len(blobs)) if node.name not in own else []
        for index, spec in enumerate(specs[: len(blobs)]):
            blobs[index] = shared.get(spec.name, blobs[index])
        present = tuple(blob for blob in blobs if blob is not None)
        if node.name in own or (present and len(present) == len(blobs)):
            found[node.name] = present
    return found


def _by_own_name(nodes: Sequence[Node], weights: Caffemodel) -> dict[str, Blobs]:
    own: dict[str, Blobs] = {}
    seen: set[str] = set()
    for node in nodes:
        source = weights.find(node.layer.name) if node.layer.name not in seen else None
        seen.add(node.layer.name)
        if source is not None and source.blobs:
            own[node.name] = source.blobs
    return own


def _shared(
    nodes: Sequence[Node],
    params: Sequence[tuple[ParamSpec, ...]],
    own: dict[str, Blobs],
    weights: Caffemodel,
) -> dict[str, TensorData]:
    """Parameter name -> its blob: the last of those that the file has under the sharers' names."""
    place = {layer.name: index for index, layer in enumerate(weights.layers)}
    candidates: dict[str, list[tuple[int, TensorData]]] = {}
    for node, specs in zip(nodes, params, strict=True):
        for spec, blob in zip(specs, own.get(node.name, ()), strict=False):
            if spec.name:
                entry = (place[node.layer.name], blob)
                candidates.setdefault(spec.name, []).append(entry)
    return {
        name: max(entries, key=lambda entry: entry[0])[1] for name, entries in candidates.items()
    }
