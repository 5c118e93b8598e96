"""What the code asks a tensor that is known without running it: sizes, axes, element type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from upconv.converters.ir.dims import multiply
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Shape
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.script import dtypes, numbers
from upconv.converters.readers.torch.script.functions import Function, takes
from upconv.converters.readers.torch.script.tensor_calls import TensorCalls
from upconv.converters.readers.torch.script.values import Device, Number, Unsure, Value
from upconv.converters.readers.torch.state.element_types import FLOAT, INTEGER


def fact(calls: TensorCalls, name: str, arguments: list[Value]) -> Value:
    """The answer; Unsure where the tensor's shape is not known."""
    tensor, *more = arguments
    try:
        if name in _OF_TYPE:
            return _OF_TYPE[name](_dtype(calls, tensor))
        if name in _CONSTANT:
            return _CONSTANT[name]
        if name == "item":
            return _item(tensor)
        shape = () if isinstance(tensor, Number) else calls.shape(tensor)
    except UnsupportedError as error:
        return Unsure(error.message)
    return _OF_SHAPE[name](name, [shape, *more], {})


def _dtype(calls: TensorCalls, tensor: Value) -> int:
    if isinstance(tensor, TensorRef):
        return calls.dtype(tensor)
    return INTEGER if numbers.is_integer(tensor.value) else FLOAT


def _item(tensor: Value) -> Value:
    known = isinstance(tensor, Number)
    return tensor.value if known else Unsure("it depends on the data of a tensor")


def _size(shape: Shape, axis: int | None = None) -> Value:
    if axis is None:
        return list(shape)
    if not -len(shape) <= axis < len(shape):
        raise UnsupportedError(f"it asks for axis {axis} of a tensor with {len(shape)} axes")
    return shape[axis]


_OF_SHAPE: Final[Mapping[str, Function]] = {
    "size": takes("sequence [index?]", _size),
    "dim": takes("sequence", len),
    "ndimension": takes("sequence", len),
    "len": takes("sequence", lambda shape: _size(shape, 0)),
    "numel": takes("sequence", multiply),
}
_OF_TYPE: Final[Mapping[str, Callable[[int], Value]]] = {
    "dtype": lambda kind: dtypes.TO_CODE.get(kind, 6),
    "is_floating_point": lambda kind: kind in dtypes.FLOATING,
    "is_complex": lambda kind: False,
}
_CONSTANT: Final[Mapping[str, Value]] = {
    "device": Device("cpu"),
    "layout": 0,
    "is_cuda": False,
    "is_mkldnn": False,
    "is_quantized": False,
    "is_sparse": False,
    "requires_grad": False,
    "is_contiguous": True,
}

FACTS: Final = frozenset({*_OF_SHAPE, *_OF_TYPE, *_CONSTANT, "item"})
"""The functions that ask for them, behind torch. or ops.prim."""
