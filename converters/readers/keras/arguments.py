"""Arguments of functions in a graph, wherever a version of Keras wrote them: among the arguments of
the call (Keras 2, and tensors of Keras 3), or in the operation's config (Keras 3)."""

from __future__ import annotations

from typing import Any

from upconv.converters.readers.keras.config import Ref
from upconv.converters.readers.keras.fields import is_int
from upconv.converters.readers.keras.lowering import KerasLayer


def argument(layer: KerasLayer, *names: str, place: int = 1, default: Any = None) -> Any:
    """The argument of any of these names, or at `place` among those without a name (the tensor
    is at 0); `default` where it is absent or null."""
    for source in (layer.call.keywords, layer.config):
        for name in names:
            if name in source and source[name] is not None:
                return source[name]
    listed = layer.call.arguments
    if place < len(listed) and listed[place] is not None and not isinstance(listed[place], Ref):
        return listed[place]
    return default


def whole(layer: KerasLayer, *names: str, place: int = 1, default: int | None = None) -> int:
    """A whole number."""
    value = argument(layer, *names, place=place, default=default)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not is_int(value):
        raise layer.unsupported(f"{layer.type} whose {names[0]} is no whole number")
    return int(value)


def wholes(layer: KerasLayer, *names: str, place: int = 1, default: Any = None) -> list[int]:
    """Whole numbers; a single one is a list of one."""
    value = argument(layer, *names, place=place, default=default)
    listed = [value] if is_int(value) else value
    if not isinstance(listed, list) or not all(map(is_int, listed)):
        raise layer.unsupported(f"{layer.type} whose {names[0]} are no whole numbers")
    return listed


def real(layer: KerasLayer, *names: str, place: int = 1, default: float | None = None) -> float:
    """A number."""
    value = argument(layer, *names, place=place, default=default)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise layer.unsupported(f"{layer.type} whose {names[0]} is no number")
    return float(value)
