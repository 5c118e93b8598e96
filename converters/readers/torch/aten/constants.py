"""Operators on stored tensors alone: their results are weights, made when they are asked for.

Transposed weights, weight and spectral normalisation and the like do not depend on the network's
inputs, so they are no layers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final, TypeAlias

from upconv.converters.ir.errors import MISFITS, UnsupportedError, misfit
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import ArrayData, TensorData
from upconv.converters.readers.torch.aten.calls import TensorMeta, TensorRef

ELEMENTWISE: Final = ("sqrt", "exp", "log", "abs", "square", "sin", "cos", "tanh", "floor", "ceil")

Arguments: TypeAlias = Mapping[str, Any]
Fold: TypeAlias = Callable[[Arguments, tuple[int, ...]], Any]
"""(arguments by name, tensors as float32 arrays; the result's shape) -> the result."""


def _itself(a: Arguments, shape: tuple[int, ...]) -> Any:
    return a["self"]


def _reshaped(a: Arguments, shape: tuple[int, ...]) -> Any:
    return a["self"].reshape(shape)


def _broadcast(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.broadcast_to(a["self"], shape)


def _swapped(a: Arguments, shape: tuple[int, ...]) -> Any:
    return a["self"].swapaxes(a["dim0"], a["dim1"])


def _sliced(a: Arguments, shape: tuple[int, ...]) -> Any:
    axis = a.get("dim", 0) % a["self"].ndim
    part = slice(a.get("start"), a.get("end"), a.get("step", 1))
    return a["self"][(slice(None),) * axis + (part,)]


def _require_shape(found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Called before what may be far larger than its operands is made."""
    if found != shape:
        raise ValueError(f"it gives {found} where the file says {shape}")


def _binary(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        right = a["other"]
        _require_shape(np.broadcast_shapes(np.shape(a["self"]), np.shape(right)), shape)
        if name in ("add", "subtract") and a.get("alpha", 1) != 1:
            right = right * np.float32(a["alpha"])
        return getattr(np, name)(a["self"], right)

    return fold


def _unary(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return getattr(np, name)(a["self"])

    return fold


def _power(a: Arguments, shape: tuple[int, ...]) -> Any:
    return a["self"] ** float(a["exponent"])


def _product(left: str, right: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        rows, columns = np.shape(a[left])[:-1][-1:], np.shape(a[right])[-1:]
        columns = columns if np.ndim(a[right]) > 1 else ()
        batch = np.broadcast_shapes(np.shape(a[left])[:-2], np.shape(a[right])[:-2])
        _require_shape((*batch, *rows, *columns), shape)
        return a[left] @ a[right]

    return fold


def _weight_norm(a: Arguments, shape: tuple[int, ...]) -> Any:
    """v * g / |v|, the norm over all axes but `dim` (aten WeightNorm.cpp)."""
    import numpy as np

    v, g = np.asarray(a["v"], np.float64), a["g"]
    _require_shape(np.broadcast_shapes(v.shape, np.shape(g)), shape)
    dim = a.get("dim", 0)
    axes = tuple(axis for axis in range(v.ndim) if dim == -1 or axis != dim % v.ndim)
    return v * (g / np.sqrt(np.square(v).sum(axis=axes, keepdims=True)))


def _filled(value: float | None) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.full(shape, a["fill_value"] if value is None else value, np.float32)

    return fold


def _spaced(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    (count,) = shape
    return np.linspace(float(a["start"]), float(a["end"]), count)


def _diagonal(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    rows, columns = shape
    return np.eye(rows, columns, dtype=np.float32)


def _counted(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    start, step = float(a.get("start", 0)), float(a.get("step", 1))
    return start + step * np.arange(shape[0], dtype=np.float64)


def _nothing(a: Arguments, shape: tuple[int, ...]) -> Any:
    """An empty tensor; one that holds values holds any."""
    import numpy as np

    if 0 not in shape:
        raise UnsupportedError("its values are left to chance")
    return np.empty(shape, np.float32)


def _turned(rank: int, axes: list[int]) -> tuple[slice, ...]:
    named = {axis % rank for axis in axes}
    return tuple(slice(None, None, -1 if axis in named else 1) for axis in range(rank))


def _tiled(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        own, counts = a["self"].shape, tuple(a[name])
        rank = max(len(own), len(counts))
        sizes, times = ((*(1,) * (rank - len(one)), *one) for one in (own, counts))
        _require_shape(tuple(map(operator.mul, sizes, times)), shape)
        return np.tile(a["self"], counts)

    return fold


def _joined(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        if sum(map(np.size, a["tensors"])) != prod(shape):
            raise ValueError(f"its parts do not make {shape}")
        return getattr(np, name)(a["tensors"], axis=a.get("dim", 0))

    return fold


def _whole(index: Any) -> Any:
    """Whole numbers that came as float32, which has each of them up to 2^24."""
    if index.size and abs(index).max() > 1 << 24:
        raise ValueError("indices above 2^24")
    return index.astype("int64")


def _indexed(a: Arguments, shape: tuple[int, ...]) -> Any:
    """self[indices], None for a whole axis; indices are whole numbers that came as floats."""
    import numpy as np

    indices = tuple(slice(None) if i is None else _whole(i) for i in a["indices"])
    # A view of nothing, so that the shape is known before any value is copied.
    _require_shape(np.empty((*a["self"].shape, 0), np.int8)[indices].shape[:-1], shape)
    return a["self"][indices]


def _selected(a: Arguments, shape: tuple[int, ...]) -> Any:
    index = _whole(a["index"]).reshape(-1)
    axis = operator.index(a["dim"]) % max(a["self"].ndim, 1)
    _require_shape((*a["self"].shape[:axis], index.size, *a["self"].shape[axis + 1 :]), shape)
    return a["self"].take(index, axis=axis)


FOLDS: Final[dict[str, Fold]] = {
    **dict.fromkeys(
        (
            "alias.default",
            "clone.default",
            "contiguous.default",
            "detach.default",
            "detach_.default",
            "lift_fresh_copy.default",
            "_to_copy.default",
            "to.dtype",
            "to.dtype_layout",
            "to.device",
        ),
        _itself,
    ),
    **dict.fromkeys(
        (
            "_unsafe_view.default",
            "flatten.using_ints",
            "reshape.default",
            "squeeze.default",
            "squeeze.dim",
            "squeeze.dims",
            "unflatten.int",
            "unsqueeze.default",
            "view.default",
        ),
        _reshaped,
    ),
    **dict.fromkeys(("expand.default", "expand_as.default", "broadcast_to.default"), _broadcast),
    "copy_.default": lambda a, shape: _broadcast({"self": a["src"]}, shape),
    "transpose.int": _swapped,
    "t.default": lambda a, shape: a["self"].T,
    "numpy_T.default": lambda a, shape: a["self"].T,
    "permute.default": lambda a, shape: a["self"].transpose(a["dims"]),
    "slice.Tensor": _sliced,
    "select.int": lambda a, shape: a["self"].take(operator.index(a["index"]), axis=a["dim"]),
    "cat.default": _joined("concatenate"),
    "stack.default": _joined("stack"),
    "flip.default": lambda a, shape: a["self"][_turned(a["self"].ndim, a["dims"])],
    "repeat.default": _tiled("repeats"),
    "tile.default": _tiled("dims"),
    "index.Tensor": _indexed,
    "index_select.default": _selected,
    "add.Tensor": _binary("add"),
    "sub.Tensor": _binary("subtract"),
    "mul.Tensor": _binary("multiply"),
    "div.Tensor": _binary("divide"),
    "pow.Tensor_Scalar": _power,
    **{f"{name}.default": _unary(name) for name in ELEMENTWISE},
    "neg.default": _unary("negative"),
    "reciprocal.default": lambda a, shape: 1 / a["self"],
    "rsqrt.default": lambda a, shape: a["self"] ** -0.5,
    "mm.default": _product("self", "mat2"),
    "mv.default": _product("self", "vec"),
    "dot.default": _product("self", "tensor"),
    "vdot.default": _product("self", "other"),
    "matmul.default": _product("self", "other"),
    "_weight_norm.default": _weight_norm,
    "zeros.default": _filled(0.0),
    "empty.memory_format": _nothing,
    "new_empty.default": _nothing,
    "ones.default": _filled(1.0),
    "new_zeros.default": _filled(0.0),
    "new_ones.default": _filled(1.0),
    "zeros_like.default": _filled(0.0),
    "ones_like.default": _filled(1.0),
    "full.default": _filled(None),
    "full_like.default": _filled(None),
    "new_full.default": _filled(None),
    "linspace.default": _spaced,
    "eye.default": _diagonal,
    "eye.m": _diagonal,
    "arange.default": _counted,
    "arange.start": _counted,
    "arange.start_step": _counted,
}
"""By ATen's name, in NumPy's float32."""


OF_A_SHAPE: Final = frozenset(
    f"aten.{name}.default"
    for name in ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
)
"""What needs no more of its first tensor than its shape."""


def _has_tensors(argument: Any) -> bool:
    if isinstance(argument, list):
        return any(map(_has_tensors, argument))
    return isinstance(argument, TensorRef)


def _data(argument: Any, stored: Mapping[str, TensorData]) -> Any:
    """The argument with the data of its tensors; in a list too."""
    if isinstance(argument, list):
        return [_data(one, stored) for one in argument]
    return stored.get(argument.name) if isinstance(argument, TensorRef) else argument


def _array(argument: Any) -> Any:
    if isinstance(argument, list):
        return [_array(one) for one in argument]
    return argument.array() if hasattr(argument, "array") else argument


def _in_type(values: Any, meta: TensorMeta | None) -> Any:
    """The values as their element type has them, in float32."""
    import numpy as np

    name = "float32" if meta is None else meta.dtype_name
    if name == "bool":
        values = values != 0
    elif "int" in name:
        values = np.trunc(values)
    return values.astype(np.float32)


def fold(
    target: str,
    arguments: Mapping[str, Any],
    stored: Mapping[str, TensorData],
    meta: TensorMeta | None,
    shape: tuple[int, ...],
    origin: Origin,
) -> ArrayData:
    """The result of an operator whose tensors are all stored; computed when it is asked for.
    `meta` says which element type it has, in which fractions may be cut.

    Raises UnsupportedError for an operator that is not in the table. Arguments that do not fit it
    raise one where the values are asked for.
    """
    name = target.removeprefix("aten.")
    if name not in FOLDS:
        name = name.replace("_.", ".", 1)  # in place: the new tensor stands for the old one
    if name not in FOLDS:
        known = "it computes a weight in a way that is not known"
        raise UnsupportedError(known if any(map(_has_tensors, arguments.values())) else "")
    taken = {key: _data(value, stored) for key, value in arguments.items()}

    def compute() -> Any:
        import numpy as np

        given = {key: _array(value) for key, value in taken.items()}
        try:
            with np.errstate(all="ignore"):
                result = _in_type(np.asarray(FOLDS[name](given, shape)), meta)
            _require_shape(result.shape, shape)
        except MISFITS as error:
            message = f"the constant {target}: {misfit(error).message}"
            raise UnsupportedError(message, path=origin.path, where=origin) from None
        return result

    return ArrayData(shape, compute)
