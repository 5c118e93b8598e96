"""Which variables each kind of layer has, in the order in which Keras saves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from upconv.converters.readers.files.json_spans import JsonObject


@dataclass(frozen=True, slots=True)
class Variables:
    """The names of a layer's trainable variables, then of those that training does not touch."""

    trained: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.trained + self.kept


Listing: TypeAlias = Callable[[JsonObject], Variables]

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "depthwise_kernel": ("depthwise_kernel", "kernel"),
    "moving_mean": ("moving_mean", "running_mean"),
    "moving_variance": ("moving_variance", "running_std"),
    "mean": ("mean", "adapt_mean"),
    "variance": ("variance", "adapt_variance"),
}
"""Variable -> the names that versions of Keras gave it."""


def _chosen(config: JsonObject, *names: tuple[str, str]) -> tuple[str, ...]:
    """The variables whose switch is on; every switch is on by default."""
    return tuple(name for name, switch in names if not switch or config.get(switch, True))


def _kernel(config: JsonObject) -> Variables:
    return Variables(_chosen(config, ("kernel", ""), ("bias", "use_bias")))


def _depthwise(config: JsonObject) -> Variables:
    return Variables(_chosen(config, ("depthwise_kernel", ""), ("bias", "use_bias")))


def _separable(config: JsonObject) -> Variables:
    kernels = (("depthwise_kernel", ""), ("pointwise_kernel", ""))
    return Variables(_chosen(config, *kernels, ("bias", "use_bias")))


def _batch_norm(config: JsonObject) -> Variables:
    trained = _chosen(config, ("gamma", "scale"), ("beta", "center"))
    return Variables(trained, ("moving_mean", "moving_variance"))


def _norm(config: JsonObject) -> Variables:
    return Variables(_chosen(config, ("gamma", "scale"), ("beta", "center")))


def _stored_moments(config: JsonObject) -> Variables:
    """Normalization keeps its moments in the config where they were given by hand."""
    given = config.get("mean") is not None
    return Variables() if given else Variables((), ("mean", "variance"))


LISTINGS: Final[Mapping[str, Listing]] = {
    **dict.fromkeys(
        (
            "Conv1D",
            "Conv2D",
            "Conv3D",
            "Conv1DTranspose",
            "Conv2DTranspose",
            "Conv3DTranspose",
            "Dense",
        ),
        _kernel,
    ),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("BatchNormalization", "SyncBatchNormalization"), _batch_norm),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _norm),
    "Normalization": _stored_moments,
    "LayerScale": lambda config: Variables(("gamma",)),
    "PReLU": lambda config: Variables(("alpha",)),
}


def variables_of(type_name: str, config: JsonObject) -> Variables:
    """The variables of a layer; none for kinds that have none or are not known."""
    listing = LISTINGS.get(type_name)
    return Variables() if listing is None else listing(config)
