"""A model in, an ONNX file out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from upconv.converters.ir.model import Model
from upconv.converters.onnx_writer.build import build
from upconv.converters.onnx_writer.options import WriteOptions, Written, require_valid
from upconv.converters.onnx_writer.save import save
from upconv.converters.onnx_writer.splice import must_be_spliced, write_spliced

DEFAULTS = WriteOptions()


def write_onnx(model: Model, path: str | Path, options: WriteOptions = DEFAULTS) -> Written:
    """Write a model as ONNX.

    Inputs, outputs and inner values keep the model's names; sizes that are symbols in the input
    shapes stay dynamic. Weights are float32 and go from their file to the ONNX file in chunks.

    Of a model from an ONNX file, nodes that are not understood are copied as they are (`splice`).

    Raises UsageError for options or a path that cannot be, UnsupportedError that lists all that
    ONNX cannot say, is unknown or is missing, one a line. A failed write leaves nothing behind.
    """
    require_valid(options)
    target = Path(path)
    if must_be_spliced(model, options):
        return write_spliced(model, target, options)
    built = build(model, options)
    external = save(built.proto, built.weights, target, options.external_data)
    return Written(target, options.version, external, built.forms, tuple(_retyped(model)))


def _retyped(model: Model) -> Iterator[tuple[str, str, str]]:
    """What is stated to be of another type than the one it is written as."""
    whole = model.integer_outputs | {entry.name for entry in model.inputs if entry.integer}
    for name in (*(entry.name for entry in model.inputs), *model.outputs):
        made, stated = "int64" if name in whole else "float32", model.element_types.get(name)
        if stated not in (None, made):
            yield name, made, stated
