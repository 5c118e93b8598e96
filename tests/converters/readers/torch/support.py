"""Functions of tensors as modules: exported, converted, run, compared with PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from upconv import from_torch
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx

AUTO = torch.export.Dim.AUTO
TOLERANCE = 1e-5


class Function(torch.nn.Module):  # type: ignore[misc]
    """A module that computes a function of itself and its inputs; `parts` are its own."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.nn.Module):
                self.add_module(name, part)
            else:
                self.register_buffer(name, part)

    def forward(self, x: Any, y: Any = None) -> Any:
        return self.function(self, x) if y is None else self.function(self, x, y)


def values(*shape: int, seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return torch.from_numpy(noise)


def model_of(module: Any, inputs: Sequence[Any], dynamic: Any = None) -> Model:
    shapes = None if dynamic is None else dict(zip("xy", dynamic, strict=False))
    return from_torch(module.eval(), tuple(inputs), dynamic_shapes=shapes)


def compare(
    module: Any,
    inputs: Sequence[Any],
    folder: Path,
    dynamic: Any = None,
    others: Sequence[Sequence[Any]] = (),
    tolerance: float = TOLERANCE,
) -> Model:
    """Convert, and compare with PyTorch on the example's inputs and on others."""
    model = model_of(module, inputs, dynamic)
    assert not model.notices, [str(notice.error) for notice in model.notices]
    path = folder / "net.onnx"
    write_onnx(model, path)
    for feeds in (inputs, *others):
        wanted = flat(module(*feeds))
        for want, got in zip(wanted, run(path, feeds), strict=True):
            assert tuple(want.shape) == got.shape
            exact = want.detach().numpy()
            limit = tolerance * float(np.abs(exact).max()) if exact.size else 0.0
            np.testing.assert_allclose(got, exact, rtol=0, atol=limit)
    return model


def run(path: Path, feeds: Sequence[Any]) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    names = [entry.name for entry in session.get_inputs()]
    found: list[Any] = session.run(
        None, {name: x.numpy() for name, x in zip(names, feeds, strict=True)}
    )
    return found


def flat(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return list(results.values())
    return list(results) if isinstance(results, tuple | list) else [results]
