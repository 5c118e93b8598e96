"""What TorchScript's functions mean on numbers, sizes and truth values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Final

from upconv.converters.ir.dims import Dim, maximum, minimum
from upconv.converters.ir.errors import MISFITS, UnsupportedError
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.script import dtypes, numbers
from upconv.converters.readers.torch.script.containers import CONTAINERS, bounded
from upconv.converters.readers.torch.script.values import Number, Unsure, Value, unsure
from upconv.converters.readers.torch.state.element_types import FLOAT


def _truth(value: Value) -> bool:
    if isinstance(value, Dim | Ratio):
        raise UnsupportedError("an open size as a truth value")
    return bool(value)


def _bitwise(plain: Callable[[Value, Value], Value]) -> Callable[..., Value]:
    """Of truth values a truth value, of integers their bits."""

    def combine(left: Value, right: Value) -> Value:
        if any(isinstance(one, Dim | Ratio | float) for one in (left, right)):
            raise UnsupportedError("the bits of what is no fixed integer")
        return plain(left, right)

    return combine


def _extreme(plain: Callable[..., Value], sizes: Callable[..., Value]) -> Callable[..., Value]:
    def choose(*values: Value) -> Value:
        if all(isinstance(one, int | float) for one in values):
            return plain(*values)
        if not all(numbers.is_integer(one) for one in values):
            raise UnsupportedError("the extreme of open sizes and real numbers")
        return sizes(*values)

    return choose


def _float(value: Value) -> Value:
    return numbers.ratio(value) if isinstance(value, Dim | Ratio) else float(value)


def _range_length(start: int, stop: int, step: int) -> int:
    return len(range(start, stop, step))


def is_in_place(name: str) -> bool:
    """Whether a function is one of the table's that writes into the tensor it is given."""
    return name.endswith("_") and name[:-1] in PLAIN


def _converted(number: Number, *arguments: Value) -> Number:
    """A tensor without axes in another element type, which stands among the arguments."""
    codes = (one for one in arguments if isinstance(one, int) and not isinstance(one, bool))
    kind = dtypes.FROM_CODE.get(next(codes, -1))
    if kind is None:
        return number
    if kind not in dtypes.FLOATING:
        return Number(numbers.truncated(number.value))
    value = _float(number.value)
    return Number(numbers.single(value), single=True) if kind == FLOAT else Number(value)


OF_NUMBER: Final[Mapping[str, Callable[..., Value]]] = {
    "to": _converted,
    **dict.fromkeys(("detach", "clone", "contiguous", "alias"), lambda number, *more: number),
}
"""Of a tensor without axes in front."""

PLAIN: Final[Mapping[str, Callable[..., Value]]] = {
    "add": numbers.add,
    "sub": numbers.subtract,
    "mul": numbers.multiply,
    "div": numbers.quotient,
    "floordiv": numbers.floor_divide,
    "floor_divide": numbers.floor_divide,
    "remainder": numbers.remainder,
    "pow": numbers.power,
    "neg": lambda value: numbers.multiply(value, -1),
    "floor": numbers.floored,
    "ceil": numbers.ceiled,
    "round": round,
    "abs": abs,
    "max": _extreme(max, maximum),
    "min": _extreme(min, minimum),
    **{name: getattr(math, name) for name in ("sqrt", "exp", "log", "log2", "cos", "sin")},
    **{name: numbers.compare(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "__is__": lambda left, right: left is right,
    "__isnot__": lambda left, right: left is not right,
    "__not__": lambda value: not _truth(value),
    "__and__": _bitwise(operator.and_),
    "__or__": _bitwise(operator.or_),
    "__range_length": _range_length,
    "__derive_index": lambda index, start, step: start + index * step,
    "Int": numbers.truncated,
    "Float": _float,
    "Bool": _truth,
    "str": str,
    "dict": dict,
    "list": list,
    "warn": lambda *arguments: None,
    "format": CONTAINERS["format"],
    "is_grad_enabled": lambda: False,
    "is_autocast_enabled": lambda *device: False,
    "is_scripting": lambda: True,
    "manual_seed": lambda seed: None,
    "unchecked_unwrap_optional": lambda value: value,
}
"""By the function's name behind torch. or ops.prim."""

ONLY_PLAIN: Final = frozenset({"eq", "ne", "lt", "le", "ge", "__not__", "__contains__"})
"""Those that no lowering takes: of what is not known they give what is not known."""

SHORT_CIRCUIT: Final = {"__and__": False, "__or__": True}
"""The truth value of one side that decides, whatever the other is."""

TENSOR_MAKERS: Final = frozenset({"NumToTensor", "scalar_tensor"})


def call(name: str, arguments: list[Value], keywords: Mapping[str, Value]) -> Value:
    """The result of a function on values of which none is a tensor with axes.

    Raises UnsupportedError for a function that is not known, or arguments that do not fit it.
    """
    first = arguments[0] if arguments else None
    is_container = isinstance(first, list | tuple | dict | str)
    table = CONTAINERS if is_container and name in CONTAINERS else PLAIN
    if isinstance(first, Number) and name in OF_NUMBER:
        return OF_NUMBER[name](first, *arguments[1:], *keywords.values())
    if isinstance(first, Number) and is_in_place(name):
        result = call(name[:-1], arguments, keywords)
        if isinstance(result, Number):
            first.value, first.single = result.value, result.single
            return first
        return result
    if name in TENSOR_MAKERS or (name == "tensor" and not isinstance(first, list | tuple)):
        return first if isinstance(first, Unsure | Number) else Number(first)
    if name not in table:
        raise UnsupportedError(f"the function {name} is not known")
    if name in SHORT_CIRCUIT and any(one is SHORT_CIRCUIT[name] for one in arguments):
        return SHORT_CIRCUIT[name]
    found = unsure(arguments)
    if found is not None and not is_container and name not in _INDIFFERENT:
        return Unsure(found.reason)
    try:
        return _checked(_applied(table[name], name, arguments, keywords, is_container))
    except MISFITS as error:
        raise UnsupportedError(
            f"the function {name} does not fit what it is given ({type(error).__name__})"
        ) from None


_IDENTITY: Final = frozenset({"__is__", "__isnot__"})
_INDIFFERENT: Final = frozenset({"warn", "unchecked_unwrap_optional"})
OF_ANYTHING: Final = _IDENTITY | _INDIFFERENT
"""Those that do not look into what they are given, tensors included."""


def _applied(
    function: Callable[..., Value],
    name: str,
    arguments: list[Value],
    keywords: Mapping[str, Value],
    is_container: bool,
) -> Value:
    """A function of tensors without axes gives such a tensor again."""
    held = [one for one in arguments if isinstance(one, Number)]
    if not held or is_container or name in _IDENTITY:
        return function(*arguments, **keywords)
    single = any(one.single for one in held)
    plain = [one.value if isinstance(one, Number) else one for one in arguments]
    result = function(*plain, **keywords)
    if isinstance(result, Unsure):
        return result
    exact = isinstance(result, bool) or (numbers.is_integer(result) and not single)
    return Number(result if exact else numbers.single(result), single=not exact)


def _checked(value: Value) -> Value:
    bounded(value)
    numbers.checked(value.value if isinstance(value, Number) else value)
    return value
