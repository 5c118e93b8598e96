"""Normalisations: by stored statistics, by those of the input, over channels."""

from __future__ import annotations

from typing import Literal

from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class BatchNorm:
    """(x - mean) / sqrt(variance + epsilon) per channel, then * scale + bias where present.

    Weights: mean (C), variance (C), scale (C), bias (C).
    """

    epsilon: float


@record(frozen=True, slots=True)
class Lrn:
    """Local response normalisation: x / (k + alpha/n * sum of squares)^beta, n = size per axis.

    "across" sums over `size` neighbouring channels; "within" over size x size pixels of a
    channel, where zeros surround the input and n = size**2 everywhere.
    """

    size: int
    alpha: float
    beta: float
    k: float
    region: Literal["across", "within"]


@record(frozen=True, slots=True)
class MeanVarianceNorm:
    """(x - mean) / (sqrt(variance) + epsilon), per channel or across channels (per N)."""

    normalize_variance: bool
    across_channels: bool
    epsilon: float


@record(frozen=True, slots=True)
class GroupNorm:
    """(x - mean) / sqrt(variance + epsilon) over the channels of each group and all pixels, per
    N; then * scale + bias where present, each (C). As many groups as channels is instance norm.
    """

    groups: int
    epsilon: float


@record(frozen=True, slots=True)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) over the axes [axis, axis + num_axes), -1 for all
    from `axis` on; then * scale + bias where present, each of the shape of those axes."""

    axis: int
    epsilon: float
    num_axes: int = -1


@record(frozen=True, slots=True)
class L2Normalize:
    """x / sqrt(sum of squares + epsilon) over channels, or over channels and space; then times
    the weight scale, (C) or (1)."""

    across_spatial: bool
    epsilon: float


@record(frozen=True, slots=True)
class Softmax:
    """exp(x) over its sum along an axis; with `log`, the logarithm of that, computed as
    x - max - log(sum(exp(x - max))) so that nothing small is lost."""

    axis: int
    log: bool = False
