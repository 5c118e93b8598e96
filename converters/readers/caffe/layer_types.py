"""Caffe's layer types: BVLC's, its forks', the old spellings, and which of them compute nothing.

`bottoms` and `tops` are what Caffe checks at set-up (ExactNumBottomBlobs and its kin).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.converters.ir.similar import similar
from upconv.converters.readers.files.budgets import whole_number

MANY: Final = 1 << 30


@record(frozen=True, slots=True)
class LayerType:
    """A layer type and how many bottoms and tops it takes, bounds included."""

    name: str
    bottoms: tuple[int, int]
    tops: tuple[int, int]
    fork: bool = False


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if text.endswith("+"):
        return int(text[:-1]), MANY
    return int(low), int(high or low)


def _table(text: str, fork: bool) -> dict[str, LayerType]:
    entries = (entry.split() for entry in text.split(";"))
    return {
        name: LayerType(name, _range(bottoms), _range(tops), fork)
        for name, bottoms, tops in entries
    }


# fmt: off
_BVLC: Final = (
    "AbsVal 1 1; Accuracy 2 1-2; ArgMax 1 1; BNLL 1 1; BatchNorm 1 1; BatchReindex 2 1;"
    "Bias 1-2 1; Clip 1 1; Concat 1+ 1; ContrastiveLoss 3 0-1; Convolution 1+ 1+; Crop 2 1;"
    "Data 0 1-2; Deconvolution 1+ 1+; Dropout 1 1; DummyData 0 1+; ELU 1 1; Eltwise 2+ 1;"
    "Embed 1 1; EuclideanLoss 2 0-1; Exp 1 1; Filter 2+ 1+; Flatten 1 1; HDF5Data 0 1+;"
    "HDF5Output 2 0; HingeLoss 2 0-1; Im2col 1+ 1+; ImageData 0 2; InfogainLoss 2-3 0-2;"
    "InnerProduct 1 1; Input 0 1+; LRN 1 1; LSTM 2-5 1-3; LSTMUnit 3 2; Log 1 1; MVN 1 1;"
    "MemoryData 0 2; MultinomialLogisticLoss 2 0-1; PReLU 1 1; Parameter 0 1; Pooling 1 1-2;"
    "Power 1 1; Python 0+ 0+; RNN 2-4 1-2; ReLU 1 1; Reduction 1 1; Reshape 1 1; SPP 1 1;"
    "Scale 1-2 1; Sigmoid 1 1; SigmoidCrossEntropyLoss 2 0-1; Silence 1+ 0; Slice 1 1+;"
    "Softmax 1 1; SoftmaxWithLoss 2-3 0-2; Split 1 1+; Swish 1 1; TanH 1 1; Threshold 1 1;"
    "Tile 1 1; WindowData 0 2"
)

_FORKS: Final = (
    "Upsample 1-2 1; Interp 1-2 1; Unpooling 1-2 1; Resample 1-2 1; Reorg 1 1; Permute 1 1;"
    "Normalize 1 1; ReLU6 1 1; Axpy 3 1; ShuffleChannel 1 1; DepthwiseConvolution 1+ 1+;"
    "ConvolutionDepthwise 1+ 1+; DeconvolutionDepthwise 1+ 1+; ConvolutionSK 1+ 1+;"
    "PoolingSK 1 1-2; PixelShuffle 1 1; SubpixelUp 1 1; SimpleCrop 2 1; MergeCrop 2 1;"
    "Mergecrop 2 1; BN 1 1; PriorBox 2 1; DetectionOutput 0+ 0+; ROIPooling 2 1+;"
    "PSROIPooling 2 1; ROIAlign 2 1; Proposal 0+ 1+; ImResize 1+ 1; Nms 1+ 1; Affinity 0+ 0+;"
    "ConnectedComponent 0+ 0+; DenseCRF 2+ 1; MultiStageMeanfield 3 1; Correlation 2 1;"
    "FlowWarp 2 1; ChannelNorm 1 1; Downsample 1-2 1; Mean 1 1; SpatialTransformer 2 1;"
    "SpatialDropout 1 1; DenseImageData 0 1+; ImageSegData 0 1+; WindowSegData 0 1+;"
    "AnnotatedData 0 1-2; VideoData 0 1+; CPMData 0 1+; CustomData 0 1+; MatRead 0 1+;"
    "MatWrite 1+ 0; SegAccuracy 2 0+; EltwiseAccuracy 2+ 0+; DetectionEvaluate 2 1;"
    "BiasChannel 1+ 1; DataRandTransform 1+ 1+; MultiBoxLoss 0+ 0+; SmoothL1Loss 2+ 0+;"
    "L1Loss 1-2 0-1; L2Loss 1-2 0-1; LpqLoss 1-2 0-1; MalisLoss 0+ 0+; CenterLoss 2 0-1;"
    "FocalLoss 2 0-2; TripletLoss 2+ 0-1; RegionLoss 2 0+; DiceLoss 2 0-1; Segmentout 0+ 0+;"
    "AutoCrop 2 1"
)
# fmt: on

LAYER_TYPES: Final[Mapping[str, LayerType]] = _table(_BVLC, False) | _table(_FORKS, True)

DATA_TYPES: Final = frozenset(
    name for name, kind in LAYER_TYPES.items() if kind.bottoms == (0, 0) and name != "Parameter"
)
"""Layers that bring data in; they become the model's inputs."""

INPUT_TYPE: Final = "Input"

_LOSS: Final = pattern(r".*Loss(?:Layer|V?\d+)?|SoftmaxWithLoss.*|SigmoidCrossEntropyLoss.*")
_METRICS: Final = frozenset({"Accuracy", "SegAccuracy", "EltwiseAccuracy", "DetectionEvaluate"})
_RECORDERS: Final = frozenset({"HDF5Output", "MatWrite"})
SILENCE: Final = "Silence"
"""The layer that swallows its bottoms: what it reads is no output of the net."""


def is_loss(type_name: str) -> bool:
    """Whether layers of this type measure an error, which inference has no use for.

    >>> is_loss("SoftmaxWithLoss"), is_loss("Softmax")
    (True, False)
    """
    return _LOSS.fullmatch(type_name) is not None


def is_metric(type_name: str) -> bool:
    """Whether layers of this type judge a result against labels."""
    return type_name in _METRICS


def is_recorder(type_name: str) -> bool:
    """Whether layers of this type write a net's results to a file."""
    return type_name in _RECORDERS


def similar_types(type_name: str) -> tuple[str, ...]:
    """Known types spelled alike, the closest first.

    >>> similar_types("Deconvoluton")
    ('Deconvolution', 'Convolution', 'ConvolutionSK')
    """
    folded = _folded_types()
    close = similar(_folded(type_name), folded, 3, 0.8)
    return tuple(folded[name] for name in close)


V1_TYPES: Final[Mapping[str, str]] = {"NONE": "", "SOFTMAX_LOSS": "SoftmaxWithLoss"}
"""V1 enum names that are more than today's type in capitals and underscores."""


def v1_type(name: str) -> str:
    """A V1 enum name, or its number, as today's type; an unknown one stays as it is.

    >>> v1_type("INNER_PRODUCT"), v1_type("39"), v1_type("SOFTMAX_LOSS"), v1_type("MY_LAYER")
    ('InnerProduct', 'Deconvolution', 'SoftmaxWithLoss', 'MY_LAYER')
    """
    number = whole_number(name)
    if number is not None:
        from upconv.converters.readers.caffe.caffemodel import V1_LAYER_TYPES

        return V1_LAYER_TYPES.get(number, name)
    if name in V1_TYPES:
        return V1_TYPES[name]
    return _folded_types().get(_folded(name), name)


@cache
def _folded_types() -> dict[str, str]:
    return {_folded(name): name for name in LAYER_TYPES}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
