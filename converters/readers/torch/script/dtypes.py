"""Element types in TorchScript: its numbers for them, and which type an operator gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.script.values import Number, tensors
from upconv.converters.readers.torch.state.element_types import BOOLEAN, FLOAT, INTEGER

FROM_CODE: Final = {**{code: code + 1 for code in range(8)}, 11: BOOLEAN, 15: 13}
"""c10's ScalarType (c10/core/ScalarType.h), as code has it -> the numbers of exported programs."""

TO_CODE: Final = {ours: code for code, ours in FROM_CODE.items()}
FLOATING: Final = frozenset({6, FLOAT, 8, 13})

TO_OTHER: Final = frozenset({"aten.to.other", "aten.type_as.default", "aten.expand_as.default"})
"""Targets whose output has the type of another tensor."""

_TRUTHS: Final = (
    *("gt", "ge", "lt", "le", "eq", "ne", "isnan"),
    *("greater", "greater_equal", "less", "less_equal", "not_equal"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
)
_FRACTIONS: Final = (
    *("div", "true_divide", "reciprocal", "sqrt", "rsqrt", "softmax", "log_softmax"),
    *("exp", "exp2", "log", "log2", "log10", "log1p", "sin", "cos", "tanh", "sigmoid", "erf"),
)
"""Operators that make whole numbers fractions."""

_COUNTS: Final = frozenset(("sum", "cumsum"))
"""Operators that make truth values whole numbers."""

_OPERANDS: Final = ("self", "other", "tensors", "exponent", "value")
_INDICES: Final = ("argmax", "argmin", "argsort")
_WITH_INDICES: Final = ("max_pool", "adaptive_max_pool", "max.", "min.", "topk", "sort")


def of_output(target: str, requested: Any, index: int, own: int) -> int:
    """The type of an output: the requested one, that of indices, or that of the first tensor.

    >>> of_output("aten.max_pool2d_with_indices.default", None, 1, FLOAT) == INTEGER
    True
    """
    name = target.removeprefix("aten.")
    if isinstance(requested, int):
        return FROM_CODE.get(requested, own)
    if index == 1 and name.startswith(_WITH_INDICES):
        return INTEGER
    operator = name.partition(".")[0]
    if operator in _INDICES:
        return INTEGER
    if operator in _TRUTHS:
        return BOOLEAN
    if operator in _FRACTIONS and own not in FLOATING and not name.endswith("_mode"):
        return FLOAT
    return INTEGER if operator in _COUNTS and own == BOOLEAN else own


def promoted(given: Mapping[str, Any], dtype_of: Callable[[TensorRef], int]) -> int:
    """The type that operands have together: fractions before whole numbers before truth values, a
    number weighing less than a tensor of its kind (c10/core/ScalarType.h, promoteTypes)."""
    first = next(tensors(given), None)
    found = [dtype_of(one) for name in _OPERANDS for one in tensors(given.get(name))]
    own = FLOAT if first is None else max(found or [dtype_of(first)], key=_rank)
    values = [given.get(name) for name in _OPERANDS]
    values = [one.value if isinstance(one, Number) else one for one in values]
    numbers = [one for one in values if isinstance(one, int | float)]
    if own not in FLOATING and any(isinstance(one, float) for one in numbers):
        return FLOAT
    whole = any(not isinstance(one, bool | float) for one in numbers)
    return INTEGER if own == BOOLEAN and whole else own


def _rank(dtype: int) -> tuple[bool, bool]:
    return dtype in FLOATING, dtype != BOOLEAN
