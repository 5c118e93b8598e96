"""Comparing with the source, in this very process: the framework is loaded already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.against_source import source_stimuli, verify_against
from upconv.converters.proof.report import Verification
from upconv.converters.proof.source import run_source
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

Change = Callable[[Layer], Layer]


def unchanged(layer: Layer) -> Layer:
    return layer


def shifted(layer: Layer) -> Layer:
    """A pixel of padding moved from one side to the other, in the last axis: the same sizes."""
    operator = layer.operator
    if not isinstance(operator, ConvTranspose):
        return layer
    begin, end = list(operator.pads_begin), list(operator.pads_end)
    step = -1 if begin[-1] else 1
    begin[-1], end[-1] = begin[-1] + step, end[-1] - step
    return replace(layer, operator=replace(operator, pads_begin=tuple(begin), pads_end=tuple(end)))


def against_source(
    path: Path, options: ReadOptions | None = None, change: Change = unchanged
) -> Verification:
    """Convert a file as a reader would that makes this mistake, and compare with its framework.

    The reference never sees the mistake: it takes the reader's word.
    """
    options = options or ReadOptions()
    read = open_model(str(path), options)
    model = replace(read, layers=tuple(change(layer) for layer in read.layers))
    target = path.with_suffix(".onnx")
    write_onnx(model, target)
    if change is not unchanged:
        assert verify(model, str(target)).verdict == "pass"
    return compare(model, target, options)


def compare(model: Model, onnx_path: Path, options: ReadOptions | None = None) -> Verification:
    """The comparison of an ONNX file with a model's framework."""
    run = run_source(model, options or ReadOptions(), source_stimuli(model, 0))
    return verify_against(model, str(onnx_path), run)
