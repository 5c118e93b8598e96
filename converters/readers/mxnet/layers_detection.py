"""Detection: boxes that sizes decide, boxes decoded, and by their shapes what no operator says
(src/operator/contrib: multibox_*.cc, bounding_box.cc, proposal.cc, roi_align.cc)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant, multiply
from upconv.converters.ir.errors import AmbiguousError
from upconv.converters.ir.model import Shape
from upconv.converters.ir.tensors import weight_of
from upconv.converters.readers.assembly.compositions import LARGEST
from upconv.converters.readers.mxnet.lowering import (
    GIVE_SIZE,
    Call,
    ConsequenceError,
    Made,
    OpaqueError,
    lowers,
)

_MOST_BOXES: Final = 1 << 22
_FIRST_RATIO: Final = 10900
"""From this version on the boxes of all sizes have the first ratio; some before it gave them 1."""
_SUM, _PRODUCT, _DIFFERENCE = (
    ops.Eltwise("sum", broadcast=True),
    ops.Eltwise("product", broadcast=True),
    ops.Eltwise("difference", broadcast=True),
)


@lowers("MultiBoxPrior _contrib_MultiBoxPrior")
def _priors(call: Call) -> Made:
    """Boxes about every pixel, in parts of the image: (1, H * W * boxes, 4)."""
    import numpy as np

    sizes, ratios = call.ask.numbers("sizes", 1.0), call.ask.numbers("ratios", 1.0)
    steps, offsets = call.ask.numbers("steps", -1.0, -1.0), call.ask.numbers("offsets", 0.5, 0.5)
    spatial = [call.work.known(size) for size in call.shape()[2:]]
    each = len(sizes) + len(ratios) - 1
    height, width = (size if isinstance(size, int) else 0 for size in spatial)
    if not is_constant(*spatial):
        error = OpaqueError(
            "places boxes by sizes that are open", hint=GIVE_SIZE, **call.ask.place()
        )
        error.shape = (1, multiply(call.shape()[2:]) * each, 4)
        raise error
    count = height * width * each
    if len(steps) != 2 or len(offsets) != 2 or min(ratios) <= 0 or not 0 < count <= _MOST_BOXES:
        raise call.ask.invalid(f"{count} boxes with steps {steps} and offsets {offsets}", "sizes")
    first = ratios[0] ** 0.5
    if first != 1 and call.version < _FIRST_RATIO:
        raise AmbiguousError(
            "versions of MXNet give the boxes of further sizes the first ratio, or none",
            hint="let the first of its ratios be 1",
            **call.ask.place("ratios"),
        )
    y, x = ((np.arange(n, dtype=np.float32) + off) * (step if step > 0 else 1 / n)
            for n, off, step in zip((height, width), offsets, steps, strict=True))  # fmt: skip
    shapes = [(size, first) for size in sizes] + [(sizes[0], one**0.5) for one in ratios[1:]]
    half = np.array([(s * height / width * r / 2, s / r / 2) for s, r in shapes], np.float32)
    centres = np.stack(np.meshgrid(x, y), -1).reshape(-1, 1, 2).astype(np.float32)
    boxes = np.concatenate([centres - half, centres + half], -1).reshape(1, count, 4)
    made = np.clip(boxes, 0, 1) if call.ask.flag("clip") else boxes
    return call.constant(weight_of(np.asarray(made, np.float32)))


@lowers("_contrib_box_decode")
def _box_decode(call: Call) -> Made:
    """Distances (N, A, 4) from anchors (1, A, 4), in units of their sizes and `std`, as corners."""
    corner = call.ask.word("format", "center", "corner") == "corner"
    most = call.ask.number("clip", -1.0)
    std = [call.ask.number(f"std{at}", 1.0) for at in range(4)]

    def two(of: str, first: int, what: str) -> str:
        return call.step(ops.Crop(2, (first,), (2,)), [of], what)

    anchors = call.value(1)
    near, size = two(anchors, 0, "near"), two(anchors, 2, "far")
    if corner:
        size = call.step(_DIFFERENCE, [size, near], "size")
    half = call.step(ops.Power(scale=0.5), [size], "half_size")
    middle = call.step(_SUM, [near, half], "middle") if corner else near
    moved, grown = (_scaled(call, two(call.x, at, f"part{at}"), std[at : at + 2], at)
                    for at in (0, 2))  # fmt: skip
    centre = call.step(_SUM, [call.step(_PRODUCT, [moved, size], "moved"), middle], "centre")
    grown = call.step(ops.Clip(-LARGEST, most), [grown], "clipped") if most > 0 else grown
    side = call.step(_PRODUCT, [call.step(ops.Exp(), [grown], "exp"), half], "side")
    corners = [call.step(one, [centre, side], what)
               for one, what in ((_DIFFERENCE, "first"), (_SUM, "last"))]  # fmt: skip
    return call.emit(ops.Concat(2), corners)


def _scaled(call: Call, x: str, std: list[float], at: int) -> str:
    """Times a number for each of two entries."""
    import numpy as np

    if std[0] == std[1]:
        return call.step(ops.Power(scale=std[0]), [x], f"scaled{at}")
    weights = {"scale": weight_of(np.array(std, np.float32))}
    return call.step(ops.Scale(2), [x], f"scaled{at}", weights)


@lowers("ROIPooling")
def _roi_pooling(call: Call) -> Made:
    return ops.RoiMaxPool(call.ask.ints("pooled_size"), call.ask.number("spatial_scale"))


# What no operator says: the shapes that are known


def _regions(call: Call) -> Shape:
    size, channels = call.ask.ints("pooled_size"), call.shape()[1]
    if call.ask.flag("position_sensitive"):
        channels //= max(size[0] * size[-1], 1)
    return (call.shape(1)[0], channels, *size)


def _proposals(call: Call) -> Shape:
    kept = call.ask.positive("rpn_post_nms_top_n", 300)
    return (call.shape()[0] * kept if "Multi" in call.node.op else kept, 5)


def _targets(call: Call) -> Shape:
    """Of its first output, four numbers a box; the others are the boxes' classes and masks."""
    return (call.shape(1)[0], call.shape()[1] * 4)


_OPAQUE: Final[dict[str, tuple[str, Callable[[Call], Shape]]]] = {
    "_contrib_ROIAlign": ("samples regions that another layer proposes", _regions),
    "MultiBoxDetection _contrib_MultiBoxDetection": (
        "decodes SSD's boxes and keeps the best by class (non-maximum suppression)",
        lambda call: (call.shape()[0], call.shape()[2], 6),
    ),
    "_contrib_box_nms _contrib_box_non_maximum_suppression": (
        "keeps the best boxes (non-maximum suppression)",
        lambda call: call.shape(),
    ),
    "Proposal _contrib_Proposal _contrib_MultiProposal": (
        "turns an RPN's scores into regions by sorting and non-maximum suppression",
        _proposals,
    ),
    "MultiBoxTarget _contrib_MultiBoxTarget": ("matches boxes with labels, in training", _targets),
}


@lowers(*_OPAQUE)
def _opaque(call: Call) -> Made:
    """Told by name, with the shape of what it gives."""
    what, shape = next(one for names, one in _OPAQUE.items() if call.node.op in names.split())
    message = f"{call.node.op} {what}, which no operator says"
    error = OpaqueError(message, **call.ask.place())
    with suppress(ConsequenceError):  # the operator is told whatever is known of its inputs
        error.shape = shape(call)
    raise error
