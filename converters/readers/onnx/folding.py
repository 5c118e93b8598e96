"""Operators on what is known while the graph is read: shape arithmetic, and small constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import prod
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.readers.assembly.element_types import Kind
from upconv.converters.readers.assembly.folding import arrangement, elementwise, few
from upconv.converters.readers.assembly.folding.arrays import (
    Array,
    NotFoldableError,
    folded,
    require_readable,
)
from upconv.converters.readers.assembly.known import Known, known_of, settled
from upconv.converters.readers.onnx.lowering import Call
from upconv.converters.readers.onnx.tensors import dtype_of

Fold: TypeAlias = Callable[[Call, Sequence["Array | None"]], "Array | list[Array]"]


def fold(call: Call) -> tuple[Known, ...]:
    """The outputs of a node whose inputs are all known.

    Raises NotFoldableError where they cannot be known, UnreadableError where the inputs do not
    fit the operator.
    """
    known = [entry for entry in call.entries if isinstance(entry, Known)]
    require_readable(entry.shape for entry in known)
    try:
        return _folded(call, known, lambda size: size)
    except NotFoldableError:
        if not any(entry.is_symbolic for entry in known):
            raise
        return _folded(call, known, call.work.known)


def _folded(
    call: Call, known: Sequence[Known], settle: Callable[[Size], Size]
) -> tuple[Known, ...]:
    """Sizes as they are, or told by the inputs' letters: these compare where those do not."""
    arrays = [settled(entry.array(), settle) for entry in known]

    def compute(given: list[Array]) -> Array | list[Array]:
        rest = iter(given)
        return FOLDS[call.node.op](call, [None if e is None else next(rest) for e in call.entries])

    made = folded(call.node.op, arrays, compute, call.invalid)
    return tuple(known_of(array, _kind(call, array)) for array in made)


def _kind(call: Call, array: Array) -> Kind:
    """What the numbers of an array of sizes are."""
    if call.node.op == "Cast":
        return dtype_of(call.integer("to", 1)).kind
    return "bool" if array.dtype.kind == "b" else call.kind()


def _first(arrays: Sequence[Array | None]) -> Array:
    return _at(arrays, 0)


def _at(arrays: Sequence[Array | None], index: int) -> Array:
    found = arrays[index] if index < len(arrays) else None
    if found is None:
        raise ValueError(f"its input {index} is absent")
    return found


def _ints(call: Call, arrays: Sequence[Array | None], index: int, name: str) -> list[int] | None:
    """Whole numbers that are an input in newer opsets and an attribute in older ones."""
    if index < len(arrays) and (found := arrays[index]) is not None:
        return arrangement.numbers(found)
    listed = call.ints(name)
    return None if listed is None else list(listed)


def _binary(name: str) -> Fold:
    return lambda call, given: elementwise.binary(name, _first(given), _at(given, 1))


def _quotient(call: Call, given: Sequence[Array | None]) -> Array:
    """Of whole numbers rounded to 0."""
    name = "true_divide" if call.kind() == "float" else "divide"
    return elementwise.binary(name, _first(given), _at(given, 1))


def _unary(name: str) -> Fold:
    return lambda call, given: elementwise.unary(name, _first(given))


def _every(name: str) -> Fold:
    return lambda call, given: reduce(
        lambda a, b: elementwise.binary(name, a, b), [one for one in given if one is not None]
    )


def _reduced(name: str) -> Fold:
    def fold(call: Call, given: Sequence[Array | None]) -> Array:
        x = _first(given)
        axes = _ints(call, given, 1, "axes")
        if not axes and call.flag("noop_with_empty_axes"):
            return x
        named = tuple(axis % x.ndim for axis in axes) if axes else tuple(range(x.ndim))
        return elementwise.reduced(name, x, named, keepdims=call.integer("keepdims", 1) != 0)

    return fold


def _modulo(call: Call, given: Sequence[Array | None]) -> Array:
    if call.flag("fmod"):
        return elementwise.binary("fmod", _first(given), _at(given, 1))
    return elementwise.binary("mod", _first(given), _at(given, 1))


def _cast(call: Call, given: Sequence[Array | None]) -> Array:
    dtype = dtype_of(call.integer("to", 1))
    if not dtype.numpy:
        raise NotFoldableError(f"converts to {dtype.name}")
    name = "<f4" if dtype.name == "bfloat16" else dtype.numpy
    return elementwise.cast(_first(given), name)


def _gather(call: Call, given: Sequence[Array | None]) -> Array:
    return arrangement.picked(_first(given), _at(given, 1), call.integer("axis", 0))


NO_END: Final = (1 << 31) - 1
"""As the end of a Slice, from here on: where the axis ends."""


def _slice(call: Call, given: Sequence[Array | None]) -> Array:
    x = _first(given)
    begin, end = _ints(call, given, 1, "starts") or [], _ints(call, given, 2, "ends") or []
    axes, steps = _ints(call, given, 3, "axes"), _ints(call, given, 4, "steps")
    steps = steps or [1] * len(begin)
    if any(step < 0 and stop >= NO_END for step, stop in zip(steps, end, strict=False)):
        raise NotFoldableError("a Slice backwards whose end is open")
    bounds = [
        None if step < 0 and stop < -x.shape[axis] else stop
        for stop, step, axis in zip(end, steps, axes or range(x.ndim), strict=False)
    ]
    return arrangement.sliced(x, begin, bounds, axes, steps)


def _squeeze(call: Call, given: Sequence[Array | None]) -> Array:
    axes = _ints(call, given, 1, "axes")
    return _first(given).squeeze(None if axes is None else tuple(axes))


def _unsqueeze(call: Call, given: Sequence[Array | None]) -> Array:
    return arrangement.widened(_first(given), _ints(call, given, 1, "axes") or ())


def _reshape(call: Call, given: Sequence[Array | None]) -> Array:
    x = _first(given)
    shape = _ints(call, given, 1, "shape") or []
    if not call.flag("allowzero"):
        shape = [x.shape[at] if size == 0 else size for at, size in enumerate(shape)]
    return x.reshape(shape)


def _constant_of_shape(call: Call, given: Sequence[Array | None]) -> Array:
    return arrangement.filled(_first(given), fill_of(call))


def fill_of(call: Call) -> Array:
    """The number that a ConstantOfShape is full of, a float 0 where none is said."""
    found = call.node.attributes.get("value")
    tensor = found.message("t", "tensor") if found is not None else None
    if tensor is None:
        return few.made([0.0], (), "f4")
    from upconv.converters.readers.onnx.external import folder_of
    from upconv.converters.readers.onnx.tensors import read_tensor

    values = read_tensor(tensor, folder_of(call.origin.path)).native()
    if values.size != 1:
        raise call.invalid(f"a value of {values.size} numbers")
    return values.reshape(())


def _eye_like(call: Call, given: Sequence[Array | None]) -> Array:
    x = _first(given)
    if x.ndim != 2:
        raise call.invalid(f"its input has {x.ndim} axes, not 2")
    rows, columns = x.shape
    import numpy as np

    return np.eye(rows, columns, call.integer("k", 0)).astype(np.asarray(x).dtype)


def _split(call: Call, given: Sequence[Array | None]) -> list[Array]:
    x, axis = _first(given), call.integer("axis", 0)
    parts = _ints(call, given, 1, "split")
    if parts is None:
        count = call.integer("num_outputs", len(call.outputs))
        each = -(-x.shape[axis] // count)
        parts = [*[each] * (count - 1), x.shape[axis] - each * (count - 1)]
    return arrangement.split(x, parts, axis)


def _flatten(call: Call, given: Sequence[Array | None]) -> Array:
    x, axis = _first(given), call.integer("axis", 1)
    axis = axis if axis >= 0 else axis + x.ndim
    return x.reshape(prod(x.shape[:axis]), -1)


FOLDS: Final[Mapping[str, Fold]] = {
    **{
        name: _binary(ours)
        for name, ours in {
            **{"Add": "add", "Sub": "subtract", "Mul": "multiply", "Pow": "power"},
            **{"Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal"},
            **{"Less": "less", "LessOrEqual": "less_equal"},
            **{"And": "logical_and", "Or": "logical_or"},
        }.items()
    },
    **{
        name: _unary(name.lower())
        for name in ("Sqrt", "Exp", "Log", "Floor", "Ceil", "Round", "Sign", "Tanh")
    },
    **{name: _unary(name.lower()) for name in ("Sin", "Cos", "Reciprocal", "Sigmoid", "Relu")},
    "Neg": _unary("negative"),
    "Abs": _unary("absolute"),
    "Not": _unary("logical_not"),
    "Min": _every("minimum"),
    "Max": _every("maximum"),
    "Sum": _every("add"),
    **{f"Reduce{name}": _reduced(name.lower()) for name in ("Prod", "Sum", "Max", "Min", "Mean")},
    "Div": _quotient,
    "Mod": _modulo,
    "Cast": _cast,
    "Where": lambda call, given: elementwise.where(_first(given), _at(given, 1), _at(given, 2)),
    "Concat": lambda call, given: arrangement.joined(
        [one for one in given if one is not None], call.integer("axis", 1)
    ),
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda call, given: _first(given).transpose(call.ints("perm")),
    "Expand": lambda call, given: arrangement.expanded(_first(given), _at(given, 1)),
    "Tile": lambda call, given: arrangement.tiled(_first(given), _at(given, 1)),
    "Range": lambda call, given: arrangement.ranged(_first(given), _at(given, 1), _at(given, 2)),
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye_like,
}
"""Operator -> what it makes of known tensors."""
