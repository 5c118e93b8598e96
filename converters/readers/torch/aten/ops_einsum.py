"""Sums over letters (einsum)."""

from __future__ import annotations

from upconv.converters.readers.assembly.einsum import einsum
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers


@lowers("einsum.default")
def _einsum(call: AtenCall) -> None:
    tensors = [(call.value(one), call.rank(one)) for one in call.get("tensors")]
    operator, inputs = einsum(call.step, call.get("equation"), tensors)
    call.emit(operator, inputs)
