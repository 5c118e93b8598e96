"""A live module, exported by its own PyTorch and read as its file would be."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.ir.model import Model
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.exported.pt2 import read_archive


def from_module(
    module: Any, example_inputs: Sequence[Any], dynamic_shapes: Mapping[str, Any] | None = None
) -> Model:
    """The model that torch.export.save and the file reader give; see `upconv.from_torch`.

    The export goes through a temporary file, whose map outlives it, so that the weights are not
    held twice.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise UsageError(f"not a torch.nn.Module: {type(module).__name__}")
    name = type(module).__qualname__
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = str(Path(folder) / f"{name.rpartition('.')[2]}.pt2")
        _export(torch, module, tuple(example_inputs), dynamic_shapes, path)
        archive = Archive(map_file(path, "exported program"), name)
    return replace(read_archive(archive, ReadOptions()), name=name)


def _export(
    torch: Any, module: Any, inputs: tuple[Any, ...], shapes: Mapping[str, Any] | None, path: str
) -> None:
    try:
        program = torch.export.export(module, inputs, dynamic_shapes=shapes)
    except Exception as error:  # torch.export raises what the module raises, and much of its own
        reason = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            f"torch.export refuses the module: {reason}", path=type(module).__qualname__
        ) from error
    try:
        torch.export.save(program, path)
    except NotImplementedError as error:  # torch.max gives a tuple of a type of its own
        reason = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            f"torch.export.save refuses the program: {reason}",
            path=type(module).__qualname__,
            hint="return tensors, tuples, lists or dicts",
        ) from error
