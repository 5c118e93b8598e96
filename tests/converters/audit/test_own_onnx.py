"""A model and the ONNX file that is written of it mean the same, in every form of that file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tests.support import ROOT, shared_folder
from upconv.converters.audit.comparison import Comparison, Read, compare_files
from upconv.converters.audit.comparison.factors import joined_axes
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.open_sizes import image_letters, with_image_letters
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.options import Bilinear
from upconv.converters.passes.channels import channels_first
from upconv.converters.passes.fill import fill_missing
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

FORMS = get_args(Bilinear)
GOLDENS = sorted(net.parent.name for net in shared_folder().glob("goldens/caffe/*/net.prototxt"))
SPLIT = frozenset({"blocks_a"})
"""Nets with operators that ONNX has no node for (normalisations by mean and variance, LRN within
channels), whose parts a comparison does not put together again."""


def opened(path: Path, weights: str = "") -> Read:
    """A model as its file has it, and with letters for its sizes."""
    plain = open_model(str(path), ReadOptions(weights))
    letters = image_letters(plain.inputs)
    inputs = {}
    for entry in plain.inputs:
        if entry.name in letters:
            shape = with_image_letters(entry, letters[entry.name])
            assert shape is not None
            inputs[entry.name] = shape
    return Read(plain, open_model(str(path), ReadOptions(weights, inputs)))


def beside_its_onnx(source: Read, model: Model, folder: Path) -> Iterator[tuple[str, Comparison]]:
    """Each form, with what differs between the source and the file of that form."""
    written: set[bytes] = set()
    path = folder / "net.onnx"
    for form in FORMS:
        write_onnx(fill_missing(model, ("bilinear",)), path, WriteOptions(bilinear=form))
        content = path.read_bytes()
        if content not in written:
            yield form, compare_files(source, opened(path))
        written.add(content)


@pytest.mark.parametrize("name", GOLDENS)
def test_files_of_one_size(name: str, shared: Path, tmp_path: Path) -> None:
    if name in SPLIT:
        pytest.skip("its parts are not put together again")
    folder = shared / "goldens/caffe" / name
    weights = folder / "net.caffemodel"
    source = opened(folder / "net.prototxt", str(weights) if weights.exists() else "")
    for form, found in beside_its_onnx(source, source.plain, tmp_path):
        changing = [str(one) for one in found.differences if one.changes_numbers]
        assert not changing, (form, changing)
        assert found.matched > 0


@pytest.mark.parametrize("name", ["fcn8s_mini", "unet_mini", "pool_ceil", "dcgan_mini", "rect_hw"])
def test_files_of_open_sizes(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "goldens/caffe" / name
    weights = folder / "net.caffemodel"
    source = opened(folder / "net.prototxt", str(weights) if weights.exists() else "")
    for form, found in beside_its_onnx(source, source.lettered, tmp_path):
        if form == "matmul":
            continue  # the matrices of open sizes are made as the file runs, and not seen through
        changing = [str(one) for one in found.differences if one.changes_numbers]
        assert not changing, (form, changing)


@pytest.mark.parametrize("name", ["frozen", "nested"])
def test_files_with_channels_last(name: str, tmp_path: Path) -> None:
    """Keras' images stay channels last in their ONNX file, which turns them first and last."""
    source = ROOT / "fixtures" / "keras2" / f"{name}.keras"
    path = tmp_path / "net.onnx"
    write_onnx(open_model(str(source), ReadOptions()), path)
    models = [channels_first(open_model(str(one), ReadOptions())) for one in (source, path)]
    assert models[0].channels_last == models[1].channels_last != frozenset()
    found = compare_files(*(Read(model, model) for model in models))
    assert not [str(one) for one in found.differences if one.changes_numbers]
    assert found.matched >= 3


def _along(axis: int, kernel: int, stride: int) -> Layer:
    """A transposed convolution of each of two channels along one axis."""

    def of(value: int, rest: int) -> tuple[int, int]:
        return (value, rest) if axis == 0 else (rest, value)

    shape = (kernel, 1) if axis == 0 else (1, kernel)
    op = ops.ConvTranspose(
        2, of(kernel, 1), of(stride, 1), (1, 1), of(1, 0), of(1, 0), (0, 0), groups=2
    )
    taps = np.arange(1, 2 * kernel + 1, dtype=np.float32).reshape(2, 1, *shape)
    return Layer(f"a{axis}", op, ("x",), (f"y{axis}",), {"weight": weight_of(taps)})


def test_two_axes_are_one_layer_only_where_they_are_apart() -> None:
    first, second = _along(0, 4, 2), _along(1, 3, 3)
    whole = joined_axes(first, second)
    assert whole is not None
    assert isinstance(whole.operator, ops.ConvTranspose)
    assert (whole.operator.kernel, whole.operator.stride) == ((4, 3), (2, 3))
    product = first.weights["weight"].array() * second.weights["weight"].array()
    assert np.array_equal(whole.weights["weight"].array(), product)
    assert joined_axes(first, first) is None
    biased = replace(first, weights={**first.weights, "bias": weight_of(np.ones(2, np.float32))})
    assert joined_axes(biased, second) is None
