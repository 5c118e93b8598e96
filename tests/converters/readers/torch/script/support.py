"""TorchScript files of modules: saved once a run, converted, compared with PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.converters.readers.torch.script.nets import KINDS
from tests.converters.readers.torch.support import TOLERANCE, flat, run
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions


def saved(module: Any, kind: str, example: Any, path: Path) -> Path:
    """The module as a file of that kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.13 calls all of TorchScript deprecated
        KINDS[kind](module, example).save(str(path))
    return path


def loaded(path: Path) -> Any:
    """The module in a file, as PyTorch runs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(str(path))


def opened(path: Path, **shapes: tuple[Size, ...]) -> Model:
    return open_model(str(path), ReadOptions(inputs=shapes))


def converted(path: Path, shapes: Mapping[str, tuple[Size, ...]], folder: Path) -> Path:
    model = opened(path, **shapes)
    assert not model.notices, [str(notice.error) for notice in model.notices]
    target = folder / "net.onnx"
    write_onnx(model, target)
    return target


def equal(module: Any, target: Path, inputs: Sequence[tuple[int, ...]]) -> None:
    """What the file computes is what the module computes, on noise of that shape."""
    for seed, shape in enumerate(inputs):
        x = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))
        with torch.no_grad():
            wanted = [one.numpy() for one in flat(module(x))]
        for want, got in zip(wanted, run(target, [x]), strict=True):
            assert got.shape == want.shape
            limit = TOLERANCE * float(np.abs(want).max())
            np.testing.assert_allclose(got, want, rtol=0, atol=limit)
