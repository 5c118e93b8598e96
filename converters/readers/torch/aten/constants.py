"""Operators on stored tensors alone: their results are weights, made when they are asked for.

Transposed weights, weight and spectral normalisation and the like do not depend on the network's
inputs, so they are no layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final, TypeAlias

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.tensors import ArrayData, TensorData
from upconv.converters.readers.torch.aten.calls import TensorMeta, TensorRef
from upconv.converters.readers.torch.aten.lowering import from_front

ELEMENTWISE: Final = ("sqrt", "exp", "log", "abs", "square", "sin", "cos", "tanh", "floor", "ceil")

Arguments: TypeAlias = Mapping[str, Any]
Fold: TypeAlias = Callable[[Arguments, tuple[int, ...]], Any]
"""(arguments by name, tensors as float32 arrays; the result's shape) -> the result."""


def _numpy(name: str, *arguments: Any, **keywords: Any) -> Any:
    """What a function of NumPy gives; UnsupportedError where it refuses the shapes and numbers of
    the file."""
    import numpy as np

    try:
        return getattr(np, name)(*arguments, **keywords)
    except (ValueError, IndexError, OverflowError) as error:
        raise UnsupportedError(f"numpy.{name} refuses it: {error}") from None


def _part(values: Any, index: Any) -> Any:
    """values[index]; UnsupportedError where it has no such entries."""
    import numpy as np

    try:
        return np.asarray(values)[index]
    except (ValueError, IndexError, OverflowError) as error:
        raise UnsupportedError(str(error)) from None


def _require_shape(found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Called before what may be far larger than its operands is made."""
    if found != shape:
        raise UnsupportedError(f"it gives {found} where the file says {shape}")


def _require_rank(shape: tuple[int, ...], rank: int) -> None:
    if len(shape) != rank:
        raise UnsupportedError(f"it gives {rank} axes where the file says {shape}")


def _itself(a: Arguments, shape: tuple[int, ...]) -> Any:
    return a["self"]


def _reshaped(a: Arguments, shape: tuple[int, ...]) -> Any:
    return _numpy("reshape", a["self"], shape)


def _broadcast(a: Arguments, shape: tuple[int, ...]) -> Any:
    return _numpy("broadcast_to", a["self"], shape)


def _transposed(a: Arguments, shape: tuple[int, ...]) -> Any:
    return _numpy("transpose", a["self"])


def _sliced(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    axis = from_front(a.get("dim", 0), np.ndim(a["self"]))
    part = slice(a.get("start"), a.get("end"), a.get("step", 1))
    return _part(a["self"], (slice(None),) * axis + (part,))


def _binary(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        right = a["other"]
        both = (np.shape(a["self"]), np.shape(right))
        _require_shape(_numpy("broadcast_shapes", *both), shape)
        if name in ("add", "subtract") and a.get("alpha", 1) != 1:
            right = right * np.float32(a["alpha"])
        return _numpy(name, a["self"], right)

    return fold


def _unary(name: str) -> Fold:
    return lambda a, shape: _numpy(name, a["self"])


def _to_the(exponent: float | None) -> Fold:
    """A power, whose exponent stands in the call where it is None here."""

    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        power = a["exponent"] if exponent is None else exponent
        return np.asarray(a["self"]) ** float(power)

    return fold


def _product(left: str, right: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        rows, columns = np.shape(a[left])[:-1][-1:], np.shape(a[right])[-1:]
        columns = columns if np.ndim(a[right]) > 1 else ()
        batch = _numpy("broadcast_shapes", np.shape(a[left])[:-2], np.shape(a[right])[:-2])
        _require_shape((*batch, *rows, *columns), shape)
        return _numpy("matmul", a[left], a[right])

    return fold


def _weight_norm(a: Arguments, shape: tuple[int, ...]) -> Any:
    """v * g / |v|, the norm over all axes but `dim` (aten WeightNorm.cpp)."""
    import numpy as np

    v, g = np.asarray(a["v"], np.float64), a["g"]
    _require_shape(_numpy("broadcast_shapes", v.shape, np.shape(g)), shape)
    dim = a.get("dim", 0)
    axes = tuple(axis for axis in range(v.ndim) if dim == -1 or axis != dim % v.ndim)
    return v * _numpy("divide", g, np.sqrt(np.square(v).sum(axis=axes, keepdims=True)))


def _filled(value: float | None) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        number = a["fill_value"] if value is None else value
        return _numpy("full", shape, number, np.float32)

    return fold


def _triangle(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        if np.ndim(a["self"]) < 2:
            raise UnsupportedError("a triangle of a tensor without two axes")
        return _numpy(name, a["self"], a.get("diagonal", 0))

    return fold


def _spaced(a: Arguments, shape: tuple[int, ...]) -> Any:
    _require_rank(shape, 1)
    return _numpy("linspace", float(a["start"]), float(a["end"]), shape[0])


def _diagonal(a: Arguments, shape: tuple[int, ...]) -> Any:
    _require_rank(shape, 2)
    return _numpy("eye", *shape, dtype="float32")


def _counted(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    _require_rank(shape, 1)
    start, step = float(a.get("start", 0)), float(a.get("step", 1))
    return start + step * np.arange(shape[0], dtype=np.float64)


def _nothing(a: Arguments, shape: tuple[int, ...]) -> Any:
    """An empty tensor; one that holds values holds any."""
    import numpy as np

    if 0 not in shape:
        raise UnsupportedError("its values are left to chance")
    return _numpy("empty", shape, np.float32)


def _tiled(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        own, counts = np.shape(a["self"]), tuple(a[name])
        rank = max(len(own), len(counts))
        sizes, times = ((*(1,) * (rank - len(one)), *one) for one in (own, counts))
        _require_shape(tuple(n * count for n, count in zip(sizes, times, strict=True)), shape)
        return _numpy("tile", a["self"], counts)

    return fold


def _joined(name: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        if sum(map(np.size, a["tensors"])) != prod(shape):
            raise UnsupportedError(f"its parts do not make {shape}")
        return _numpy(name, a["tensors"], axis=a.get("dim", 0))

    return fold


def _whole(index: Any) -> Any:
    """Whole numbers that came as float32, which has each of them up to 2^24."""
    import numpy as np

    numbers = np.asarray(index)
    if numbers.size and not abs(numbers).max() <= 1 << 24:
        raise UnsupportedError("it has indices above 2^24")
    return numbers.astype("int64")


def _indexed(a: Arguments, shape: tuple[int, ...]) -> Any:
    """self[indices], None for a whole axis; indices are whole numbers that came as floats."""
    import numpy as np

    indices = tuple(slice(None) if i is None else _whole(i) for i in a["indices"])
    # A view of nothing, so that the shape is known before any value is copied.
    nothing = _numpy("empty", (*np.shape(a["self"]), 0), np.int8)
    _require_shape(_part(nothing, indices).shape[:-1], shape)
    return _part(a["self"], indices)


def _selected(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    index, own = _whole(a["index"]).reshape(-1), np.shape(a["self"])
    axis = from_front(a["dim"], max(len(own), 1))
    _require_shape((*own[:axis], index.size, *own[axis + 1 :]), shape)
    return _numpy("take", a["self"], index, axis=axis)


def _chosen(mask: str, then: str, otherwise: str) -> Fold:
    def fold(a: Arguments, shape: tuple[int, ...]) -> Any:
        import numpy as np

        operands = [a[name] for name in (mask, then, otherwise)]
        _require_shape(_numpy("broadcast_shapes", *map(np.shape, operands)), shape)
        return _numpy("where", np.asarray(operands[0]) != 0, *operands[1:])

    return fold


def _rows(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    index = _whole(a["indices"])
    _require_shape((*index.shape, *np.shape(a["weight"])[1:]), shape)
    return _numpy("take", a["weight"], index, axis=0)


def _outer(a: Arguments, shape: tuple[int, ...]) -> Any:
    import numpy as np

    _require_shape((*np.shape(a["self"]), *np.shape(a["vec2"])), shape)
    return np.multiply.outer(a["self"], a["vec2"])


_KINDS: Final = ("Tensor", "Scalar")
_ARITHMETIC: Final = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}
_RELATIONS: Final = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}

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
    "transpose.int": lambda a, shape: _numpy("swapaxes", a["self"], a["dim0"], a["dim1"]),
    "t.default": _transposed,
    "numpy_T.default": _transposed,
    "permute.default": lambda a, shape: _numpy("transpose", a["self"], a["dims"]),
    "slice.Tensor": _sliced,
    "select.int": lambda a, shape: _numpy("take", a["self"], a["index"], axis=a["dim"]),
    "cat.default": _joined("concatenate"),
    "stack.default": _joined("stack"),
    "flip.default": lambda a, shape: _numpy("flip", a["self"], tuple(a["dims"])),
    "repeat.default": _tiled("repeats"),
    "tile.default": _tiled("dims"),
    "index.Tensor": _indexed,
    "index_select.default": _selected,
    "add.Tensor": _binary("add"),
    "sub.Tensor": _binary("subtract"),
    "mul.Tensor": _binary("multiply"),
    "div.Tensor": _binary("divide"),
    **{f"{name}.Scalar": _binary(_ARITHMETIC[name]) for name in _ARITHMETIC},
    **{f"{one}.{kind}": _binary(_RELATIONS[one]) for one in _RELATIONS for kind in _KINDS},
    **{f"logical_{one}.default": _binary(f"logical_{one}") for one in ("and", "or", "xor")},
    "logical_not.default": _unary("logical_not"),
    "remainder.Scalar": _binary("mod"),
    "remainder.Tensor": _binary("mod"),
    "floor_divide.default": _binary("floor_divide"),
    "maximum.default": _binary("maximum"),
    "minimum.default": _binary("minimum"),
    "round.default": _unary("rint"),
    "sign.default": _unary("sign"),
    "outer.default": _outer,
    "tril.default": _triangle("tril"),
    "triu.default": _triangle("triu"),
    "cumsum.default": lambda a, shape: _numpy("cumsum", a["self"], a["dim"]),
    **dict.fromkeys(
        ("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar"),
        _chosen("condition", "self", "other"),
    ),
    **dict.fromkeys(("masked_fill.Scalar", "masked_fill.Tensor"), _chosen("mask", "value", "self")),
    "embedding.default": _rows,
    "pow.Tensor_Scalar": _to_the(None),
    **{f"{name}.default": _unary(name) for name in ELEMENTWISE},
    "neg.default": _unary("negative"),
    "reciprocal.default": lambda a, shape: _numpy("divide", 1, a["self"]),
    "rsqrt.default": _to_the(-0.5),
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


def empty(shape: tuple[int, ...]) -> ArrayData:
    """A tensor without values; UnsupportedError for sizes that no array has."""
    if 4 * prod(size for size in shape if size) >= 1 << 63:
        raise UnsupportedError("it has more values than can be counted")
    return ArrayData(shape, lambda: _numpy("empty", shape, "float32"))


def _is_open(argument: Any) -> bool:
    if isinstance(argument, list):
        return any(map(_is_open, argument))
    return isinstance(argument, Dim)


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

    Raises UnsupportedError for an operator that is not in the table, or on sizes that are open.
    Shapes and numbers that do not fit it raise one where the values are asked for.
    """
    name = target.removeprefix("aten.")
    if name not in FOLDS:
        name = name.replace("_.", ".", 1)  # in place: the new tensor stands for the old one
    if name not in FOLDS:
        known = "it computes a weight in a way that is not known"
        raise UnsupportedError(known if any(map(_has_tensors, arguments.values())) else "")
    if any(map(_is_open, arguments.values())):
        raise UnsupportedError("it computes a weight from sizes that are left open")
    taken = {key: _data(value, stored) for key, value in arguments.items()}

    def compute() -> Any:
        import numpy as np

        given = {key: _array(value) for key, value in taken.items()}
        try:
            with np.errstate(all="ignore"):
                result = _in_type(np.asarray(FOLDS[name](given, shape)), meta)
            _require_shape(result.shape, shape)
        except UnsupportedError as error:
            message = f"the constant {target}: {error.message}"
            raise UnsupportedError(message, path=origin.path, where=origin) from None
        return result

    return ArrayData(shape, compute)
