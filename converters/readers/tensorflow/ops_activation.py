"""Functions of each element alone, and those along the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.axes import Value, channels_last, layout, plain
from upconv.converters.readers.assembly.compositions import Composition, composed
from upconv.converters.readers.assembly.einsum import einsum
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import axis_at, without_axes
from upconv.converters.readers.tensorflow.values import Entry

_SIMPLE: Final[Mapping[str, Operator]] = {
    "Relu": ops.Relu(),
    "Relu6": ops.Clip(0.0, 6.0),
    "Elu": ops.Elu(),
    "Sigmoid": ops.Sigmoid(),
    "Tanh": ops.Tanh(),
    "Softplus": ops.Softplus(),
    "Erf": ops.Erf(),
    "Abs": ops.Abs(),
    "Exp": ops.Exp(),
    "Log": ops.Log(),
    "Log1p": ops.Log(shift=1.0),
    "Sin": ops.Sin(),
    "Cos": ops.Cos(),
    "Round": ops.Round(),
    "Rint": ops.Round(),
    "Floor": ops.Floor(),
    "Ceil": ops.Ceil(),
    "Sign": ops.Sign(),
    "Neg": ops.Power(scale=-1.0),
    "Square": ops.Power(power=2.0),
    "Sqrt": ops.Power(power=0.5),
    "Rsqrt": ops.Power(power=-0.5),
    "OnesLike": ops.Power(power=0.0),
    "Reciprocal": ops.Power(power=-1.0),
    "Inv": ops.Power(power=-1.0),
}


@lowers(*_SIMPLE)
def _simple(call: Call) -> Entry:
    return call.unary(_SIMPLE[call.node.op], call.value())


@lowers("LeakyRelu")
def _leaky(call: Call) -> Entry:
    return call.unary(ops.Relu(call.node.number("alpha", 0.2)), call.value())


_COMPOSED: Final[Mapping[str, Composition]] = {
    "Erfc": compositions.ERFC,
    "ZerosLike": compositions.ZEROS,
    "Expm1": compositions.EXPM1,
    "Selu": compositions.selu(),
    "Softsign": compositions.SOFTSIGN,
}


@lowers(*_COMPOSED)
def _composed(call: Call) -> Entry:
    value = call.real(call.value())
    made = composed(_COMPOSED[call.node.op], value.name, call.step)
    return Value(made, value.axes)


@lowers("ClipByValue")
def _clip(call: Call) -> Entry:
    low, high = (call.scalar(index, "bound") for index in (1, 2))
    return call.unary(ops.Clip(low, high), call.value())


@lowers("Softmax", "LogSoftmax")
def _softmax(call: Call) -> Entry:
    value = call.real(call.value())
    log = call.node.op == "LogSoftmax"
    return call.unary(ops.Softmax(axis_at(call, call.ranked(value), -1), log), value)


@lowers("Cumsum")
def _cum_sum(call: Call) -> Entry:
    value = call.real(call.value())
    place = axis_at(call, call.ranked(value), call.integer(1, "axis"))
    exclusive, reverse = (call.node.flag(name) for name in ("exclusive", "reverse"))
    return call.unary(ops.CumSum(place, exclusive, reverse), value)


@lowers("ArgMax", "ArgMin")
def _arg_max(call: Call) -> Entry:
    """The first of equal values, as NumPy's; the axis goes."""
    value = call.real(call.value())
    axis = call.integer(1, "axis") if len(call.entries) > 1 else 0
    place = axis_at(call, call.ranked(value), axis)
    if call.node.op == "ArgMin":
        value = call.unary(ops.Power(scale=-1.0), value, "negative")
    found = call.unary(ops.ArgMax(place, 1, "indices", ties="first"), value)
    result = without_axes(call, found, [axis % len(call.ranked(value))])
    call.work.whole.update((found.name, result.name))
    return result


@lowers("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(call: Call) -> Entry:
    """With the stored moments; those of the batch itself are what training uses."""
    if call.node.flag("is_training", True):
        raise call.unsupported("a batch normalization in training mode")
    names = {"scale": 1, "bias": 2, "mean": 3, "variance": 4}
    weights = {name: call.weight(index, name) for name, index in names.items()}
    last = call.node.word("data_format", "NHWC").endswith("C")
    value = call.real(call.value())
    rank = 4 if value.axes is None else len(value.axes)
    x = call.spatial(0, rank, last=last)
    operator = ops.BatchNorm(call.node.number("epsilon", 1e-4))
    return Value(call.emit(operator, [x], weights), layout(rank, last=last))


@lowers("LRN")
def _lrn(call: Call) -> Entry:
    """x / (bias + alpha * sum of squares over 2r+1 channels) ** beta."""
    size = 2 * call.node.integer("depth_radius", 5) + 1
    operator = ops.Lrn(
        size,
        call.node.number("alpha", 1.0) * size,
        call.node.number("beta", 0.5),
        call.node.number("bias", 1.0),
        "across",
    )
    return Value(call.emit(operator, [call.spatial(0, 4, last=True)]), channels_last(4))


@lowers("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def _mat_mul(call: Call) -> Entry:
    """By a constant matrix (in, out), along the last axis; or of two tensors, over their last two
    axes."""
    batched = call.node.op != "MatMul"
    first, second = ("adj_x", "adj_y") if batched else ("transpose_a", "transpose_b")
    shape = () if isinstance(call.entry(1), Value) else call.weight_shape(1, "matrix")
    if call.node.flag(first) or len(shape) != 2:
        flags = (call.node.flag(first), call.node.flag(second))
        factors = [_factor(call, index, turned) for index, turned in enumerate(flags)]
        rank = max(count for _, count in factors)
        return Value(call.emit(ops.MatMul(), [name for name, _ in factors]), plain(rank))
    value = call.real(call.value())
    rank = len(call.ranked(value))
    if rank < 2:
        raise call.unsupported(f"a product of {rank} axes with a constant of {len(shape)}")
    turned = call.node.flag(second)
    x = call.arranged(value, plain(rank))
    weight = call.weight(1, "matrix")
    operator = ops.Linear(shape[0] if turned else shape[1], rank - 1, transposed=not turned)
    return Value(call.emit(operator, [x], {"weight": weight}), plain(rank))


def _factor(call: Call, index: int, turned: bool) -> tuple[str, int]:
    """A factor of a product with TensorFlow's axes in their order, and how many they are;
    `turned` where its last two change places."""
    value = call.tensor(index)
    rank = len(call.ranked(value))
    if rank < 2:
        raise call.invalid(f"a product of an input of {rank} axes")
    order = list(range(rank))
    if turned:
        order[-2:] = order[:-3:-1]
    return call.arranged(value, tuple(order)), rank


@lowers("Einsum")
def _einsum(call: Call) -> Entry:
    tensors = [call.tensor(index) for index in range(len(call.entries))]
    pairs = [(call.arranged(one, plain(len(call.ranked(one)))), one) for one in tensors]
    ranks = [(name, len(call.ranked(one))) for name, one in pairs]
    operator, inputs = einsum(call.step, call.node.word("equation"), ranks)
    rank = len(operator.order) if isinstance(operator, ops.Permute) else 0
    return Value(call.emit(operator, inputs), plain(rank))
