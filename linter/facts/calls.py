"""Layers that are calls in source code, and what their arguments surely say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.model import Layer
from upconv.converters.ir.written import Call

if TYPE_CHECKING:
    from upconv.linter.context import Context

_RESIZING: Final = frozenset({"Upsample", "interpolate", "upsample"})


def calls(context: Context, framework: str) -> Iterator[tuple[Layer, Call]]:
    """The layers that are calls of a framework's functions and classes."""
    for layer in context.net.layers:
        call = layer.origin.written.call
        if call is not None and call.framework == framework:
            yield layer, call


def resizing(context: Context) -> Iterator[tuple[Layer, Call]]:
    """The calls of nn.Upsample, F.interpolate and F.upsample."""
    return ((layer, call) for layer, call in calls(context, "pytorch") if call.name in _RESIZING)
