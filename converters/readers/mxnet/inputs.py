"""Which variables are inputs and which hold values, and how many axes an input has: the file says
neither, so that the operators that read it do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.tensors import Filler, TensorData
from upconv.converters.readers.assembly.weights import filler_of
from upconv.converters.readers.files.budgets import whole_number
from upconv.converters.readers.files.stored import MAX_AXES
from upconv.converters.readers.mxnet.attributes import Attributes
from upconv.converters.readers.mxnet.lowering import Parameter
from upconv.converters.readers.mxnet.symbol import VARIABLE, Node, Symbol

READS: Final[Mapping[str, int]] = dict.fromkeys(
    """
    SoftmaxOutput Softmax LogisticRegressionOutput LinearRegressionOutput MAERegressionOutput
    SVMOutput
    """.split(),  # noqa: SIM905
    1,
)
"""Outputs of training -> how many of their inputs count when the net runs: the label does not."""

_WITH_WEIGHTS: Final = frozenset(
    """
    Convolution Convolution_v1 _npx_convolution Deconvolution _npx_deconvolution FullyConnected
    _npx_fully_connected BatchNorm BatchNorm_v1 CuDNNBatchNorm _npx_batch_norm
    _contrib_SyncBatchNorm InstanceNorm GroupNorm LayerNorm _npx_layer_norm LeakyReLU
    _npx_leaky_relu UpSampling Embedding _npx_embedding RNN _contrib_DeformableConvolution
    _contrib_quantized_conv _contrib_quantized_fully_connected
    """.split()  # noqa: SIM905
)
"""Operators whose inputs are parameters, all but the first."""
_IMAGES: Final = frozenset(
    """
    UpSampling _contrib_BilinearResize2D LRN Crop depth_to_space space_to_depth BilinearSampler
    _contrib_AdaptiveAvgPooling2D MultiBoxPrior _contrib_MultiBoxPrior
    """.split()  # noqa: SIM905
)
"""Operators of images, which have four axes."""
_OF_AN_IMAGE: Final = ("SpatialTransformer", "ROIPooling", "_contrib_ROIAlign")
_CHANGE_RANK: Final = frozenset(
    """
    Reshape reshape Flatten flatten FullyConnected _npx_fully_connected expand_dims squeeze stack
    dot batch_dot broadcast_like norm mean sum max min
    """.split()  # noqa: SIM905
)
_KEEP_CHANNELS: Final = frozenset(
    """
    Activation LeakyReLU BatchNorm Pooling Dropout Cast cast identity _copy BlockGrad relu sigmoid
    _contrib_quantize_v2 _contrib_quantize
    """.split()  # noqa: SIM905
)
_CONVOLUTIONS: Final = ("Convolution", "Convolution_v1", "_npx_convolution")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who reads what, to see what a variable is."""

    symbol: Symbol
    stored: Mapping[str, TensorData]
    readers: Mapping[int, list[tuple[int, int]]]

    def parameter(self, index: int) -> Parameter | None:
        """The variable as a parameter; None where it is an input of the net."""
        node = self.symbol.nodes[index]
        if node.name in self.stored:
            data = self.stored[node.name]
            return Parameter(node.name, data, data.shape, _filler(node))
        is_weight = "__wd_mult__" in node.users  # as Gluon writes it of every parameter
        for reader, at in self.readers.get(index, ()):
            op = self.symbol.nodes[reader]
            several = op.op == "UpSampling" and op.attributes.get("sample_type") != "bilinear"
            is_weight |= at > 0 and op.op in _WITH_WEIGHTS and not several
        if not is_weight:
            return None
        sizes = stated_shape(node)
        known = tuple(size for size in sizes or () if size is not None)
        shape = known if sizes is not None and len(known) == len(sizes) else None
        return Parameter(node.name, None, shape, _filler(node))

    def shape(self, index: int) -> tuple[int | None, ...] | None:
        """An input's sizes, None for open ones: those that are stated, or what the first operator
        that cares about it says."""
        stated = stated_shape(self.symbol.nodes[index])
        if stated is not None:
            return stated
        axes = next(filter(None, (self._axes(*one) for one in self._behind(index))), 0)
        channels = (self._channels(*one) for one in self._behind(index, channels=True))
        return (None, next(filter(None, channels), None), *(None,) * (axes - 2)) if axes else None

    def _axes(self, reader: int, at: int) -> int:
        """How many axes an operator says that its input has; 0 where it does not."""
        node = self.symbol.nodes[reader]
        try:
            kernel, pads = (len(Attributes(node).ints(name)) for name in ("kernel", "pad_width"))
        except UnreadableError:  # told when the node itself is read
            return 0
        if kernel and at == 0:
            return kernel + 2
        image = node.op in _IMAGES or (at == 0 and node.op in _OF_AN_IMAGE)
        return pads // 2 or 4 * image

    def _channels(self, reader: int, at: int) -> int | None:
        """How many channels the weight of an operator says that its input has."""
        node = self.symbol.nodes[reader]
        if at or len(node.inputs) < 2 or node.op not in _WITH_WEIGHTS:
            return None
        weight = self.stored.get(self.symbol.nodes[node.inputs[1][0]].name)
        if (
            weight is None
            or not weight.shape
            or node.op.endswith(("nnected", "Embedding", "LeakyReLU"))
        ):
            return None
        if node.op in _CONVOLUTIONS and len(weight.shape) > 2:
            groups = whole_number(node.attributes.get("num_group", "1"))
            return None if groups is None else weight.shape[1] * groups
        return weight.shape[0]

    def _behind(self, index: int, *, channels: bool = False) -> Iterator[tuple[int, int]]:
        """The readers of a node, nearest first, and those of what they pass on: as many axes, and
        where it is for `channels` as many of those."""
        queue, seen = [index], {index}
        for source in queue:
            for reader, place in self.readers.get(source, ()):
                yield reader, place
                node = self.symbol.nodes[reader]
                changes = node.op in _CHANGE_RANK or "squeeze_axis" in node.attributes
                keeps = node.op in _KEEP_CHANNELS or node.op.endswith("_scalar")
                if reader not in seen and (keeps if channels else not changes):
                    seen.add(reader)
                    queue.append(reader)


def surroundings(symbol: Symbol, stored: Mapping[str, TensorData]) -> Surroundings:
    """The symbol with the readers of every node."""
    readers: dict[int, list[tuple[int, int]]] = {}
    for index, node in enumerate(symbol.nodes):
        for place, (source, _) in enumerate(node.inputs[: READS.get(node.op)]):
            readers.setdefault(source, []).append((index, place))
    return Surroundings(symbol, stored, readers)


def stated_shape(node: Node) -> tuple[int | None, ...] | None:
    """The shape that a variable was made with, None for sizes that are open (0, -1); None where
    there is none, or one that cannot be."""
    text = node.users.get("__shape__")
    if node.op != VARIABLE or text is None:
        return None
    plain = Node("", node.name, (), {"__shape__": text}, {}, node.written, node.settings)
    sizes = Attributes(plain).ints("__shape__")
    if not 0 < len(sizes) <= MAX_AXES or prod(map(abs, sizes)) >= 1 << 48:
        return None
    return tuple(size if size > 0 else None for size in sizes)


def _filler(node: Node) -> Filler:
    """What makes a variable's first values: a word, or a list of one and its settings."""
    text = node.users.get("__init__", "")
    try:
        made = json.loads(text) if text.startswith("[") else [text, {}]
    except ValueError:
        made = [text, {}]
    word = str(made[0]).lower() if isinstance(made, list) and made else ""
    settings = made[1] if isinstance(made, list) and len(made) > 1 else {}
    return filler_of(word, settings.get("value") if isinstance(settings, dict) else None)
