"""Detection: SSD's PriorBox, which only sizes decide, and by name what no operator says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NoReturn

from upconv.converters.ir import operators as ops
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import uint
from upconv.converters.readers.files.prototxt import Message

_MOST_BOXES: Final = 1 << 22
_MOST_SIZES: Final = 256
"""How often a size or a ratio may be given: published nets give six."""

_DETECTIONS: Final = {
    "DetectionOutput": "decodes SSD's boxes and keeps the best by class (non-maximum suppression)",
    "PSROIPooling": "pools position-sensitive regions that another layer proposes (R-FCN)",
    "ROIAlign": "samples regions that another layer proposes",
    "Proposal": "turns an RPN's scores into regions by sorting and non-maximum suppression",
    "Nms": "finds the peaks of OpenPose's heat maps, as many as there are",
}


@lowers(*_DETECTIONS)
def _detection(layer: CaffeLayer) -> NoReturn:
    hint = regions_as_input(layer) if layer.type == "Proposal" else ""
    raise layer.unsupported(f"{layer.type} {_DETECTIONS[layer.type]}, which no operator says", hint)


def regions_as_input(layer: CaffeLayer) -> str:
    """How to convert a net around the layer that proposes its regions."""
    top = layer.tops[0] if layer.tops else "rois"
    return f"take the regions as an input: --inputs {top} --input {top}=300x5"


@lowers("ROIPooling")
def _roi_pooling(layer: CaffeLayer) -> tuple[Lowered, ...]:
    """rbgirshick/caffe-fast-rcnn roi_pooling_layer.cpp. Regions (R, 5, 1, 1) are an older way to
    say (R, 5)."""
    param = layer.field("roi_pooling_param")
    size = tuple(uint(layer, param, name, 0) for name in ("pooled_h", "pooled_w"))
    if not all(size):
        raise layer.invalid(f"pools to {size[0]}x{size[1]}: pooled_h and pooled_w must be > 0")
    operator = ops.RoiMaxPool(size, param.float("spatial_scale", 1.0))
    if layer.rank(1) != 4:
        return (Lowered(operator),)
    flat = f"{layer.tops[0]}/regions"
    row = Lowered(ops.Reshape((0, -1)), {}, layer.bottoms[1:], (flat,), "regions")
    return row, Lowered(operator, {}, (layer.bottoms[0], flat))


@record(frozen=True, slots=True)
class Priors:
    """What decides a PriorBox's boxes; sizes in pixels, (height, width) in pairs."""

    grid: tuple[int, int]
    image: tuple[int, int]
    step: tuple[float, float]
    offset: float
    boxes: tuple[tuple[float, float], ...]
    clip: bool
    variances: tuple[float, ...]


@lowers("PriorBox")
def _prior_box(layer: CaffeLayer) -> Lowered:
    """weiliu89/caffe prior_box_layer.cpp: boxes about each pixel of bottom[0], in parts of the
    image that bottom[1] is, and their variances below: (1, 2, H * W * boxes * 4)."""
    param = layer.field("prior_box_param")
    made = _priors(layer, param)
    count = made.grid[0] * made.grid[1] * len(made.boxes)
    if count > _MOST_BOXES:
        raise layer.unsupported(f"makes {count} boxes, and at most {_MOST_BOXES} are written")
    shape = (1, 2, count * 4)
    weight = Weight(shape, ArrayData(shape, lambda: prior_boxes(made)))
    return Lowered(ops.Constant(shape), {"value": weight}, inputs=())


def _priors(layer: CaffeLayer, param: Message) -> Priors:
    grid = _spatial(layer, 0)
    height, width = (uint(layer, param, name, 0) for name in ("img_h", "img_w"))
    both = uint(layer, param, "img_size", 0)
    given = (both, both) if both else (height, width)
    image = given if all(given) else _spatial(layer, 1)
    once = param.float("step", 0.0)
    steps = (once, once) if once else tuple(param.float(name, 0.0) for name in ("step_h", "step_w"))
    if not all(steps):
        steps = tuple(whole / part for whole, part in zip(image, grid, strict=True))
    return Priors(
        grid=grid,
        image=image,
        step=(steps[0], steps[1]),
        offset=param.float("offset", 0.5),
        boxes=_boxes(layer, param),
        clip=param.bool("clip", False),
        variances=_variances(layer, param),
    )


def _spatial(layer: CaffeLayer, index: int) -> tuple[int, int]:
    shape = layer.shapes[index] if index < len(layer.shapes) else None
    height, width = shape[2:] if shape is not None and len(shape) == 4 else (None, None)
    if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0:
        return height, width
    raise layer.unsupported(
        "places boxes by the sizes of its bottoms, which are not known numbers",
        "give them, as in --input data=1x3x300x300",
    )


def _boxes(layer: CaffeLayer, param: Message) -> tuple[tuple[float, float], ...]:
    """Height and width of the boxes at each pixel, in the layer's order."""
    for name in ("min_size", "max_size", "aspect_ratio"):
        if len(param.all(name)) > _MOST_SIZES:
            raise layer.unsupported(f"gives {name} more than {_MOST_SIZES} times")
    small = [_whole(layer, size) for size in param.floats("min_size")]
    large = [_whole(layer, size) for size in param.floats("max_size")]
    if not small or (large and len(large) != len(small)):
        raise layer.invalid(f"gives {len(small)} min_size and {len(large)} max_size")
    if any(high <= low for low, high in zip(small, large, strict=False)):
        raise layer.invalid("each max_size must be larger than its min_size")
    ratios = _ratios(layer, param)
    found: list[tuple[float, float]] = []
    for index, low in enumerate(small):
        found.append((low, low))
        if large:
            found.append((math.sqrt(low * large[index]),) * 2)
        found += [(low / math.sqrt(ratio), low * math.sqrt(ratio)) for ratio in ratios]
    return tuple(found)


def _whole(layer: CaffeLayer, size: float) -> int:
    """SSD's layer takes a whole number of pixels, later forks a fraction too."""
    if not size > 0 or math.isinf(size):
        raise layer.invalid(f"a size of {size:g}, which must be positive")
    if size != int(size):
        raise layer.unsupported(f"a size of {size:g} pixels, which some forks round down")
    return int(size)


def _ratios(layer: CaffeLayer, param: Message) -> list[float]:
    """The aspect ratios beside 1, each once, and with `flip` its inverse behind it."""
    found = [1.0]
    for ratio in param.floats("aspect_ratio"):
        if not ratio > 0 or math.isinf(ratio):
            raise layer.invalid(f"an aspect_ratio of {ratio:g}, which must be positive")
        if all(abs(ratio - known) >= 1e-6 for known in found):
            found += [ratio, 1 / ratio] if param.bool("flip", True) else [ratio]
    return [ratio for ratio in found if abs(ratio - 1) >= 1e-6]


def _variances(layer: CaffeLayer, param: Message) -> tuple[float, ...]:
    given: Sequence[float] = param.floats("variance") or [0.1]
    if len(given) not in (1, 4) or not all(value > 0 for value in given):
        raise layer.invalid("variance is given once or four times, and positive")
    return tuple(given) * (4 // len(given))


def prior_boxes(priors: Priors) -> FloatArray:
    """(1, 2, H * W * boxes * 4): xmin, ymin, xmax, ymax of each box, row by row; variances."""
    import numpy as np

    centres = [
        (np.arange(size) + priors.offset) * step
        for size, step in zip(priors.grid, priors.step, strict=True)
    ]
    sizes = np.array(priors.boxes)  # (boxes, 2): height, width
    y, x = np.meshgrid(*centres, indexing="ij")
    middle = np.stack([x, y], axis=-1)[:, :, None, :]  # (H, W, 1, 2)
    half = sizes[None, None, :, ::-1] / 2
    image = np.array(priors.image[::-1], np.float64)
    corners = np.concatenate([(middle - half) / image, (middle + half) / image], axis=-1)
    if priors.clip:
        corners = np.clip(corners, 0.0, 1.0)
    boxes = corners.reshape(-1)
    variances = np.tile(np.array(priors.variances), boxes.size // 4)
    found: FloatArray = np.stack([boxes, variances])[None].astype(np.float32)
    return found
