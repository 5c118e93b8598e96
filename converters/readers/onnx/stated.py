"""What ONNX's specification says of the shapes of operators whose values are not represented."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir import geometry
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UpconvError
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.onnx.entries import Value
from upconv.converters.readers.onnx.lowering import Call
from upconv.converters.readers.onnx.ops_windows import window_of

Sizes: TypeAlias = tuple[Size, ...]


class _UnsaidError(Exception):
    """What a shape depends on is not known."""


def stated_shapes(call: Call) -> Sequence[Sizes]:
    """The shapes of a node's outputs, as far as the first ones are said by its attributes and the
    sizes of its inputs. None are where the node is broken, which its own error tells."""
    domain = f"{call.node.domain}." if call.node.domain else ""
    say = _SAID.get(domain + call.node.op)
    if say is None:
        return ()
    try:
        return say(call)
    except (_UnsaidError, UpconvError):
        return ()


def _sizes(call: Call, index: int) -> Sizes:
    """The sizes of an input, those of a tensor of the network as its own."""
    entry = call.entry(index)
    if isinstance(entry, Known):
        return entry.shape
    rank = call.work.rank(entry.name) if isinstance(entry, Value) else None
    if not isinstance(entry, Value) or rank is None:
        raise _UnsaidError
    return tuple(like(entry.name, axis) for axis in range(rank))


def _recurrent(call: Call) -> list[Sizes]:
    """Y, and the last hidden state (and cell): (seq, directions, batch, hidden) and (directions,
    batch, hidden), or with layout 1 the batch first."""
    x, hidden = _sizes(call, 0), call.integer("hidden_size", 0)
    if len(x) != 3 or hidden < 1:
        raise _UnsaidError
    ways = 2 if call.text("direction", "forward") == "bidirectional" else 1
    if call.integer("layout", 0):
        last: Sizes = (x[0], ways, hidden)
        return [(x[0], x[1], ways, hidden), last, last]
    last = (ways, x[1], hidden)
    return [(x[0], *last), last, last]


def _convolved(weight: int) -> Callable[[Call], list[Sizes]]:
    """The output of a convolution whose weight is that input."""

    def say(call: Call) -> list[Sizes]:
        x, kernel = _sizes(call, 0), _sizes(call, weight)
        numbers = [size for size in kernel if isinstance(size, int)]
        if len(x) != len(kernel) or len(numbers) < len(kernel):
            raise _UnsaidError
        window = window_of(call, numbers[2:])
        if window.auto_pad.startswith("SAME"):
            raise _UnsaidError
        rows = zip(x[2:], window.settings, window.begin, window.end, strict=True)
        sizes = (geometry.conv_size(n, *one, begin, end) for n, one, begin, end in rows)
        return [(x[0], numbers[0], *sizes)]

    return say


def _product(second: int) -> Callable[[Call], list[Sizes]]:
    """The product of matrices, the second of which has no axes beyond its two."""

    def say(call: Call) -> list[Sizes]:
        x, matrix = _sizes(call, 0), _sizes(call, second)
        if len(x) < 2 or len(matrix) != 2:
            raise _UnsaidError
        return [(*x[:-1], matrix[1])]

    return say


def _same(call: Call) -> list[Sizes]:
    return [_sizes(call, 0)]


_SAID: Final[Mapping[str, Callable[[Call], list[Sizes]]]] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN", "com.microsoft.DynamicQuantizeLSTM"), _recurrent),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _same),
    "DynamicQuantizeLinear": lambda call: [_sizes(call, 0), (), ()],
    "ConvInteger": _convolved(1),
    "QLinearConv": _convolved(3),
    "MatMulInteger": _product(1),
    "QLinearMatMul": _product(3),
}
"""Operator -> the shapes of its outputs."""
