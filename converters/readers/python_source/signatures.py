"""The calls that are looked for: their parameters in order, with defaults, as each framework has
them.

Parameters marked with @ are tensors, whose values are never asked for. Sources: torch 2
nn/modules/{conv,upsampling,pooling,pixelshuffle}.py and nn/functional.py; keras/src/layers of
Keras 2 and 3; tensorflow/python/ops/{nn_ops,image_ops_impl}.py; mxnet/gluon/nn/conv_layers.py.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Signature:
    """What a callable takes. `upsamples`: it makes feature maps larger, or resizes them."""

    path: str
    framework: str
    parameters: tuple[str, ...]
    defaults: dict[str, Any] = field(default_factory=dict)
    tensors: frozenset[str] = frozenset()
    upsamples: bool = True


def _signature(path: str, framework: str, text: str, upsamples: bool) -> Signature:
    names, defaults, tensors = [], {}, set()
    for word in text.split():
        name, separator, value = word.removeprefix("@").partition("=")
        names.append(name)
        if separator:
            defaults[name] = ast.literal_eval(value)
        if word.startswith("@"):
            tensors.add(name)
    return Signature(path, framework, tuple(names), defaults, frozenset(tensors), upsamples)


_CONV_TRANSPOSE: Final = (
    "in_channels out_channels kernel_size stride=1 padding=0 output_padding=0 groups=1 bias=True"
    " dilation=1 padding_mode='zeros' device=None dtype=None"
)
_CONV: Final = (
    "in_channels out_channels kernel_size stride=1 padding=0 dilation=1 groups=1 bias=True"
    " padding_mode='zeros' device=None dtype=None"
)
_F_CONV_TRANSPOSE: Final = (
    "@input @weight @bias=None stride=1 padding=0 output_padding=0 groups=1 dilation=1"
)
_NORM: Final = "num_features eps=1e-5 momentum=0.1 affine=True track_running_stats=True"
_POOL: Final = "kernel_size stride=None padding=0 dilation=1 return_indices=False ceil_mode=False"
_AVERAGE: Final = "kernel_size stride=None padding=0 ceil_mode=False count_include_pad=True"

_TORCH: Final = {
    **{f"torch.nn.ConvTranspose{n}d": _CONV_TRANSPOSE for n in (1, 2, 3)},
    **{
        f"torch.nn.LazyConvTranspose{n}d": _CONV_TRANSPOSE.removeprefix("in_channels ")
        for n in (1, 2, 3)
    },
    **{f"torch.nn.functional.conv_transpose{n}d": _F_CONV_TRANSPOSE for n in (1, 2, 3)},
    **{f"torch.nn.MaxUnpool{n}d": "kernel_size stride=None padding=0" for n in (1, 2, 3)},
    **{
        f"torch.nn.functional.max_unpool{n}d": (
            "@input @indices kernel_size stride=None padding=0 output_size=None"
        )
        for n in (1, 2, 3)
    },
    "torch.nn.Upsample": (
        "size=None scale_factor=None mode='nearest' align_corners=None recompute_scale_factor=None"
    ),
    "torch.nn.UpsamplingNearest2d": "size=None scale_factor=None",
    "torch.nn.UpsamplingBilinear2d": "size=None scale_factor=None",
    "torch.nn.functional.interpolate": (
        "@input size=None scale_factor=None mode='nearest' align_corners=None"
        " recompute_scale_factor=None antialias=False"
    ),
    "torch.nn.functional.upsample": (
        "@input size=None scale_factor=None mode='nearest' align_corners=None"
    ),
    "torch.nn.functional.upsample_nearest": "@input size=None scale_factor=None",
    "torch.nn.functional.upsample_bilinear": "@input size=None scale_factor=None",
    "torch.nn.PixelShuffle": "upscale_factor",
    "torch.nn.functional.pixel_shuffle": "@input upscale_factor",
}

_TORCH_OTHERS: Final = {
    **{f"torch.nn.Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"torch.nn.BatchNorm{n}d": _NORM for n in (1, 2, 3)},
    **{
        f"torch.nn.InstanceNorm{n}d": _NORM.replace("affine=True", "affine=False")
        for n in (1, 2, 3)
    },
    "torch.nn.GroupNorm": "num_groups num_channels eps=1e-5 affine=True device=None dtype=None",
    **{
        f"torch.nn.{kind}Pad{n}d": "padding value=0" if kind == "Constant" else "padding"
        for n in (1, 2, 3)
        for kind in ("Zero", "Constant", "Reflection", "Replication")
    },
    **{f"torch.nn.MaxPool{n}d": _POOL for n in (1, 2, 3)},
    **{f"torch.nn.AvgPool{n}d": _AVERAGE for n in (1, 2, 3)},
    **{f"torch.nn.Dropout{n}": "p=0.5 inplace=False" for n in ("", "1d", "2d", "3d")},
    "torch.nn.Identity": "",
    "torch.nn.ReLU": "inplace=False",
    "torch.nn.ReLU6": "inplace=False",
    "torch.nn.LeakyReLU": "negative_slope=0.01 inplace=False",
    "torch.nn.ELU": "alpha=1.0 inplace=False",
    "torch.nn.Sigmoid": "",
    "torch.nn.Tanh": "",
    "torch.nn.SiLU": "inplace=False",
    "torch.nn.GELU": "approximate='none'",
    "torch.nn.PReLU": "num_parameters=1 init=0.25",
    "torch.nn.Linear": "in_features out_features bias=True device=None dtype=None",
    "torch.nn.Flatten": "start_dim=1 end_dim=-1",
    "torch.nn.Unflatten": "dim unflattened_size",
    "torch.nn.PixelUnshuffle": "downscale_factor",
}

_KERAS_CONV_TRANSPOSE: Final = (
    "filters kernel_size strides=1 padding='valid' output_padding=None data_format=None"
    " dilation_rate=1 activation=None use_bias=True @kernel_initializer=None"
    " @bias_initializer=None @kernel_regularizer=None @bias_regularizer=None"
    " @activity_regularizer=None @kernel_constraint=None @bias_constraint=None name=None"
    " input_shape=None batch_input_shape=None groups=1 @trainable=True @dtype=None @weights=None"
)
_KERAS_LAYER: Final = (
    " name=None input_shape=None batch_input_shape=None @trainable=True @dtype=None"
)

_KERAS: Final = {
    "Conv1DTranspose": _KERAS_CONV_TRANSPOSE,
    "Conv2DTranspose": _KERAS_CONV_TRANSPOSE,
    "Convolution2DTranspose": _KERAS_CONV_TRANSPOSE,
    "Conv3DTranspose": _KERAS_CONV_TRANSPOSE,
    "Convolution3DTranspose": _KERAS_CONV_TRANSPOSE,
    "UpSampling1D": "size=2" + _KERAS_LAYER,
    "UpSampling2D": "size=(2,2) data_format=None interpolation='nearest'" + _KERAS_LAYER,
    "UpSampling3D": "size=(2,2,2) data_format=None" + _KERAS_LAYER,
}

_KERAS_CONV: Final = (
    "filters kernel_size strides=1 padding='valid' data_format=None dilation_rate=1 groups=1"
    " activation=None use_bias=True @kernel_initializer=None @bias_initializer=None"
    " @kernel_regularizer=None @bias_regularizer=None @activity_regularizer=None"
    " @kernel_constraint=None @bias_constraint=None"
) + _KERAS_LAYER
_KERAS_POOL: Final = "pool_size=2 strides=None padding='valid' data_format=None" + _KERAS_LAYER

_KERAS_JOINS: Final = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")

_KERAS_OTHERS: Final = {
    **{f"Conv{n}D": _KERAS_CONV for n in (1, 2, 3)},
    **{
        f"{kind}{n}D": _KERAS_POOL
        for n in (1, 2, 3)
        for kind in ("MaxPooling", "MaxPool", "AveragePooling", "AvgPool")
    },
    "Concatenate": "axis=-1" + _KERAS_LAYER,
    "concatenate": "@inputs axis=-1" + _KERAS_LAYER,
    **dict.fromkeys(_KERAS_JOINS, _KERAS_LAYER),
    **{name.lower(): "@inputs" + _KERAS_LAYER for name in _KERAS_JOINS},
    "Dense": (
        "units activation=None use_bias=True @kernel_initializer=None @bias_initializer=None"
        " @kernel_regularizer=None @bias_regularizer=None @activity_regularizer=None"
        " @kernel_constraint=None @bias_constraint=None input_dim=None"
    )
    + _KERAS_LAYER,
    "InputLayer": "shape=None input_shape=None batch_size=None batch_shape=None name=None",
    "Input": "shape=None batch_size=None @dtype=None name=None batch_shape=None",
    "Reshape": "target_shape" + _KERAS_LAYER,
    "Flatten": "data_format=None" + _KERAS_LAYER,
    "BatchNormalization": "@axis=-1 @momentum=0.99 @epsilon=1e-3 @center=True @scale=True"
    + _KERAS_LAYER,
    "Dropout": "rate @noise_shape=None @seed=None" + _KERAS_LAYER,
    "Activation": "activation" + _KERAS_LAYER,
    "ReLU": "@max_value=None @negative_slope=0 @threshold=0" + _KERAS_LAYER,
    "LeakyReLU": "@alpha=None @negative_slope=None" + _KERAS_LAYER,
    "ELU": "@alpha=1.0" + _KERAS_LAYER,
    "ZeroPadding2D": "padding=1 data_format=None" + _KERAS_LAYER,
    "Cropping2D": "cropping=0 data_format=None" + _KERAS_LAYER,
}

_TF_CONV_TRANSPOSE: Final = (
    "@input=None @filters=None @output_shape strides padding='SAME' data_format=None"
    " dilations=None name=None @value=None @filter=None"
)

_TENSORFLOW: Final = {
    **{
        f"tensorflow.{version}nn.conv{n}d_transpose": _TF_CONV_TRANSPOSE
        for n in (1, 2, 3)
        for version in ("", "compat.v1.")
    },
    **{
        f"tensorflow.{version}image.resize_{kind}": (
            "@images size align_corners=False name=None half_pixel_centers=False"
        )
        for kind in ("bilinear", "nearest_neighbor", "bicubic")
        for version in ("", "compat.v1.")
    },
    **{
        f"tensorflow.{version}image.resize_images": (
            "@images size method='bilinear' align_corners=False preserve_aspect_ratio=False"
            " name=None"
        )
        for version in ("", "compat.v1.")
    },
}


_GLUON_CONV: Final = (
    " dilation=1 groups=1 layout='NC' activation=None use_bias=True @weight_initializer=None"
    " @bias_initializer='zeros' in_channels=0 @prefix=None @params=None"
)
_GLUON: Final = {
    f"Conv{n}DTranspose": "channels kernel_size strides=1 padding=0 output_padding=0" + _GLUON_CONV
    for n in (1, 2, 3)
}
_GLUON_OTHERS: Final = {
    f"Conv{n}D": "channels kernel_size strides=1 padding=0" + _GLUON_CONV for n in (1, 2, 3)
}


def _table() -> dict[str, Signature]:
    groups = (
        ("pytorch", "", _TORCH, True),
        ("pytorch", "", _TORCH_OTHERS, False),
        ("keras", "keras.layers.", _KERAS, True),
        ("keras", "keras.layers.", _KERAS_OTHERS, False),
        ("tensorflow", "", _TENSORFLOW, True),
        ("mxnet", "mxnet.gluon.nn.", _GLUON, True),
        ("mxnet", "mxnet.gluon.nn.", _GLUON_OTHERS, False),
    )
    return {
        prefix + name: _signature(prefix + name, framework, text, upsamples)
        for framework, prefix, entries, upsamples in groups
        for name, text in entries.items()
    }


SIGNATURES: Final = _table()

SEQUENTIAL: Final = frozenset({"torch.nn.Sequential", "keras.Sequential"})

CAFFE_TYPES: Final = frozenset({"Deconvolution", "Crop", "Interp", "Upsample", "Unpooling"})
"""What of caffe.layers is read: layers that upsample, and the Crop that belongs to them."""

_TORCH_CLASS: Final = re.compile(r"torch\.nn(?:\.modules(?:\.\w+)?)?\.([A-Z]\w*)")
_GLUON_CLASS: Final = re.compile(r"mxnet\.gluon\.nn(?:\.conv_layers)?\.([A-Z]\w*)")
_TORCH_FUNCTION: Final = re.compile(r"torch\.(?:nn\.functional\.)?([a-z]\w*)")
_KERAS_ROOT: Final = re.compile(
    r"(?:tensorflow\.(?:compat\.v[12]\.|contrib\.|python\.)?keras|tf_keras|keras)\b"
    r"(?:\.(?:src|api|_v1|_v2|_tf_keras|keras))*"
)
_HANDED_ON: Final = re.compile(r"\.*(?:\w+\.)+keras(?=\.layers\.|\.Sequential$)")
"""Keras as a project's own module chooses and hands it on: `from .backend import keras`."""

_KERAS_CLASS: Final = re.compile(
    r"(?:\.[a-z_]\w*)*\.([A-Z]\w*)"
    r"|\.layers(?:\.[a-z_]\w*)*\.(concatenate|add|average|maximum|minimum|multiply|subtract)"
)
"""A class, or a function that makes a layer and calls it."""


def canonical(path: str) -> str:
    """The one name of a class or function that several modules export.

    >>> canonical("tensorflow.keras.layers.UpSampling2D"), canonical("torch.nn.modules.Upsample")
    ('keras.layers.UpSampling2D', 'torch.nn.Upsample')
    >>> canonical("keras_cv.src.backend.keras.layers.UpSampling2D")
    'keras.layers.UpSampling2D'
    """
    match = _TORCH_CLASS.fullmatch(path)
    if match:
        return f"torch.nn.{match[1]}"
    match = _GLUON_CLASS.fullmatch(path)
    if match:
        return f"mxnet.gluon.nn.{match[1]}"
    match = _TORCH_FUNCTION.fullmatch(path)
    if match:
        return f"torch.nn.functional.{match[1]}"
    match = _HANDED_ON.match(path) or _KERAS_ROOT.match(path)
    if match:
        return _canonical_keras(path[match.end() :]) or path
    if path.startswith("tensorflow.compat.v2."):
        return "tensorflow." + path.removeprefix("tensorflow.compat.v2.")
    return path


def _canonical_keras(rest: str) -> str:
    match = _KERAS_CLASS.fullmatch(rest)
    if not match:
        return ""
    return (
        "keras.Sequential" if match[1] == "Sequential" else f"keras.layers.{match[1] or match[2]}"
    )


def signature_of(paths: tuple[str, ...]) -> Signature | None:
    """The first of these names that is looked for."""
    for path in paths:
        found = SIGNATURES.get(canonical(path))
        if found is not None:
            return found
    return None


def caffe_type(paths: tuple[str, ...]) -> str:
    """The layer type of a call `caffe.layers.Type`; "" where it is none that is read."""
    for path in paths:
        module, _, name = path.rpartition(".")
        if module in ("caffe.layers", "caffe.net_spec.layers") and name in CAFFE_TYPES:
            return name
    return ""
