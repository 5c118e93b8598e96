"""Matrix products and attention, patches of images as columns and back (im2col, col2im)."""

from __future__ import annotations

from math import inf, prod, sqrt
from typing import Any, Literal

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.tensors import ArrayData, FloatArray, Weight
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers


@lowers("mm.default", "matmul.default", "bmm.default")
def _matmul(call: AtenCall) -> None:
    """A product with a stored matrix (in, out) is a linear layer, any other a matrix product."""
    right = "mat2" if call.get("mat2") is not None else "other"
    stored = call.constant(call.get(right))
    if stored is not None and len(stored.shape) == 2 and call.is_value(call.get("self")):
        operator = ops.Linear(stored.shape[1], -1, transposed=True)
        call.emit(operator, [call.value("self")], {"weight": call.weight(right)})
        return
    if min(call.rank("self"), call.rank(right)) < 2:
        raise UnsupportedError("it multiplies with a vector")
    call.emit(ops.MatMul(), [call.value("self"), call.value(right)])


@lowers("addmm.default")
def _addmm(call: AtenCall) -> None:
    """beta * self + alpha * (mat1 @ mat2); with a stored matrix and bias a linear layer."""
    bias, matrix = call.constant(call.get("self")), call.constant(call.get("mat2"))
    plain = call.number("beta", 1) == 1 and call.number("alpha", 1) == 1
    if plain and bias and matrix and len(matrix.shape) == 2 and bias.shape == matrix.shape[1:]:
        weights = {"weight": call.weight("mat2"), "bias": call.weight("self")}
        operator = ops.Linear(matrix.shape[1], -1, transposed=True)
        call.emit(operator, [call.value("mat1")], weights)
    else:
        _product_and_sum(call, "mat1", "mat2")


@lowers("baddbmm.default")
def _baddbmm(call: AtenCall) -> None:
    _product_and_sum(call, "batch1", "batch2")


def _product_and_sum(call: AtenCall, left: str, right: str) -> None:
    """beta * self + alpha * (left @ right); with beta 0, self is not even looked at."""
    beta, alpha = float(call.number("beta", 1)), float(call.number("alpha", 1))
    product = call.step(ops.MatMul(), [call.value(left), call.value(right)], "product")
    if beta == 0:
        call.emit(ops.Power(scale=alpha), [product])
        return
    coefficients = () if (beta, alpha) == (1, 1) else (beta, alpha)
    call.emit(ops.Eltwise("sum", coefficients, broadcast=True), [call.value("self"), product])


@lowers("scaled_dot_product_attention.default")
def _attention(call: AtenCall) -> None:
    """softmax(scale * query @ key^T + mask) @ value, scale 1/sqrt(E) unless it is given."""
    if call.number("dropout_p", 0.0) > 0:
        raise UnsupportedError(
            "it drops values at random: the module was exported in training mode",
            hint="call .eval() before exporting",
        )
    if call.get("enable_gqa", False):
        raise UnsupportedError("its heads share keys (enable_gqa)")
    rank = call.rank("key", 2)
    order = (*range(rank - 2), rank - 1, rank - 2)
    query = call.step(ops.Power(scale=_attention_scale(call)), [call.value("query")], "scaled")
    keys = call.step(ops.Permute(order), [call.value("key")], "keys")
    scores = call.step(ops.MatMul(), [query, keys], "scores")
    scores = _masked(call, scores)
    shares = call.step(ops.Softmax(-1), [scores], "shares")
    call.emit(ops.MatMul(), [shares, call.value("value")])


def _attention_scale(call: AtenCall) -> float:
    features = call.shape("query", 2)[-1]
    if call.get("scale") is not None:
        return float(call.number("scale", 1.0))
    if not isinstance(features, int) or features == 0:
        raise UnsupportedError("its number of features is not fixed")
    return 1 / sqrt(features)


def _masked(call: AtenCall, scores: str) -> str:
    mask = call.get("attn_mask")
    if isinstance(mask, TensorRef):
        kind = call.meta(mask).dtype_name
        if kind not in ("float32", "bool"):
            raise UnsupportedError(f"its mask is {kind}")
        added = call.value(mask)
        if kind == "bool":
            added = call.step(ops.Where(0.0, -inf), [added], "mask")
    elif call.get("is_causal", False):
        added = _causal(call)
    else:
        return scores
    return call.step(ops.Eltwise("sum", broadcast=True), [scores, added], "masked")


def _causal(call: AtenCall) -> str:
    """Zeros up to each row's own column, and minus infinity behind."""
    rows, columns = call.shape("query", 2)[-2], call.shape("key", 2)[-2]
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise UnsupportedError("it is causal, over lengths that are not fixed")
    shape = (rows, columns)

    def compute() -> FloatArray:
        import numpy as np

        return np.triu(np.full(shape, -np.inf, np.float32), 1)

    weight = Weight(shape, ArrayData(shape, compute))
    return call.step(ops.Constant(shape), [], "causal", {"value": weight})


@lowers("im2col.default")
def _columns_of_image(call: AtenCall) -> None:
    """Every window as a column: a convolution whose filters are one pixel of one channel each."""
    kernel, stride, dilation, pads = _windows(call)
    channels = call.shape(least=3, most=4)[-3]
    if not isinstance(channels, int):
        raise UnsupportedError("its number of channels is not fixed")
    x, single = call.value("self"), call.rank() == 3
    if single:
        x = call.step(ops.Reshape((1,), 0, 0), [x], "batch")
    operator = ops.Conv(
        channels * prod(kernel), kernel, stride, dilation, pads, pads, groups=channels
    )
    y = call.step(operator, [x], "windows", {"weight": _one_pixel_each(channels, kernel)})
    if single:
        y = call.step(ops.Reshape((), 0, 1), [y], "sample")
    call.emit(ops.Flatten(1 if single else 2, -1), [y])


@lowers("col2im.default")
def _image_of_columns(call: AtenCall) -> None:
    """Columns added up where their windows overlap: a transposed convolution."""
    kernel, stride, dilation, pads = _windows(call)
    size, columns = call.ints("output_size", 2), call.shape(least=2, most=3)[-2]
    if not isinstance(columns, int):
        raise UnsupportedError("its number of channels is not fixed")
    channels = columns // prod(kernel)
    rows = zip(size, kernel, stride, dilation, pads, strict=True)
    places = tuple(geometry.conv_size(n, k, s, d, p, p) for n, k, s, d, p in rows)
    assert is_constant(*places), "every number here is one"
    x, single = call.value("self"), call.rank() == 2
    if single:
        x = call.step(ops.Reshape((1,), 0, 0), [x], "batch")
    x = call.step(ops.Reshape(places, 2, 1), [x], "windows")
    nothing = (0, 0)
    operator = ops.ConvTranspose(
        channels, kernel, stride, dilation, pads, pads, nothing, groups=channels, target=size
    )
    weights = {"weight": _one_pixel_each(channels, kernel)}
    if single:
        y = call.step(operator, [x], "image", weights)
        call.emit(ops.Reshape((), 0, 1), [y])
    else:
        call.emit(operator, [x], weights)


def _windows(call: AtenCall) -> tuple[ops.Ints, ops.Ints, ops.Ints, ops.Ints]:
    names: dict[str, Any] = {"kernel_size": None, "stride": 1, "dilation": 1, "padding": 0}
    kernel, stride, dilation, pads = (call.ints(n, 2, default) for n, default in names.items())
    return kernel, stride, dilation, pads


def _one_pixel_each(channels: int, kernel: ops.Ints) -> Weight:
    """The weight (channels * taps, 1, k...): filter c*taps + i is 1 at tap i."""
    taps = prod(kernel)
    shape = (channels * taps, 1, *kernel)

    def compute() -> FloatArray:
        import numpy as np

        return np.tile(np.eye(taps, dtype=np.float32), (channels, 1)).reshape(shape)

    return Weight(shape, ArrayData(shape, compute))


@lowers("cdist.default", "_cdist_forward.default")
def _distances(call: AtenCall) -> None:
    """|x_i - y_j| for every pair of rows: the norm of order 1 or 2 of their differences."""
    order, rank = float(call.number("p", 2.0)), call.rank("x1", least=2)
    if order not in (1.0, 2.0):
        raise UnsupportedError(f"distances of order {order:g}")
    rows = call.step(ops.Reshape((1,), rank - 1, 0), [call.value("x1")], "rows")
    others = call.step(ops.Reshape((1,), call.rank("x2", 2) - 2, 0), [call.value("x2")], "others")
    apart = call.step(ops.Eltwise("difference", broadcast=True), [rows, others], "apart")
    kind: Literal["abs_sum", "square_sum"] = "abs_sum" if order == 1 else "square_sum"
    total = call.step(ops.Reduce(kind, -1), [apart], "total")
    call.emit(ops.Power(1 / order), [total])
