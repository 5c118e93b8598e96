"""What TorchScript's functions mean on numbers, sizes and truth values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.script import dtypes, numbers
from upconv.converters.readers.torch.script.containers import CONTAINERS, bounded
from upconv.converters.readers.torch.script.functions import Function, takes
from upconv.converters.readers.torch.script.values import Number, Unsure, Value, unsure
from upconv.converters.readers.torch.state.element_types import FLOAT


def _truth(value: Value) -> bool:
    if isinstance(value, Dim | Ratio):
        raise UnsupportedError("an open size as a truth value")
    return bool(value)


def _bitwise(plain: Callable[[Value, Value], Value]) -> Callable[..., Value]:
    """Of truth values a truth value, of integers their bits."""

    def combine(left: Value, right: Value) -> Value:
        if not isinstance(left, int) or not isinstance(right, int):
            raise UnsupportedError("the bits of what is no fixed integer")
        return plain(left, right)

    return combine


def _float(value: Value) -> Value:
    return numbers.ratio(value) if isinstance(value, Dim | Ratio) else float(value)


def _dict(pairs: Sequence[Value] = ()) -> dict[Value, Value]:
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise UnsupportedError("a dict of what are no pairs")
    if not all(isinstance(key, str | int | float) for key, _ in pairs):
        raise UnsupportedError("a dict whose keys are not plain")
    return dict(pairs)


def _range_length(start: int, stop: int, step: int) -> int:
    if step == 0:
        raise UnsupportedError("a range without step")
    return max(-((start - stop) // step), 0)


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

PLAIN: Final[Mapping[str, Function]] = {
    "add": takes("number number", numbers.add),
    "sub": takes("number number", numbers.subtract),
    "rsub": takes("number number", lambda left, right: numbers.subtract(right, left)),
    "mul": takes("number number", numbers.multiply),
    "div": takes("number number [rounding_mode=str?]", numbers.quotient),
    "floordiv": takes("number number", numbers.floor_divide),
    "floor_divide": takes("number number", numbers.floor_divide),
    "remainder": takes("number number", numbers.remainder),
    "pow": takes("number number", numbers.power),
    "neg": takes("number", lambda value: numbers.multiply(value, -1)),
    "floor": takes("number", numbers.floored),
    "ceil": takes("number", numbers.ceiled),
    "round": takes("real", round, ValueError, OverflowError),
    "abs": takes("real", abs),
    "max": takes("number number *number", numbers.largest),
    "min": takes("number number *number", numbers.smallest),
    **{
        name: takes("real", getattr(math, name), ValueError, OverflowError)
        for name in ("sqrt", "exp", "log", "log2", "cos", "sin")
    },
    **{
        name: takes("any any", numbers.compare(name))
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
    },
    "__is__": takes("any any", lambda left, right: left is right),
    "__isnot__": takes("any any", lambda left, right: left is not right),
    "__not__": takes("any", lambda value: not _truth(value)),
    "__and__": takes("any any", _bitwise(operator.and_)),
    "__or__": takes("any any", _bitwise(operator.or_)),
    "__range_length": takes("index index index", _range_length),
    "__derive_index": takes(
        "integer integer integer", lambda index, start, step: start + index * step
    ),
    "Int": takes("number", numbers.truncated),
    "Float": takes("number", _float),
    "Bool": takes("any", _truth),
    "str": takes("any", str),
    "dict": takes("[list]", _dict),
    "list": takes("", list),
    "warn": takes("*any", lambda *arguments: None),
    "is_grad_enabled": takes("", lambda: False),
    "is_autocast_enabled": takes("*any", lambda *device: False),
    "is_scripting": takes("", lambda: True),
    "manual_seed": takes("any", lambda seed: None),
    "unchecked_unwrap_optional": takes("any", lambda value: value),
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
        return _as_tensor(first)
    if name not in table:
        raise UnsupportedError(f"the function {name} is not known")
    if name in SHORT_CIRCUIT and any(one is SHORT_CIRCUIT[name] for one in arguments):
        return SHORT_CIRCUIT[name]
    found = unsure(arguments)
    if found is not None and not is_container and name not in _INDIFFERENT:
        return Unsure(found.reason)
    return _checked(_applied(table[name], name, arguments, keywords, is_container))


def _as_tensor(value: Value) -> Value:
    """A number as a tensor without axes."""
    if isinstance(value, Unsure | Number):
        return value
    if not numbers.is_number(value):
        raise UnsupportedError("it makes a tensor of what is no number")
    return Number(value)


_IDENTITY: Final = frozenset({"__is__", "__isnot__"})
_INDIFFERENT: Final = frozenset({"warn", "unchecked_unwrap_optional"})
OF_ANYTHING: Final = _IDENTITY | _INDIFFERENT
"""Those that do not look into what they are given, tensors included."""


def _applied(
    function: Function,
    name: str,
    arguments: list[Value],
    keywords: Mapping[str, Value],
    is_container: bool,
) -> Value:
    """A function of tensors without axes gives such a tensor again."""
    held = [one for one in arguments if isinstance(one, Number)]
    if not held or is_container or name in _IDENTITY:
        return function(name, arguments, keywords)
    single = any(one.single for one in held)
    plain = [one.value if isinstance(one, Number) else one for one in arguments]
    result = function(name, plain, keywords)
    if not numbers.is_number(result):
        return result
    exact = isinstance(result, bool) or (numbers.is_integer(result) and not single)
    return Number(result if exact else numbers.single(result), single=not exact)


def _checked(value: Value) -> Value:
    bounded(value)
    numbers.checked(value.value if isinstance(value, Number) else value)
    return value
