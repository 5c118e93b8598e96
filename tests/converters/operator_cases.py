"""Random settings of every operator, with the shapes of inputs that fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, evaluate, like
from upconv.converters.ir.weight_shapes import EXPECTED
from upconv.converters.reference.call import WidenedWeight

Draw = Callable[[st.SearchStrategy[Any]], Any]
Inputs = tuple[tuple[int, ...], ...]
Case = tuple[ops.Operator, Inputs, int]

SMALL = st.integers(1, 3)


def _ints(draw: Draw, axes: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(axes))


def _image(draw: Draw, axes: int, channels: int | None = None) -> tuple[int, ...]:
    first = channels if channels is not None else draw(st.sampled_from([1, 2, 4]))
    return (draw(SMALL), first, *_ints(draw, axes, 5, 8))


def _window(draw: Draw, axes: int) -> dict[str, tuple[int, ...]]:
    bounds = {"kernel": (1, 3), "stride": (1, 3), "dilation": (0, 2)}
    found = {name: _ints(draw, axes, *bound) for name, bound in bounds.items()}
    return found | {name: _ints(draw, axes, 0, 1) for name in ("pads_begin", "pads_end")}


def _conv(draw: Draw) -> Case:
    axes, groups = draw(SMALL), draw(st.sampled_from([1, 2]))
    op = ops.Conv(groups * draw(SMALL), **_window(draw, axes), groups=groups)
    return op, (_image(draw, axes, 2 * groups),), 1


def _conv_transpose(draw: Draw) -> Case:
    axes, groups = draw(SMALL), draw(st.sampled_from([1, 2]))
    out = groups * draw(SMALL)
    extra, window = _ints(draw, axes, 0, 3), _window(draw, axes)
    x = _image(draw, axes, 2 * groups)
    if draw(st.booleans()):
        target = tuple(like("x1", 2 + axis) for axis in range(axes))
        op = ops.ConvTranspose(out, **window, output_padding=extra, groups=groups, target=target)
        return op, (x, _image(draw, axes)), 1
    return ops.ConvTranspose(out, **window, output_padding=extra, groups=groups), (x,), 1


def _pool(draw: Draw) -> Case:
    axes = draw(SMALL)
    kind = draw(st.sampled_from(["max", "average"]))
    op = ops.Pool(
        kind,
        **_window(draw, axes),
        rounding=draw(st.sampled_from(["floor", "ceil"])),
        clip=draw(st.sampled_from(["never", "if_padded", "always"])),
        count_padding=draw(st.booleans()),
    )
    return op, (_image(draw, axes),), draw(st.integers(1, 2)) if kind == "max" else 1


def _resize(draw: Draw) -> Case:
    axes = draw(SMALL)
    mode: Any = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    coordinates: Any = draw(st.sampled_from(["half_pixel", "asymmetric", "align_corners"]))
    x = _image(draw, axes)
    if draw(st.booleans()):
        return ops.Resize(mode, coordinates, factor=_ints(draw, axes, 1, 3)), (x,), 1
    size = tuple(like("x1", 2 + axis) - 1 for axis in range(axes))
    return ops.Resize(mode, coordinates, size), (x, _image(draw, axes)), 1


def _window_unpool(draw: Draw) -> Case:
    axes = draw(SMALL)
    kind: Any = draw(st.sampled_from(["corner", "tile", "average"]))
    kernel, stride, begin = (_ints(draw, axes, low, 3) for low in (1, 1, 0))
    op = ops.WindowUnpool(kind, kernel, stride, begin, _ints(draw, axes, 1, 9))
    return op, (_image(draw, axes),), 1


def _unpool(draw: Draw) -> Case:
    x = _image(draw, 2)
    return ops.Unpool((like("x2", 2), 9)), (x, x, _image(draw, 2)), 1


def _crop(draw: Draw) -> Case:
    x = _image(draw, 2)
    axis = draw(st.sampled_from([2, 3, -1]))
    count = 4 - axis if axis > 0 else 1
    sizes = tuple(like("x1", 4 - count + i) - 2 for i in range(count))
    reference = tuple(min(a, b) for a, b in zip(x, _image(draw, 2), strict=True))
    return ops.Crop(axis, _ints(draw, count, 0, 2), sizes), (x, reference), 1


def _pad(draw: Draw) -> Case:
    mode: Any = draw(st.sampled_from(["constant", "reflect", "edge", "symmetric"]))
    x = _image(draw, 2)
    low = -2 if mode != "reflect" else 0
    amounts = [(0, 0, *_ints(draw, 2, low, 2)) for _ in range(2)]
    return ops.Pad(amounts[0], amounts[1], mode), (x,), 1


def _concat(draw: Draw) -> Case:
    x, axis = _image(draw, 2), draw(st.integers(-4, 3))
    others = []
    for _ in range(draw(SMALL)):
        other = list(x)
        other[axis] = draw(SMALL)
        others.append(tuple(other))
    return ops.Concat(axis), (x, *others), 1


def _slice(draw: Draw) -> Case:
    x, axis = _image(draw, 1, 6), draw(st.sampled_from([1, -2]))
    points = draw(st.sampled_from([(), (1,), (2, 3), (1, 2, 5)]))
    outputs = len(points) + 1 if points else draw(st.sampled_from([1, 2, 3, 6]))
    return ops.Slice(axis, points), (x,), outputs


def _argmax(draw: Draw) -> Case:
    output: Any = draw(st.sampled_from(["indices", "values", "both"]))
    axis = draw(st.sampled_from([None, 1, -1]))
    if axis is not None and output == "both":
        output = "indices"
    return ops.ArgMax(axis, draw(st.integers(1, 2)), output), (_image(draw, 2, 3),), 1


def _one_of(*choices: ops.Operator) -> Callable[[Draw], Case]:
    """A maker of one of these operators on an image with six channels."""
    return lambda draw: (draw(st.sampled_from(choices)), (_image(draw, 2, 6),), 1)


RESHAPES = [
    ops.Reshape((0, -1)),
    ops.Reshape((-1, 2), axis=1),
    ops.Reshape((2, -1, 3), axis=1, num_axes=1),
    ops.Reshape((1,), axis=-1, num_axes=0),
]


def _permute(draw: Draw) -> Case:
    return ops.Permute(tuple(draw(st.permutations(range(4))))), (_image(draw, 2),), 1


def _linear(draw: Draw) -> Case:
    op = ops.Linear(draw(SMALL), draw(st.sampled_from([0, 1, -1, 2])), draw(st.booleans()))
    return op, (_image(draw, 2),), 1


def _matmul(draw: Draw) -> Case:
    rows, inner, columns, batch = (draw(SMALL) for _ in range(4))
    shared = draw(st.booleans())
    left = (batch, 2, rows, inner)
    return ops.MatMul(), (left, (2 if shared else 1, inner, columns)), 1


def _constant(draw: Draw) -> Case:
    return ops.Constant((draw(SMALL), draw(SMALL))), (), 1


MODES: list[Any] = ["DCR", "CRD", "darknet"]


def _depth_to_space(draw: Draw) -> Case:
    return ops.DepthToSpace(2, draw(st.sampled_from(MODES))), ((2, 16, 3, 2),), 1


def _space_to_depth(draw: Draw) -> Case:
    return ops.SpaceToDepth(2, draw(st.sampled_from(MODES))), ((2, 4, 4, 6),), 1


def _eltwise(draw: Draw) -> Case:
    kinds = ["sum", "product", "max", "min", "difference", "quotient", "power"]
    kind: Any = draw(st.sampled_from([*kinds, "floor_mod", "trunc_mod"]))
    x, most = _image(draw, 2), 3 if kind in kinds[:-1] else 2
    if draw(st.booleans()):
        return ops.Eltwise(kind, broadcast=True), (x, (x[1], 1, x[3]), (*x[:2], 1, 1))[:most], 1
    return ops.Eltwise(kind), (x,) * draw(st.integers(2, most)), 1


def _compare(draw: Draw) -> Case:
    kind: Any = draw(st.sampled_from(["less", "less_equal", "greater", "equal", "not_equal"]))
    x = _image(draw, 2)
    if draw(st.booleans()):
        return ops.Compare(kind, 0.5), (x,), 1
    return ops.Compare(kind), (x, (x[1], 1, x[3])), 1


def _where(draw: Draw) -> Case:
    x = _image(draw, 2)
    then, otherwise = (draw(st.sampled_from([None, -2.0])) for _ in range(2))
    inputs = (x, *((*x[:2], 1, 1),) * (then is None), *(x,) * (otherwise is None))
    return ops.Where(then, otherwise), inputs, 1


def _scale(draw: Draw) -> Case:
    x = _image(draw, 2)
    choices: list[tuple[ops.Scale, Inputs]] = [
        (ops.Scale(1), (x,)),
        (ops.Scale(0, "scale"), (x, x[:2])),
        (ops.Scale(-1, "bias"), (x, x[3:])),
    ]
    op, inputs = draw(st.sampled_from(choices))
    return op, inputs, 1


def _identity(draw: Draw) -> Case:
    return ops.Identity(), (_image(draw, 2),), draw(SMALL)


def _global_pool(draw: Draw) -> Case:
    kind: Any = draw(st.sampled_from(["max", "average"]))
    outputs = draw(st.integers(1, 2)) if kind == "max" else 1
    return ops.GlobalPool(kind), (_image(draw, draw(SMALL)),), outputs


def _tile(draw: Draw) -> Case:
    if draw(st.booleans()):
        return ops.Tile(2, like("x1", 3)), (_image(draw, 2), _image(draw, 2)), 1
    return ops.Tile(draw(st.integers(-4, 3)), draw(SMALL)), (_image(draw, 2),), 1


def _reduce(draw: Draw) -> Case:
    kind: Any = draw(st.sampled_from(["sum", "mean", "abs_sum", "square_sum", "max"]))
    return ops.Reduce(kind, draw(st.integers(-4, 3))), (_image(draw, 2),), 1


def _gather(draw: Draw) -> Case:
    x, axis = _image(draw, 2), draw(st.integers(-4, 3))
    if draw(st.booleans()):
        return ops.Gather(axis), (x, _ints(draw, draw(st.integers(0, 2)), 1, 4)), 1
    picked = draw(st.lists(st.integers(0, x[axis] - 1), min_size=1, max_size=9))
    return ops.Gather(axis, tuple(picked)), (x,), 1


def _grid_sample(draw: Draw) -> Case:
    axes = draw(st.sampled_from([2, 3]))
    mode: Any = draw(st.sampled_from(["nearest", "linear"] if axes == 3 else ["linear", "cubic"]))
    padding: Any = draw(st.sampled_from(["zeros", "border", "reflection"]))
    x = _image(draw, axes)
    grid = (x[0], *_ints(draw, axes, 1, 4), axes)
    return ops.GridSample(mode, padding, draw(st.booleans())), (x, grid), 1


def _roi_max_pool(draw: Draw) -> Case:
    """Regions of zeros are the first pixel of the first image."""
    x = (2, *_image(draw, 2)[1:])
    op = ops.RoiMaxPool(_ints(draw, 2, 1, 4), draw(st.sampled_from([1.0, 0.0625, 1 / 3])))
    return op, (x, (draw(SMALL), 5)), 1


def _strided_slice(draw: Draw) -> Case:
    x, axis = _image(draw, 2), draw(st.sampled_from([2, 3, -1]))
    step = draw(st.sampled_from([1, 2, 3, -1, -2]))
    count = draw(st.integers(1, -(-x[axis] // abs(step))))
    span = (count - 1) * abs(step)
    first = draw(st.integers(0, x[axis] - 1 - span))
    start = first if step > 0 else first + span
    if draw(st.booleans()):
        return ops.StridedSlice(axis, start, count, step), (x,), 1
    if step > 0:
        return ops.StridedSlice(axis, 0, (like("x0", axis % 4) + step - 1) // step, step), (x,), 1
    size = like("x0", axis % 4)
    return ops.StridedSlice(axis, size - 1, (size - 1) // -step + 1, step), (x,), 1


def _expand(draw: Draw) -> Case:
    x = _image(draw, 2)
    if draw(st.booleans()):
        sizes: tuple[Size, ...] = (3, *(like("x1", axis) for axis in range(4)))
        return ops.Expand(sizes), ((x[1], 1, x[3]), x), 1
    return ops.Expand((*x[:3], 4)), ((*x[:3], 1),), 1


def _arange(draw: Draw) -> Case:
    start, step = draw(st.sampled_from([0.0, -3.0, 0.25])), draw(st.sampled_from([1.0, -2.0, 0.1]))
    if draw(st.booleans()):
        return ops.Arange(like("x0", 2) - 1, start, step), (_image(draw, 2),), 1
    return ops.Arange(draw(SMALL), start, step), (), 1


def _size_of(draw: Draw) -> Case:
    return ops.SizeOf(like("x0", 2) * 2 - like("x1", 3)), (_image(draw, 2), _image(draw, 2)), 1


def _cum_sum(draw: Draw) -> Case:
    op = ops.CumSum(draw(st.integers(-4, 3)), draw(st.booleans()), draw(st.booleans()))
    return op, (_image(draw, 2),), 1


MAKERS: dict[type, Callable[[Draw], Case]] = {
    ops.Conv: _conv,
    ops.ConvTranspose: _conv_transpose,
    ops.Pool: _pool,
    ops.GlobalPool: _global_pool,
    ops.Resize: _resize,
    ops.Unpool: _unpool,
    ops.WindowUnpool: _window_unpool,
    ops.Crop: _crop,
    ops.Pad: _pad,
    ops.Concat: _concat,
    ops.Slice: _slice,
    ops.Gather: _gather,
    ops.Embedding: _one_of(ops.Embedding(5, 3)),
    ops.GridSample: _grid_sample,
    ops.RoiMaxPool: _roi_max_pool,
    ops.StridedSlice: _strided_slice,
    ops.Expand: _expand,
    ops.Arange: _arange,
    ops.SizeOf: _size_of,
    ops.CumSum: _cum_sum,
    ops.Identity: _identity,
    ops.Eltwise: _eltwise,
    ops.Scale: _scale,
    ops.BatchNorm: _one_of(ops.BatchNorm(1e-3)),
    ops.Lrn: _one_of(*(ops.Lrn(3, 0.1, 0.75, 1.0, kind) for kind in ("across", "within"))),
    ops.MeanVarianceNorm: _one_of(*(ops.MeanVarianceNorm(True, a, 1e-9) for a in (True, False))),
    ops.GroupNorm: _one_of(ops.GroupNorm(3, 1e-5), ops.GroupNorm(6, 1e-5)),
    ops.LayerNorm: _one_of(ops.LayerNorm(-1, 1e-5), ops.LayerNorm(2, 1e-5)),
    ops.L2Normalize: _one_of(ops.L2Normalize(True, 1e-9), ops.L2Normalize(False, 1e-9)),
    ops.Relu: _one_of(ops.Relu(), ops.Relu(0.5)),
    ops.PRelu: _one_of(ops.PRelu()),
    ops.Elu: _one_of(ops.Elu()),
    ops.Sigmoid: _one_of(ops.Sigmoid()),
    ops.Tanh: _one_of(ops.Tanh()),
    ops.Power: _one_of(ops.Power(2.0)),
    ops.Exp: _one_of(ops.Exp()),
    ops.Log: _one_of(ops.Log()),
    ops.Abs: _one_of(ops.Abs()),
    ops.Erf: _one_of(ops.Erf()),
    **{kind: _one_of(kind()) for kind in (ops.Sin, ops.Cos, ops.Round, ops.Floor)},
    **{kind: _one_of(kind()) for kind in (ops.Ceil, ops.Sign)},
    ops.Softplus: _one_of(ops.Softplus()),
    ops.Compare: _compare,
    ops.Where: _where,
    ops.Clip: _one_of(ops.Clip(0, 1)),
    ops.Swish: _one_of(ops.Swish()),
    ops.Gelu: _one_of(ops.Gelu(), ops.Gelu(tanh=True)),
    ops.Softmax: _one_of(*(ops.Softmax(axis) for axis in range(-4, 4))),
    ops.ArgMax: _argmax,
    ops.Tile: _tile,
    ops.Reduce: _reduce,
    ops.Reshape: _one_of(*RESHAPES),
    ops.Flatten: _one_of(ops.Flatten(), ops.Flatten(0), ops.Flatten(-2), ops.Flatten(1, 2)),
    ops.Linear: _linear,
    ops.MatMul: _matmul,
    ops.Constant: _constant,
    ops.Permute: _permute,
    ops.ChannelShuffle: _one_of(ops.ChannelShuffle(3)),
    ops.SpaceToDepth: _space_to_depth,
    ops.DepthToSpace: _depth_to_space,
}
RECORDS = sorted(MAKERS, key=lambda record: record.__name__)


WEIGHTS: dict[type, tuple[str, ...]] = {
    ops.PRelu: ("slope",),
    ops.BatchNorm: ("mean", "variance"),
}
"""Weights of one value per channel."""


def with_places(op: ops.Operator, arrays: dict[str, Any]) -> dict[str, Any]:
    """Inputs x0, x1, ..., of which the one that the operator takes for indices says zeros, or for
    regions."""
    name = "x1" if isinstance(op, ops.RoiMaxPool) else f"x{ops.index_place(op)}"
    return arrays | ({name: np.zeros_like(arrays[name])} if name in arrays else {})


def weights_for(op: ops.Operator, x: tuple[int, ...]) -> dict[str, WidenedWeight]:
    """Weights of ones that fit the operator on an input of this shape."""
    kind = type(op)
    if isinstance(op, ops.Constant):
        return {"value": WidenedWeight(np.ones(op.shape, np.float32))}
    wide = kind in (ops.Conv, ops.ConvTranspose, ops.Linear, ops.Embedding)
    shapes = EXPECTED[kind](op, x) if wide else dict.fromkeys(WEIGHTS.get(kind, ()), x[1:2])
    plain = {name: tuple(evaluate(n, {}) for n in shape) for name, shape in shapes.items()}
    return {name: WidenedWeight(np.ones(shape, np.float32)) for name, shape in plain.items()}
