"""What rules may ask of a Caffe layer: its fields in V2 words, whatever the file's format."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.source import Span
from upconv.converters.ir.written import NOTHING, Block, Written
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES, v1_type
from upconv.converters.readers.files.prototxt import Message

PARAMS: Final = ("convolution_param", "pooling_param", "crop_param", "inner_product_param")
"""The blocks that hold the sizes and fillers rules speak of; a layer has one of them."""


class CaffeSettings:
    """The settings of one layer, looked up when they are asked for."""

    __slots__ = ("_node", "_params")

    def __init__(self, node: Message) -> None:
        self._node = node
        self._params: Block | None = None

    @property
    def params(self) -> Block:
        """The layer's block of PARAMS; raises UnreadableError where it is no block."""
        if self._params is None:
            found = (self._node.message(name) for name in PARAMS)
            self._params = next((block for block in found if block is not None), NOTHING)
        return self._params

    def span_of(self, *names: str) -> Span | None:
        return self.params.span_of(*names)

    def text_of(self, name: str) -> str:
        return "".join(self.params.texts(name)[-1:])


def written_layer(node: Message, type_name: str) -> Written:
    """A layer's block, and whether only forks have its type, given as the file spells it."""
    today = v1_type(type_name)
    known = LAYER_TYPES.get(today)
    fork_type = today if known is not None and known.fork else ""
    return Written(CaffeSettings(node), node, fork_type=fork_type)
