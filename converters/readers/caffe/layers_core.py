"""Layers that arrange, merge and reduce: Crop, Eltwise, Concat, Reshape, InnerProduct ..."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.readers.caffe.enums import ELTWISE, REDUCTION
from upconv.converters.readers.caffe.fields import MAX_AXES, axis_of, choice
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, lowers
from upconv.converters.readers.caffe.spatial import positive, uints
from upconv.converters.readers.caffe.weights import BlobSpec, PartialShape, filler_of, weights_of

_USUAL_RANK: Final = 4  # Caffe's layout, N C H W, where an input's shape is unknown

_ELTWISE_KINDS: Final[dict[str, Literal["product", "sum", "max"]]] = {
    "PROD": "product",
    "SUM": "sum",
    "MAX": "max",
}
_REDUCTION_KINDS: Final[dict[str, Literal["sum", "abs_sum", "square_sum", "mean"]]] = {
    "SUM": "sum",
    "ASUM": "abs_sum",
    "SUMSQ": "square_sum",
    "MEAN": "mean",
}


@lowers("Crop")
@lowers("Crop", variant="bvlc")
@lowers("Crop", variant="aligned")
def _crop(layer: CaffeLayer) -> Lowered:
    """crop_layer.cpp: the axes from `axis` on take the sizes of bottom[1].

    Offsets that follow from the coordinates wait for the whole net: `crops` has them.
    """
    param = layer.field("crop_param")
    offsets = uints(layer, param, "offset")
    axis = param.int("axis", 2)
    rank = layer.rank() or layer.rank(1) or _rank_of_offsets(axis, offsets)
    if not -rank <= axis < rank:
        raise layer.invalid(f"axis {axis} of an input with {rank} axes")
    axis %= rank
    count = rank - axis
    if len(offsets) not in (0, 1, count):
        raise layer.invalid(
            f"has {len(offsets)} offsets for {count} cropped axes",
            "give none, one for all, or one for each cropped axis",
            where=param.scalars("offset")[-1].span,
        )
    each = offsets if len(offsets) == count else (offsets or [0]) * count
    sizes = tuple(like(layer.bottoms[1], index) for index in range(axis, rank))
    return Lowered(ops.Crop(axis, tuple(each), sizes))


@lowers("AutoCrop")
def _auto_crop(layer: CaffeLayer) -> Lowered:
    """RCF's: the spatial axes of bottom[1], where it lies in bottom[0]; `crops` says where."""
    rank = layer.rank() or layer.rank(1) or _USUAL_RANK
    sizes = tuple(like(layer.bottoms[1], index) for index in range(2, rank))
    return Lowered(ops.Crop(2, (0,) * len(sizes), sizes))


def _rank_of_offsets(axis: int, offsets: list[int]) -> int:
    return axis + len(offsets) if len(offsets) > 1 and axis >= 0 else _USUAL_RANK


@lowers("Eltwise")
def _eltwise(layer: CaffeLayer) -> Lowered:
    param = layer.field("eltwise_param")
    operation = choice(layer, param, "operation", ELTWISE, "SUM")
    coefficients = tuple(param.floats("coeff"))
    if coefficients and operation != "SUM":
        raise layer.invalid(f"only SUM takes coefficients, not {operation}")
    if coefficients and len(coefficients) != len(layer.bottoms):
        raise layer.invalid(
            f"has {len(coefficients)} coefficients for {len(layer.bottoms)} bottoms"
        )
    return Lowered(ops.Eltwise(_ELTWISE_KINDS[operation], coefficients))


@lowers("Concat")
def _concat(layer: CaffeLayer) -> Lowered:
    param = layer.field("concat_param")
    if param.bool("per_fla_fuse", False):
        raise layer.unsupported(
            "per_fla_fuse, by which Intel's Concat permutes and flattens its bottoms",
            "write the Permute and Flatten layers that it stands for",
        )
    return Lowered(ops.Concat(axis_of(layer, param, "concat_dim", 1)))


@lowers("Slice")
def _slice(layer: CaffeLayer) -> Lowered:
    param = layer.field("slice_param")
    points = tuple(uints(layer, param, "slice_point"))
    if points and len(points) != len(layer.tops) - 1:
        raise layer.invalid(
            f"{len(points)} slice points make {len(points) + 1} parts, "
            f"but it has {len(layer.tops)} tops",
            where=param.scalars("slice_point")[-1].span,
        )
    return Lowered(ops.Slice(axis_of(layer, param, "slice_dim", 1), points))


@lowers("Split")
def _split(layer: CaffeLayer) -> Lowered:
    return Lowered(ops.Identity())


@lowers("Dropout")
def _dropout(layer: CaffeLayer) -> Lowered:
    """Nothing at inference; forks with `scale_train: false` scale by 1 - ratio there instead."""
    param = layer.field("dropout_param")
    if param.bool("scale_train", True):
        return Lowered(ops.Identity())
    return Lowered(ops.Power(scale=1.0 - param.float("dropout_ratio", 0.5)))


@lowers("Reshape")
def _reshape(layer: CaffeLayer) -> Lowered:
    param = layer.field("reshape_param")
    shape = param.message("shape")
    dims = () if shape is None else tuple(shape.ints("dim"))
    if dims.count(-1) > 1:
        raise layer.invalid("more than one dim is -1, to be inferred")
    if any(dim < -1 for dim in dims):
        raise layer.invalid(f"dims {list(dims)}: 0 copies, -1 is inferred, others are sizes")
    num_axes = param.int("num_axes", -1)
    if num_axes < -1:
        raise layer.invalid(f"num_axes is {num_axes}; -1 means all")
    return Lowered(ops.Reshape(dims, param.int("axis", 0), num_axes))


@lowers("Flatten")
def _flatten(layer: CaffeLayer) -> Lowered:
    param = layer.field("flatten_param")
    return Lowered(ops.Flatten(param.int("axis", 1), param.int("end_axis", -1)))


@lowers("InnerProduct")
def _inner_product(layer: CaffeLayer) -> Lowered:
    """Weights (num_output, K), or (K, num_output) where transposed; K the flattened rest."""
    param = layer.field("inner_product_param")
    outputs = positive(layer, param, "num_output")
    axis = param.int("axis", 1)
    transposed = param.bool("transpose", False)
    shape: PartialShape = (None, outputs) if transposed else (outputs, None)
    specs = [BlobSpec("weight", shape, filler_of(param, "weight_filler"))]
    if param.bool("bias_term", True):
        specs.append(BlobSpec("bias", (outputs,), filler_of(param, "bias_filler")))
    return Lowered(ops.Linear(outputs, axis, transposed), weights_of(layer, specs))


@lowers("Permute")
def _permute(layer: CaffeLayer) -> Lowered:
    """SSD's permute_layer.cpp: axes that are not named follow in their order."""
    order = uints(layer, layer.field("permute_param"), "order")
    if len(set(order)) != len(order):
        raise layer.invalid(f"order {order} names an axis twice")
    rank = layer.rank() or min(max(_USUAL_RANK, 1 + max(order, default=0)), MAX_AXES)
    if any(axis >= rank for axis in order):
        raise layer.invalid(f"order {order} names an axis that the input ({rank} axes) lacks")
    rest = [axis for axis in range(rank) if axis not in order]
    return Lowered(ops.Permute((*order, *rest)))


@lowers("Tile")
def _tile(layer: CaffeLayer) -> Lowered:
    param = layer.field("tile_param")
    return Lowered(ops.Tile(param.int("axis", 1), positive(layer, param, "tiles")))


@lowers("Softmax")
def _softmax(layer: CaffeLayer) -> Lowered:
    return Lowered(ops.Softmax(layer.field("softmax_param").int("axis", 1)))


@lowers("ArgMax")
def _arg_max(layer: CaffeLayer) -> Lowered:
    """argmax_layer.cpp: `out_max_val` adds the values, or with an axis gives them alone."""
    param = layer.field("argmax_param")
    top_k = positive(layer, param, "top_k", 1)
    with_values = param.bool("out_max_val", False)
    if param.has("axis"):
        output: Literal["values", "indices"] = "values" if with_values else "indices"
        return Lowered(ops.ArgMax(param.int("axis", 0), top_k, output))
    return Lowered(ops.ArgMax(None, top_k, "both" if with_values else "indices"))


@lowers("Reduction")
def _reduction(layer: CaffeLayer) -> Lowered:
    param = layer.field("reduction_param")
    kind = _REDUCTION_KINDS[choice(layer, param, "operation", REDUCTION, "SUM")]
    return Lowered(ops.Reduce(kind, param.int("axis", 0), param.float("coeff", 1.0)))
