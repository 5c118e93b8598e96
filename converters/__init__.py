"""Model files in, ONNX out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model

__all__ = ["from_torch"]


def from_torch(
    module: Any, example_inputs: Sequence[Any], dynamic_shapes: Mapping[str, Any] | None = None
) -> Model:
    """The model of a live torch.nn.Module, the same that its exported file gives.

    `example_inputs` and `dynamic_shapes` are torch.export.export's. Batch normalisation and
    dropout are converted as they are at inference, so call `module.eval()` before.

    Raises UsageError for what is no module, and UnsupportedError where torch.export refuses it.
    """
    from upconv.converters.readers.torch.live import from_module

    return from_module(module, example_inputs, dynamic_shapes)
