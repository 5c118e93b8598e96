"""What each framework calls the settings and layers that a finding tells its reader to change."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class Terms:
    """A framework's names for what every framework has."""

    out_channels: str
    """The setting of a convolution that is its number of output channels."""
    groups: str | None
    """The setting of a transposed convolution; None where the framework has no such setting."""
    crop: str
    join: str


def terms_of(layer: Layer) -> Terms:
    """The words of the framework that a layer was written in."""
    return _TERMS.get(layer.origin.framework, _ANY)


_ANY: Final = Terms(out_channels="output channels", groups="groups", crop="a crop", join="a concat")

_TERMS: Final = {
    "caffe": Terms("num_output", "group", "a Crop layer", "a Concat"),
    "keras": Terms("filters", None, "Cropping layers (Cropping2D)", "a Concatenate layer"),
    "tensorflow": Terms("output channels", None, "tf.slice", "tf.concat"),
    "tflite": Terms("output channels", None, "a SLICE", "a CONCATENATION"),
    "pytorch": Terms("out_channels", "groups", "slicing (x[..., :h, :w])", "torch.cat"),
    "mxnet": Terms("num_filter", "num_group", "a Crop or slice_like", "a Concat"),
    "onnx": Terms("output channels", "group", "a Slice", "a Concat"),
}
