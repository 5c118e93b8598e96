"""Matrix products."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.einsum import einsum
from upconv.converters.readers.onnx.entries import Entry, Value
from upconv.converters.readers.onnx.lowering import Call, lowers
from upconv.converters.readers.onnx.ops_arithmetic import combined


@lowers("MatMul")
def _matmul(call: Call) -> Entry:
    """A stored matrix on the right is an inner product over the last axis."""
    if call.is_known(1) and len(call.known(1, "matrix").shape) == 2:
        x = call.value()
        if call.rank(x) > 1:
            features = call.known(1, "matrix").shape[1]
            operator = ops.Linear(features, call.rank(x) - 1, transposed=True)
            return call.emit(operator, [x], {"weight": call.weight(1, "matrix")})
    pair = [call.value(0), call.value(1)]
    if min(map(call.rank, pair)) < 2:
        raise call.unsupported("a product with a vector")
    return call.emit(ops.MatMul(), pair)


@lowers("Gemm")
def _gemm(call: Call) -> Entry:
    """alpha * A B + beta * C, A and B transposed where that is said."""
    x, alpha, beta = call.value(), call.number("alpha", 1.0), call.number("beta", 1.0)
    if call.flag("transA"):
        x = call.step(ops.Permute((1, 0)), [x], "a")
    bias = _bias(call, beta)
    is_last = bias is not None or not call.has(2) or beta == 0
    if call.is_known(1):
        product = _linear(call, x, alpha, bias, is_last)
    else:
        y = call.value(1)
        if call.flag("transB"):
            y = call.step(ops.Permute((1, 0)), [y], "b")
        is_last = not call.has(2) or beta == 0
        product = call.step(ops.MatMul(), [x, y], "product")
        product = call.step(ops.Power(scale=alpha), [product], "alpha")
    if is_last:
        return call.emit(ops.Identity(), [product]) if not call.is_known(1) else Value(product)
    added = call.entry(2)
    if beta != 1.0:
        added = Value(call.step(ops.Power(scale=beta), [call.value(2)], "beta"))
    return combined(call, "sum", Value(product), added)


def _bias(call: Call, beta: float) -> Weight | None:
    """C as a bias of the output's features; None where it is another tensor or absent."""
    if not call.is_known(1) or not call.is_known(2) or beta == 0:
        return None
    shape = call.known(2, "C").shape
    features = call.known(1, "B").shape[0 if call.flag("transB") else 1]
    if shape not in ((features,), (1, features)):
        return None
    order = (lambda old: (features,), lambda values: beta * values.reshape(-1))
    return call.weight(2, "C", order, ("bias", beta))


def _linear(call: Call, x: str, alpha: float, bias: Weight | None, is_last: bool) -> str:
    shape = call.known(1, "B").shape
    transposed = not call.flag("transB")
    if len(shape) != 2:
        raise call.invalid(f"a matrix of the shape {shape}")
    order = None if alpha == 1.0 else (lambda old: old, lambda values: alpha * values)
    weights = {"weight": call.weight(1, "B", order, ("times", alpha))}
    if bias is not None:
        weights["bias"] = bias
    operator = ops.Linear(shape[1] if transposed else shape[0], 1, transposed)
    if is_last:
        return call.emit(operator, [x], weights).name
    return call.step(operator, [x], "product", weights)


@lowers("Einsum", since=12)
def _einsum(call: Call) -> Entry:
    values = [call.value(index) for index in range(len(call.entries))]
    tensors = [(value, call.rank(value)) for value in values]
    return call.emit(*einsum(call.step, call.text("equation", ""), tensors))
