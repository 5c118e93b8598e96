"""Layers that are calls in Python source, and what their arguments surely say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.model import Layer
from upconv.converters.readers.python_source.call import Call

if TYPE_CHECKING:
    from upconv.linter.context import Context

_RESIZING: Final = frozenset({"Upsample", "interpolate", "upsample"})


def calls(context: Context, framework: str) -> Iterator[tuple[Layer, Call]]:
    """The layers that are calls of a framework's functions and classes."""
    for layer in context.net.layers:
        call = layer.origin.node
        if isinstance(call, Call) and call.framework == framework:
            yield layer, call


def resizing(context: Context) -> Iterator[tuple[Layer, Call]]:
    """The calls of nn.Upsample, F.interpolate and F.upsample."""
    return ((layer, call) for layer, call in calls(context, "pytorch") if call.name in _RESIZING)


def is_present(call: Call, name: str) -> bool:
    """Whether an argument is surely given: a constant that is not None."""
    return name in call.arguments and call.known(name) and call.value(name) is not None


def is_absent(call: Call, name: str) -> bool:
    """Whether an argument is surely None."""
    return call.known(name) and call.value(name) is None


def antialiases(call: Call) -> bool:
    """Whether an interpolation surely filters before it makes an image smaller."""
    return "antialias" in call.defaults and bool(call.probably("antialias"))
