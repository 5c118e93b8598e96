"""Pooling, with Caffe's ceil, clip and mask."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir.operators import GlobalPool, Pool
from upconv.converters.readers.caffe.enums import POOLS, ROUNDINGS
from upconv.converters.readers.caffe.fields import choice
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import Window, pooling_window
from upconv.converters.readers.files.prototxt import Message

_KINDS: Final[dict[str, Literal["max", "average"]]] = {"MAX": "max", "AVE": "average"}
_WINDOW_FIELDS: Final = ("kernel_size", "kernel_h", "kernel_w")


@lowers("Pooling", "PoolingSK")
def _pooling(layer: CaffeLayer) -> Lowered:
    param = layer.field("pooling_param")
    kind = _kind(layer, param)
    if param.bool("global_pooling", False):
        return _global_pooling(layer, param, kind)
    rank = layer.rank()
    repeats = len(param.all("kernel_size"))
    axes = max((repeats if repeats > 1 else 2) if rank is None else rank - 2, 1)
    window = pooling_window(layer, param, axes)
    _require_small_pad(layer, window)
    if kind == "average" and window.pad != window.pad_end:
        raise layer.unsupported("averages over pads of single sides, whose divisor is its fork's")
    operator = Pool(
        kind,
        window.kernel,
        window.stride,
        window.dilation,
        window.pad,
        window.pad_end,
        _rounding(layer, param),
        "if_padded",
        count_padding=True,
    )
    return Lowered(operator)


def _kind(layer: CaffeLayer, param: Message) -> Literal["max", "average"]:
    method = choice(layer, param, "pool", POOLS, "MAX")
    if method == "STOCHASTIC":
        raise layer.unsupported(
            "stochastic pooling weighs each window by its own values, which no operator says"
        )
    if len(layer.tops) > 1 and method != "MAX":
        raise layer.invalid("only MAX pooling has a second top, the mask")
    return _KINDS[method]


def _global_pooling(layer: CaffeLayer, param: Message, kind: Literal["max", "average"]) -> Lowered:
    for name in _WINDOW_FIELDS:
        if param.has(name):
            raise layer.invalid(f"global_pooling has no window, but {name} is given")
    for name, neutral in (("pad", 0), ("pad_h", 0), ("pad_w", 0), ("stride", 1),
                          ("stride_h", 1), ("stride_w", 1)):  # fmt: skip
        if any(value != neutral for value in param.ints(name)):
            raise layer.invalid(f"global_pooling allows no {name} other than {neutral}")
    if len(layer.tops) > 1:
        raise layer.unsupported("the mask of a global pooling cannot be represented")
    return Lowered(GlobalPool(kind))


def _require_small_pad(layer: CaffeLayer, window: Window) -> None:
    for kernel, *pads in zip(window.kernel, window.pad, window.pad_end, strict=True):
        if (pad := max(pads)) >= kernel:
            raise layer.invalid(f"pad {pad} is not smaller than the kernel, {kernel}")


def _rounding(layer: CaffeLayer, param: Message) -> Literal["floor", "ceil"]:
    """Caffe's `round_mode`, or `ceil_mode` of the forks that had it first."""
    if param.has("ceil_mode"):
        return "ceil" if param.bool("ceil_mode", True) else "floor"
    mode = choice(layer, param, "round_mode", ROUNDINGS, "CEIL")
    return "ceil" if mode == "CEIL" else "floor"
