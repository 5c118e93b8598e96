"""What an author of a net may write where, in words for an editor: fields, types, choices.

Which fields there are is the schema's to say, and which types the table of types; here are the
values of enums and what the words mean. Source: the comments of BVLC's caffe.proto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.caffe.enums import VALUES
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES, MANY
from upconv.converters.readers.caffe.schema import OPEN, fields_of, is_fork_field

ROOT: Final = "NetParameter"
LAYERS: Final = {"layer": "LayerParameter", "layers": "V1LayerParameter"}

_ENGINES: Final = ("DEFAULT", "CAFFE", "CUDNN")

_OTHERS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("LayerParameter", "phase"): ("TRAIN", "TEST"),
    ("NetState", "phase"): ("TRAIN", "TEST"),
    ("NetStateRule", "phase"): ("TRAIN", "TEST"),
    ("FillerParameter", "variance_norm"): ("FAN_IN", "FAN_OUT", "AVERAGE"),
    ("ParamSpec", "share_mode"): ("STRICT", "PERMISSIVE"),
    ("LossParameter", "normalization"): ("FULL", "VALID", "BATCH_SIZE", "NONE"),
    ("DataParameter", "backend"): ("LEVELDB", "LMDB"),
    ("HingeLossParameter", "norm"): ("L1", "L2"),
    ("BNParameter", "bn_mode"): ("LEARN", "INFERENCE"),
    ("UpsampleParameter", "mode"): ("NEAREST", "BILINEAR"),
}
"""Enums that no lowering asks for by number."""

FILLERS: Final = (
    "constant", "gaussian", "uniform", "xavier", "msra", "bilinear", "positive_unitball",
)  # fmt: skip

_TYPES: Final = {
    "Convolution": "Slides kernels over the image: out = floor((in + 2*pad - extent)/stride) + 1.",
    "Deconvolution": (
        "Transposed convolution, which enlarges: out = stride*(in - 1) + extent - 2*pad. A bilinear"
        " one has kernel 2f - f%2, stride f, pad ceil((f-1)/2), group and num_output C."
    ),
    "Pooling": "Maximum or mean of windows; rounded up: out = ceil((in + 2*pad - k)/stride) + 1.",
    "Crop": "Cuts its first bottom to the size of the second, from `axis` on and `offset` in.",
    "Eltwise": "Sum, product or maximum of bottoms of one shape.",
    "Concat": "Bottoms one behind the other along an axis, the channels by default.",
    "InnerProduct": "Every output from every input: a fully connected layer.",
    "Interp": "Bilinear interpolation with aligned corners (DeepLab, PSPNet).",
    "Upsample": "Enlarges by a factor, or unpools by the indices of a pooling (SegNet).",
    "Unpooling": "Puts values back where a pooling took them from, or spreads them.",
    "Input": "Brings data in, of the shape that `input_param` says.",
    "ReLU": "max(x, 0); with `negative_slope`, that times x below 0. May work in place.",
    "Softmax": "Probabilities along the channels.",
    "SoftmaxWithLoss": "Softmax and the logarithmic loss against labels.",
    "Dropout": "Zeroes some values in training, and does nothing in testing.",
    "BatchNorm": "Subtracts the mean and divides by the deviation; a Scale usually follows.",
    "Scale": "Multiplies by learned factors along an axis, and adds with `bias_term`.",
    "LRN": "Normalises over neighbouring channels.",
    "Slice": "Cuts a bottom into several tops along an axis.",
    "Split": "The same values under several names.",
    "Reshape": "The same numbers in another shape; 0 keeps an axis, -1 is what is left.",
    "Power": "(shift + scale * x) ^ power.",
    "Sigmoid": "1 / (1 + exp(-x)).",
    "Silence": "Swallows bottoms that nobody needs.",
    "Reorg": "Moves pixels of blocks into channels (YOLO).",
    "PixelShuffle": "Moves channels into pixels of blocks.",
}
_FIELDS: Final = {
    "name": "The layer's name; weights are found by it.",
    "type": "What the layer does.",
    "bottom": "A blob that the layer reads.",
    "top": "A blob that the layer writes; in place where it is a bottom as well.",
    "param": "Learning rate and decay of one of the layer's weights, in their order.",
    "include": "The layer is there only where this rule holds, say in one phase.",
    "exclude": "The layer is not there where this rule holds.",
    "lr_mult": "Factor on the learning rate; 0 keeps the weights as they are.",
    "decay_mult": "Factor on the weight decay.",
    "num_output": "Channels of the output.",
    "kernel_size": "Height and width of the window; one number, or one an axis.",
    "kernel_h": "Height of the window; wants kernel_w.",
    "kernel_w": "Width of the window; wants kernel_h.",
    "stride": "Pixels between windows; of a Deconvolution, the factor. Default 1.",
    "pad": "Zeros around the input; of a Deconvolution, pixels cut from the output. Default 0.",
    "dilation": "Pixels between the taps of a kernel. Default 1.",
    "group": "Channels are divided into so many groups that do not see each other. Default 1.",
    "bias_term": "Whether a number is added to each channel. Default true.",
    "weight_filler": "How weights begin, and what they are where a file has none.",
    "bias_filler": "How the bias begins. Default 0.",
    "pool": "MAX, AVE or STOCHASTIC. Default MAX.",
    "round_mode": "How the size is rounded: CEIL, Caffe's own and the default, or FLOOR.",
    "global_pooling": "One window over everything.",
    "axis": "Axes count from 0: batch, channels, height, width; negative ones from the end.",
    "offset": "Where the crop begins: one number for all axes, or one an axis.",
    "operation": "What becomes of the bottoms.",
    "coeff": "A factor for each bottom of a sum.",
    "dim": "A size, in the order batch, channels, height, width.",
    "input": "A blob that comes from outside.",
    "input_shape": "The shape of an input.",
    "input_dim": "Sizes of an input, four in a row; older than input_shape.",
    "layer": "A layer.",
    "layers": "A layer in the words of 2014; `layer` is today's.",
    "force_backward": "Compute gradients down to the inputs.",
    "value": "The constant of a constant filler.",
    "std": "The deviation of a gaussian filler.",
    "negative_slope": "The factor below 0. Default 0.",
    "dropout_ratio": "The share of values that is zeroed. Default 0.5.",
    "use_global_stats": "Use the stored mean and variance; default: in the TEST phase only.",
    "eps": "Is added to the variance. Default 1e-5.",
    "zoom_factor": "Of Interp: out = in + (in - 1) * (zoom - 1).",
    "phase": "TRAIN or TEST.",
}


@record(frozen=True, slots=True)
class Word:
    """A word with what it means; `kind` is the type of a field's value, "" for other words."""

    word: str
    meaning: str
    kind: str = ""

    @property
    def is_block(self) -> bool:
        """Whether it is a field that holds a block."""
        return self.kind == OPEN or self.kind[:1].isupper()


def message_of(names: Sequence[str]) -> str:
    """The message that stands in these fields, the outermost first; "" where none is known.

    >>> message_of(("layer", "convolution_param", "weight_filler"))
    'FillerParameter'
    """
    message = ROOT
    for name in names:
        message = fields_of(message).get(name, "")
    return message if message[:1].isupper() else ""


def fields(message: str) -> list[Word]:
    """The fields that a message may have."""
    found = fields_of(message).items()
    return [Word(name, field_meaning(message, name), kind) for name, kind in found]


def field_meaning(message: str, name: str) -> str:
    """What a field means, and where it is known from."""
    kind = fields_of(message).get(name, "")
    if not kind:
        return ""
    said = _FIELDS.get(name) or _sentence(kind)
    fork = " A fork's: BVLC's Caffe does not have it." if is_fork_field(message, name) else ""
    return said + fork


def _sentence(kind: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    return f"The settings in {words}." if kind[:1].isupper() else f"One value: {words}."


def layer_types() -> list[Word]:
    """Every type of a layer."""
    return [Word(name, type_meaning(name)) for name in LAYER_TYPES]


def type_meaning(name: str) -> str:
    """What layers of a type do, how many blobs they take, and whether only forks have it."""
    kind = LAYER_TYPES.get(name)
    if kind is None:
        return ""
    takes = f"Takes {_count(kind.bottoms, 'bottom')} and writes {_count(kind.tops, 'top')}."
    fork = " Only forks of Caffe have it." if kind.fork else ""
    return f"{_TYPES.get(name, '')} {takes}{fork}".strip()


def _count(bounds: tuple[int, int], noun: str) -> str:
    low, high = bounds
    many = f"{low} or more" if high == MANY else str(low) if low == high else f"{low} to {high}"
    return f"{many} {noun}{'' if bounds == (1, 1) else 's'}"


def values(message: str, field: str) -> list[str]:
    """What a field of one of few values may be; none where anything goes."""
    kind = fields_of(message).get(field, "")
    if kind == "bool":
        return ["true", "false"]
    if field == "engine" and kind == "enum":
        return list(_ENGINES)
    if (message, field) == ("FillerParameter", "type"):
        return list(FILLERS)
    return list(VALUES.get((message, field)) or _OTHERS.get((message, field), ()))
