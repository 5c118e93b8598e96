"""A model and the ONNX file that is written of it mean the same, in every form of that file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from tests.converters.audit.nets import NETS
from tests.converters.onnx_writer.support import letters, one_layer, values, weights
from tests.support import ROOT, shared_folder
from upconv.converters.audit.comparison import Comparison, Read, compare, compare_files
from upconv.converters.audit.comparison.factors import joined_axes
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
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
        filled = fill_missing(model, ("bilinear",))
        write_onnx(filled, path, WriteOptions(bilinear=form))
        content = path.read_bytes()
        if content not in written:
            yield form, compare_files(source, opened(path))
        written.add(content)


@pytest.mark.parametrize("name", GOLDENS)
def test_files_of_one_size(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "goldens/caffe" / name
    weights = folder / "net.caffemodel"
    source = opened(folder / "net.prototxt", str(weights) if weights.exists() else "")
    for form, found in beside_its_onnx(source, source.plain, tmp_path):
        changing = [str(one) for one in found.differences if one.changes_numbers]
        assert not changing, (form, changing)
        assert found.matched > 0


@pytest.mark.parametrize(
    "name",
    [
        *("fcn8s_mini", "fcn32s_mini", "unet_mini", "pool_ceil", "dcgan_mini", "rect_hw"),
        *("bilinear_x3", "v1_style", "blocks_a"),
    ],
)
def test_files_of_open_sizes(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "goldens/caffe" / name
    weights = folder / "net.caffemodel"
    source = opened(folder / "net.prototxt", str(weights) if weights.exists() else "")
    for form, found in beside_its_onnx(source, source.lettered, tmp_path):
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


STEPS: list[tuple[str, ops.Operator, dict[str, tuple[int, ...]]]] = [
    ("within", ops.Lrn(3, 0.002, 0.75, 2.0, "within"), {}),
    ("mean", ops.MeanVarianceNorm(False, False, 1e-9), {}),
    ("deviation", ops.MeanVarianceNorm(True, False, 1e-9), {}),
    ("deviation of all", ops.MeanVarianceNorm(True, True, 1e-3), {}),
    ("layer norm", ops.LayerNorm(1, 1e-5), {}),
    ("of channels", ops.LayerNorm(1, 1e-5, 1), {"scale": (48,), "bias": (48,)}),
    ("of the last axis", ops.LayerNorm(-1, 1e-5), {"scale": (6,), "bias": (6,)}),
    ("groups", ops.GroupNorm(3, 1e-5), {"scale": (48,), "bias": (48,)}),
    ("length", ops.L2Normalize(False, 1e-10), {"scale": (48,)}),
    ("length of all", ops.L2Normalize(True, 1e-10), {"scale": (1,)}),
    ("power of 2", ops.Exp(2.0, 0.3, 0.1), {}),
    ("logarithm of 2", ops.Log(2.0, 0.3, 5.0), {}),
    ("swish", ops.Swish(1.5), {}),
    ("shuffle", ops.ChannelShuffle(3), {}),
    ("reorg", ops.SpaceToDepth(2, "darknet"), {}),
    ("reorg back", ops.DepthToSpace(2, "darknet"), {}),
    ("pixel unshuffle", ops.SpaceToDepth(2, "CRD"), {}),
    ("not equal", ops.Compare("not_equal", 0.5), {}),
    ("choice", ops.Where(1.0, 2.0), {}),
]


def in_steps(op: ops.Operator, shapes: dict[str, tuple[int, ...]], folder: Path) -> list[Model]:
    """A layer between two others, as it is and as its ONNX file says it."""
    plain = one_layer(op, (2, 48, 4, 6), **_drawn(shapes))
    (layer,) = plain.layers
    before = replace(layer, name="before", operator=ops.Relu(), outputs=("x",), weights={})
    behind = replace(layer, name="behind", operator=ops.Tanh(), inputs=("y",), weights={})
    here = replace(layer, inputs=("x",), outputs=("y",))
    model = replace(plain, layers=(before, here, behind))
    write_onnx(model, folder / "net.onnx")
    return [model, open_model(str(folder / "net.onnx"), ReadOptions())]


@pytest.mark.parametrize(("name", "op", "shapes"), STEPS, ids=[one[0] for one in STEPS])
def test_operators_in_steps(
    name: str, op: ops.Operator, shapes: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    """What ONNX has no node for is one layer again, with its settings: one that is another by a
    hundredth is told."""
    model, again = in_steps(op, shapes, tmp_path)
    found = compare(model, again, free=False)
    assert not [str(one) for one in found.differences if one.changes_numbers]
    assert found.matched == 3
    numbers = ("epsilon", "alpha", "beta", "k", "scale", "shift", "base")
    for field in numbers:
        number = getattr(op, field, None)
        if number is None or (isinstance(op, ops.MeanVarianceNorm) and not op.normalize_variance):
            continue
        layers = [
            replace(one, operator=replace(op, **{field: number * 1.01}))
            if one.operator == op
            else one
            for one in model.layers
        ]
        other = compare(replace(model, layers=tuple(layers)), again, free=False)
        changed = [one for one in other.differences if one.changes_numbers]
        assert {(one.kind, one.left) for one in changed} == {("setting", "layer")}, field


EVEN: ops.Pool = ops.Pool(
    "average", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "always", count_padding=False
)

ROWS: list[list[tuple[ops.Operator, dict[str, tuple[int, ...]]]]] = [
    [(ops.Resize("linear", "half_pixel", size=(2, 3), scale=(0.5, 0.5)), {})],
    [(ops.Resize("cubic", "half_pixel", size=(8, 6), cubic_a=-0.5, antialias=True), {})],
    [(EVEN, {})],
    [(ops.GroupNorm(48, 1e-5), {}), (ops.Power(scale=-1.0), {}), (ops.Softplus(), {})],
    [(ops.GroupNorm(4, 1e-5), {"scale": (48,), "bias": (48,)}), (ops.Power(scale=-1.0), {})],
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row[0][0]).__name__)
def test_rows_of_operators(
    row: list[tuple[ops.Operator, dict[str, tuple[int, ...]]]], tmp_path: Path
) -> None:
    """What is joined with its neighbour, or leaves a word out, on one side only."""
    plain = one_layer(row[0][0], (2, 48, 4, 6))
    layers = [
        Layer(f"l{at}", op, (f"v{at}",), (f"v{at + 1}",), weights(**_drawn(shapes)))
        for at, (op, shapes) in enumerate(row)
    ]
    layers[0] = replace(layers[0], inputs=("x0",))
    model = replace(plain, layers=tuple(layers), outputs=(f"v{len(row)}",))
    write_onnx(model, tmp_path / "net.onnx")
    again = open_model(str(tmp_path / "net.onnx"), ReadOptions())
    found = compare(model, again, free=False)
    assert not [str(one) for one in found.differences if one.changes_numbers]


def _drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    return {name: values(*shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", ["SegNet", "U-Net, sums", "HED", "DeepLab"])
def test_well_known_nets_of_open_sizes(name: str, tmp_path: Path) -> None:
    """Unpoolings by indices, sums that ONNX would stretch, cuts to the size of the input."""
    text = NETS[name]()
    filler = 'weight_filler { type: "constant" value: 0.5 } num_output'
    path = tmp_path / "net.prototxt"
    path.write_text(text.replace("num_output", filler), encoding="utf-8")
    source = opened(path)
    filled = [fill_missing(one, ("constant",)) for one in (source.plain, source.lettered)]
    for form, found in beside_its_onnx(Read(*filled), filled[1], tmp_path):
        assert not [str(one) for one in found.differences if one.changes_numbers], form


class Doubled(torch.nn.Module):  # type: ignore[misc]
    """Twice as large, by a factor or to the size that this makes of 8 x 8."""

    def __init__(self, by_factor: bool) -> None:
        super().__init__()
        self.by_factor = by_factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.by_factor:
            return torch.nn.functional.interpolate(x, scale_factor=2.0)
        return torch.nn.functional.interpolate(x, size=(16, 16))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_size_of_a_trace_is_no_promise(tmp_path: Path) -> None:
    """Two traces that are the same at their example differ, for both run at other sizes; beside a
    file that takes this size only they are the same."""
    example = torch.zeros(1, 3, 8, 8)
    reads = []
    for by_factor in (True, False):
        path = tmp_path / f"{by_factor}.pt"
        torch.jit.trace(Doubled(by_factor), example).save(path)
        reads.append(opened(path))
    assert all(one.plain.inputs[0].shape == (1, 3, 8, 8) for one in reads)
    assert not compare_files(*reads).same
    assert compare_files(reads[0], reads[0]).same
    write_onnx(reads[1].plain, tmp_path / "net.onnx")
    found = compare_files(reads[0], opened(tmp_path / "net.onnx"))
    assert found.same
    assert any("at other sizes" in str(one) for one in found.differences)


def test_a_cut_by_the_size_of_the_cut_before_it() -> None:
    """Two cuts are one, whose sizes are told by what the first one reads."""

    def cuts(*sizes: Size) -> Model:
        layers = (
            Layer("high", ops.Crop(2, (1,), (like("x0", 2) - 2,)), ("x0",), ("high",)),
            Layer("wide", ops.Crop(3, (1,), sizes), ("high",), ("wide",)),
        )
        plain = one_layer(ops.Relu(), letters((1, 3, 8, 8), "HW"))
        return replace(plain, layers=layers, outputs=("wide",))

    by_value, again = cuts(like("high", 2) - 3), cuts(like("high", 3) - 3)
    assert compare(by_value, by_value, free=False).matched == 1
    assert compare(again, again, free=False).same
    assert not compare(by_value, again, free=False).same
