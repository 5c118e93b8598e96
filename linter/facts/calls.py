"""Layers that are calls in source code, and what their arguments surely say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir.model import Layer
from upconv.converters.ir.written import Call

if TYPE_CHECKING:
    from upconv.linter.context import Context


def calls(context: Context, framework: str) -> Iterator[tuple[Layer, Call]]:
    """The layers that are calls of a framework's functions and classes."""
    for layer in context.net.layers:
        call = layer.origin.written.call
        if call is not None and call.framework == framework:
            yield layer, call


def resizing(context: Context) -> Iterator[tuple[Layer, Call]]:
    """The calls of nn.Upsample, F.interpolate and F.upsample, which take a mode."""
    found = calls(context, "pytorch")
    return (
        (layer, call) for layer, call in found if call.takes("mode") and call.takes("scale_factor")
    )
