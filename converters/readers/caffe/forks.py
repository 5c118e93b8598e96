"""What the lowerings of layers that only forks have expect alike."""

from __future__ import annotations

from collections.abc import Collection

from upconv.converters.ir.dims import Dim, like
from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.files.prototxt import Message


def require_fields(layer: CaffeLayer, param: Message, fields: Collection[str], fork: str) -> None:
    """Raise UnsupportedError where a parameter is given that the fork we follow does not have."""
    foreign = [field.name for field in param.fields if field.name not in fields]
    if foreign:
        raise layer.unsupported(
            f"gives {', '.join(dict.fromkeys(foreign))}, which {fork} does not have: "
            "it is written for another fork"
        )


def require_bottoms(layer: CaffeLayer, *counts: int) -> None:
    """Raise UnreadableError unless the layer has one of these numbers of bottoms."""
    if len(layer.bottoms) not in counts:
        wanted = " or ".join(map(str, counts))
        raise layer.invalid(f"takes {wanted} bottoms, but has {len(layer.bottoms)}")


def size_of(tensor: str) -> tuple[Dim, Dim]:
    """The height and width of a tensor, as expressions."""
    return like(tensor, 2), like(tensor, 3)
