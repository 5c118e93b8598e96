"""Element types in TorchScript: its numbers for them, and which type an operator gives."""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.readers.torch.state.element_types import BOOLEAN, FLOAT, INTEGER

FROM_CODE: Final = {**{code: code + 1 for code in range(8)}, 11: BOOLEAN, 15: 13}
"""c10's ScalarType (c10/core/ScalarType.h), as code has it -> the numbers of exported programs."""

TO_CODE: Final = {ours: code for code, ours in FROM_CODE.items()}
FLOATING: Final = frozenset({6, FLOAT, 8, 13})

TO_OTHER: Final = frozenset({"aten.to.other", "aten.type_as.default", "aten.expand_as.default"})
"""Targets whose output has the type of another tensor."""

_COMPARISONS: Final = ("gt", "ge", "lt", "le", "eq", "ne")
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
    return BOOLEAN if operator in _COMPARISONS else own
