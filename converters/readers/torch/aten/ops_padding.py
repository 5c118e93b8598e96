"""Padding in torch's modes."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

Edge = Literal["constant", "reflect", "edge"]
PAD_MODES: Final[dict[str, Edge]] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
}


@lowers("pad.default", "constant_pad_nd.default")
def _pad(call: AtenCall) -> None:
    mode = call.get("mode", "constant")
    value = call.get("value")
    if mode == "circular":
        _circular(call)
        return
    if mode not in PAD_MODES:
        raise UnsupportedError(f"its padding mode is '{mode}'")
    _padded(call, PAD_MODES[mode], 0.0 if value is None else float(call.number("value", 0.0)))


@lowers(*(f"reflection_pad{n}d.default" for n in (1, 2, 3)))
def _reflect(call: AtenCall) -> None:
    _padded(call, "reflect", 0.0, "padding")


@lowers(*(f"replication_pad{n}d.default" for n in (1, 2, 3)))
def _replicate(call: AtenCall) -> None:
    _padded(call, "edge", 0.0, "padding")


def _padded(call: AtenCall, mode: Edge, value: float, name: str = "pad") -> None:
    begin, end = _amounts(call, name)
    if mode != "constant" and any(map(_runs_out, call.shape(), begin, end)):
        raise UnsupportedError(f"it cuts off pixels that its padding ({mode}) repeats")
    call.emit(ops.Pad(begin, end, mode, value), [call.value("self")])


def _runs_out(size: Size, begin: Size, end: Size) -> bool:
    """Whether a negative amount leaves too little of an axis for a positive one beside it: torch
    repeats the pixels of the whole input."""
    amounts = [n for n in (size, begin, end) if isinstance(n, int)]
    if len(amounts) < 3 or min(amounts[1:]) >= 0:
        return False
    left = amounts[0] + sum(min(n, 0) for n in amounts[1:])
    return left <= max(amounts[1:])


def _amounts(call: AtenCall, name: str) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """torch lists (begin, end) pairs from the last axis on."""
    listed = call.get(name)
    if len(listed) % 2:
        raise UnsupportedError(f"its {name} has {len(listed)} values, which are no pairs")
    if len(listed) > 2 * call.rank():
        raise UnsupportedError(f"it pads {len(listed) // 2} axes of {call.rank()}")
    pairs = list(zip(listed[::2], listed[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (call.rank() - len(pairs)) + pairs
    return tuple(begin for begin, _ in pairs), tuple(end for _, end in pairs)


def _circular(call: AtenCall) -> None:
    """The end before the begin, and the begin behind the end."""
    begins, ends = _amounts(call, "pad")
    known = [amount for amount in (*begins, *ends) if isinstance(amount, int)]
    if len(known) < 2 * len(begins) or min(known) < 0:
        raise UnsupportedError("a circular padding by amounts that change or cut")
    value = call.value("self")
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        size = call.shape()[axis]
        parts = []
        if begin != 0:
            parts.append(call.step(ops.Crop(axis, (size - begin,), (begin,)), [value], f"e{axis}"))
        parts.append(value)
        if end != 0:
            parts.append(call.step(ops.Crop(axis, (0,), (end,)), [value], f"b{axis}"))
        if len(parts) > 1:
            value = call.step(ops.Concat(axis), parts, f"circle{axis}")
    call.emit(ops.Identity(), [value])
