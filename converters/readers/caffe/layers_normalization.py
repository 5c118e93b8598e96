"""Layers that normalise: BatchNorm, the forks' BN, LRN, MVN and SSD's Normalize."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import ArrayData, Filler, FloatArray, TensorData, Weight, missing
from upconv.converters.readers.caffe.enums import REGIONS
from upconv.converters.readers.caffe.fields import choice
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import positive
from upconv.converters.readers.caffe.vectors import (
    channel_filler,
    channels_of,
    require_length,
    vectors_of,
)
from upconv.converters.readers.caffe.weights import filler_of
from upconv.converters.readers.files.prototxt import Message

_NVCAFFE_EPSILON: Final = 1e-5
"""NVIDIA/caffe batch_norm_layer.cpp takes no smaller one."""


@lowers("BatchNorm")
def _batch_norm(layer: CaffeLayer) -> Lowered:
    """batch_norm_layer.cpp: blobs mean*f, variance*f and f; NVCaffe's `scale_bias` adds two.

    `use_global_stats: false` normalises by the statistics of the batch at hand; without weights
    the layer still says what shape it has, with weights it is refused.
    """
    param = layer.field("batch_norm_param")
    if layer.blobs is not None and not param.bool("use_global_stats", True):
        raise _by_batch(layer, "use_global_stats: false", "use_global_stats: true")
    for name in ("relu", "use_weight_bias"):
        if param.bool(name, False):
            raise layer.unsupported(f"{name}: true, by which Intel's fork adds layers to this one")
    affine = _nvcaffe_affine(param)
    moments: dict[str, Filler | None] = {"mean": None, "variance": None, "factor": None}
    stored = vectors_of(layer, moments | affine, None)
    weights = {name: _unscaled(layer, stored, name) for name in ("mean", "variance")}
    if not affine:
        return Lowered(ops.BatchNorm(param.float("eps", 1e-5)), weights)
    _require_factor_of_one(layer, stored["factor"])
    for name in affine:
        if layer.blobs is not None:
            require_length(layer, name, stored[name], channels_of(layer))
    weights |= {name: stored[name] for name in affine}
    return Lowered(ops.BatchNorm(max(param.float("eps", 1e-5), _NVCAFFE_EPSILON)), weights)


def _nvcaffe_affine(param: Message) -> dict[str, Filler | None]:
    """The fillers of scale and bias, where the layer has both: `scale_bias`, or a filler given."""
    given = any(param.has(name) for name in ("scale_filler", "bias_filler"))
    if not given and not param.bool("scale_bias", False):
        return {}
    return {
        "scale": channel_filler(param, "scale_filler", 1.0),
        "bias": channel_filler(param, "bias_filler", 0.0),
    }


def _require_factor_of_one(layer: CaffeLayer, factor: Weight) -> None:
    """NVCaffe keeps the place of the factor, 1, and does not divide by it."""
    if factor.data is not None and factor.data.array().reshape(-1)[:1].tolist() != [1.0]:
        raise layer.unsupported("has a scale factor other than 1, which NVCaffe would leave out")


def _by_batch(layer: CaffeLayer, given: str, wanted: str) -> UnsupportedError:
    return layer.unsupported(
        f"normalises by the statistics of the batch at hand ({given}), not by stored ones",
        f"write {wanted} for inference",
    )


def _unscaled(layer: CaffeLayer, stored: dict[str, Weight], name: str) -> Weight:
    """The blob over the factor, zeros where the factor is 0 (Caffe multiplies by 1/f)."""
    channels = channels_of(layer)
    moment, factor = stored[name].data, stored["factor"].data
    if moment is None or factor is None:
        return missing(None if channels is None else (channels,))
    require_length(layer, name, stored[name], channels)
    require_length(layer, "scale factor", stored["factor"], 1)
    count = stored[name].size
    return Weight((count,), ArrayData((count,), lambda: _divided(moment, factor)))


def _divided(moment: TensorData, factor: TensorData) -> FloatArray:
    import numpy as np

    scale = np.float32(factor.array().reshape(-1)[0])
    inverse = np.float32(0.0) if scale == 0 else np.float32(1.0) / scale
    values: FloatArray = moment.array() * inverse
    return values


@lowers("BN")
def _bn(layer: CaffeLayer) -> Lowered:
    """The forks' BN, told apart by what it holds.

    Four blobs (PSPNet, ICNet): scale, bias, mean, variance. Two blobs and `bn_mode: INFERENCE`
    (SegNet, ENet, DeconvNet): scale and bias with the statistics merged into them. In SegNet's
    other modes two blobs are normalised by the batch at hand, which is refused.
    """
    param = layer.field("bn_param")
    merged = param.enum("bn_mode", "LEARN") == "INFERENCE"
    affine: dict[str, Filler | None] = {
        "scale": _bn_filler(param, "slope", "scale"),
        "bias": _bn_filler(param, "bias", "shift"),
    }
    if merged:
        return Lowered(ops.Scale(1), vectors_of(layer, affine, channels_of(layer)))
    if layer.blobs is not None:
        _require_stored_statistics(layer, param)
    weights = vectors_of(layer, affine | {"mean": None, "variance": None}, channels_of(layer))
    return Lowered(ops.BatchNorm(_bn_epsilon(layer, param)), weights)


def _bn_filler(param: Message, name: str, other: str) -> Filler:
    field = f"{name}_filler"
    return filler_of(param, field if param.has(field) else f"{other}_filler")


def _require_stored_statistics(layer: CaffeLayer, param: Message) -> None:
    if len(layer.blobs or ()) == 2:
        raise _by_batch(layer, "two blobs without bn_mode: INFERENCE", "bn_mode: INFERENCE")
    if not param.bool("moving_average", True):
        raise _by_batch(layer, "moving_average: false", "moving_average: true")


def _bn_epsilon(layer: CaffeLayer, param: Message) -> float:
    """`eps`, 1e-5 by default, in the forks that write slope_filler; `var_eps` in those that write
    scale_filler, whose defaults differ from fork to fork."""
    if param.has("var_eps"):
        return param.float("var_eps", 0.0)
    if layer.blobs is not None and param.has("scale_filler") and not param.has("eps"):
        raise layer.unsupported(
            "gives no var_eps, and the forks that write scale_filler have different defaults",
            "write var_eps with the value of the fork that trained it",
        )
    return param.float("eps", 1e-5)


@lowers("LRN")
def _lrn(layer: CaffeLayer) -> Lowered:
    """lrn_layer.cpp; WITHIN_CHANNEL leaves `k` unread and uses 1."""
    param = layer.field("lrn_param")
    size = positive(layer, param, "local_size", 5)
    if size % 2 == 0:
        raise layer.invalid(f"local_size is {size}; it must be odd")
    across = choice(layer, param, "norm_region", REGIONS, "ACROSS_CHANNELS") == "ACROSS_CHANNELS"
    operator = ops.Lrn(
        size,
        alpha=param.float("alpha", 1.0),
        beta=param.float("beta", 0.75),
        k=param.float("k", 1.0),
        region="across",
    )
    return Lowered(operator if across else replace(operator, k=1.0, region="within"))


@lowers("MVN")
def _mvn(layer: CaffeLayer) -> Lowered:
    param = layer.field("mvn_param")
    operator = ops.MeanVarianceNorm(
        normalize_variance=param.bool("normalize_variance", True),
        across_channels=param.bool("across_channels", False),
        epsilon=param.float("eps", 1e-9),
    )
    return Lowered(operator)


@lowers("Normalize")
def _normalize(layer: CaffeLayer) -> Lowered:
    """SSD's normalize_layer.cpp; it has a scale in any case, of 1 where nothing fills it."""
    param = layer.field("norm_param")
    shared = param.bool("channel_shared", True)
    scale = channel_filler(param, "scale_filler", 1.0)
    operator = ops.L2Normalize(param.bool("across_spatial", True), param.float("eps", 1e-10))
    return Lowered(
        operator, vectors_of(layer, {"scale": scale}, 1 if shared else channels_of(layer))
    )
