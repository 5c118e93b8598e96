"""Every upsampling layer of a model as a small ONNX model of its own, with an index."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from upconv.converters.ir.errors import UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model, Shape, validate
from upconv.converters.ir.operators import UPSAMPLING
from upconv.converters.ir.records import record
from upconv.converters.ir.temporaries import remove_folder, temporary_folder
from upconv.converters.onnx_writer.options import WriteOptions, require_valid
from upconv.converters.onnx_writer.refusals import layer_problems, located, notice_problems, refuse
from upconv.converters.onnx_writer.save import data_path
from upconv.converters.onnx_writer.single_layer import part_of
from upconv.converters.onnx_writer.write import DEFAULTS, write_onnx
from upconv.converters.passes.live import live

INDEX: Final = "index.json"
GENERATOR: Final = "upconv --only upsampling"


@record(frozen=True, slots=True)
class UpsamplingFile:
    """One written layer; shapes are texts, dynamic sizes their expressions."""

    file: str
    layer: str
    operator: str
    form: str
    inputs: dict[str, tuple[str, ...]]
    outputs: dict[str, tuple[str, ...]]


def write_upsampling(
    model: Model, folder: str | Path, options: WriteOptions = DEFAULTS
) -> list[UpsamplingFile]:
    """Write NNN_<layer>.onnx for every upsampling layer of the model, and index.json.

    A file's inputs are the layer's own, tensors it only takes a size from among them. The folder
    appears whole or not at all; one that this function wrote before is replaced.

    Raises UsageError where the folder holds anything else or the model has no such layer,
    UnsupportedError that lists every layer that cannot be written.
    """
    require_valid(options)
    validate(model)
    target = Path(folder)
    _require_ours(target)
    parts = _parts(live(model))
    handle, staging = -1, None
    try:
        handle, staging = temporary_folder(target.parent)
        written = _write_parts(parts, staging, options)
        _write_index(model, options, written, staging)
        staging.chmod(0o755)
        _put(staging, target)
    except OSError as error:  # of the folder that was asked for, not of the hidden one
        raise OSError(error.errno, error.strerror, str(target)) from None
    finally:
        if staging is not None:
            remove_folder(handle, staging)
    return written


def _parts(model: Model) -> list[Model]:
    inference = infer(model)
    layers = [layer for layer in model.layers if isinstance(layer.operator, UPSAMPLING)]
    if not layers:
        raise UsageError("has no upsampling layers", path=model.path)
    weights = model.weights_path
    refuse(list(notice_problems(model)))
    refuse([problem for layer in layers for problem in _problems(layer, inference, weights)])
    return [part_of(model, layer, inference) for layer in layers]


def _problems(layer: Layer, inference: Inference, weights: str) -> Iterator[UpconvError]:
    yield from layer_problems(layer, inference, weights)
    for value in layer.inputs:
        if inference.shapes[value] is None:
            message = f"the shape of its input '{value}' is unknown"
            yield located(UnsupportedError(message, hint="give --input NAME=1x3xHxW"), layer)


def _write_parts(parts: list[Model], folder: Path, options: WriteOptions) -> list[UpsamplingFile]:
    written: list[UpsamplingFile] = []
    failures: list[UpconvError] = []
    for index, part in enumerate(parts):
        file = f"{index:03}_{sanitized(part.name)}.onnx"
        try:
            result = write_onnx(part, folder / file, options)
        except UnsupportedError as error:
            failures.append(error)
            continue
        written.append(_entry(part, file, result.forms[part.name]))
    refuse(failures)
    return written


def _entry(part: Model, file: str, form: str) -> UpsamplingFile:
    shapes = infer(part).shapes
    return UpsamplingFile(
        file,
        part.name,
        type(part.layers[0].operator).__name__,
        form,
        {entry.name: _texts(entry.shape) for entry in part.inputs},
        {name: _texts(shapes[name]) for name in part.outputs},
    )


def _texts(shape: Shape | None) -> tuple[str, ...]:
    return tuple(str(size) for size in shape or ())


def sanitized(name: str) -> str:
    """A layer's name as part of a file name on any system.

    >>> sanitized("score/up 2x")
    'score_up_2x'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]


def _write_index(
    model: Model, options: WriteOptions, written: list[UpsamplingFile], folder: Path
) -> None:
    index = {
        "schema_version": 1,
        "generator": GENERATOR,
        "model": model.path,
        "opset": options.version,
        "files": [asdict(entry) for entry in written],
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _require_ours(target: Path) -> None:
    """Raise UsageError unless the folder can be made, is empty, or holds only what we wrote."""
    if not target.parent.is_dir():
        hint = f"mkdir -p {target.parent}"
        raise UsageError("its folder does not exist", path=str(target), hint=hint)
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError("is a file; --only upsampling writes a folder", path=str(target))
    strangers = {entry.name for entry in target.iterdir()} - _written_before(target)
    if strangers:
        raise UsageError(
            f"holds files that were not written here, such as '{min(strangers)}'",
            path=str(target),
            hint="name a new folder",
        )


def _written_before(folder: Path) -> set[str]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["generator"] != GENERATOR:
            return set()
        files = {str(entry["file"]) for entry in index["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {INDEX} | files | {data_path(Path(file)).name for file in files}


def _put(staging: Path, target: Path) -> None:
    """Move the folder to its place; one of ours that stands there goes once the new one does."""
    if not target.exists():
        os.rename(staging, target)
        return
    handle, old = temporary_folder(target.parent)
    os.rename(target, old / "old")
    try:
        os.rename(staging, target)
    except OSError:
        os.rename(old / "old", target)
        raise
    finally:
        remove_folder(handle, old)
