"""The sizes that nets accept, against building them at each size."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.converters.audit.nets import (
    HEAD,
    NETS,
    conv,
    deconv,
    merge,
    pool,
    read,
    u_net,
)
from upconv.converters.audit.input_sizes import AxisSizes, InputSizes, input_sizes
from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Size, evaluate, symbol
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Layer, Model, ModelInput, Shape
from upconv.converters.ir.open_sizes import with_free_sizes, with_unknown_sizes
from upconv.converters.ir.tensors import missing
from upconv.converters.readers.caffe.reader import read_caffe
from upconv.converters.readers.options import ReadOptions

H, W = symbol("H"), symbol("W")
RESULTS = {"score", "fuse", "zoom", "c0", "back0"}
"""What the nets of `nets` are for; some have outputs beside it."""


def at(model: Model, sizes: Mapping[str, int]) -> Inference:
    """Everything of a model where its letters have these sizes."""
    inputs = tuple(
        replace(one, shape=one.shape and tuple(evaluate(size, sizes) for size in one.shape))
        for one in model.inputs
    )
    return infer(replace(model, inputs=inputs))


def runs(model: Model, letters: Inference, sizes: Mapping[str, int]) -> bool:
    """Whether nothing contradicts these sizes, and none that they decide is empty."""
    found = at(model, sizes)
    return not found.errors and all(
        _positive(shape, letters.shapes.get(value)) for value, shape in found.shapes.items()
    )


def _positive(shape: Shape | None, written: Shape | None) -> bool:
    pairs = zip(shape or (), written or (), strict=False)
    return all(isinstance(now, int) and now >= 1 for now, said in pairs if isinstance(said, Dim))


def one(found: InputSizes, name: str) -> AxisSizes:
    axis = found.axis(name)
    assert axis is not None
    return axis


def allowed(axis: AxisSizes) -> int:
    """A typical size of an axis."""
    assert axis.runs is not None
    size = axis.runs.above(64) or axis.runs.below(64)
    assert size is not None
    return size


@pytest.mark.parametrize("name", NETS)
def test_the_sets_are_what_every_size_says(name: str) -> None:
    model = read(NETS[name]())
    found, letters = input_sizes(model), infer(model)
    for letter, count in (("H", 512), ("W", 100)):
        axis, other = one(found, letter), "W" if letter == "H" else "H"
        fixed = {other: allowed(one(found, other))}
        assert axis.runs is not None
        assert axis.same_size is not None
        for size in range(1, count + 1):
            sizes = {letter: size, **fixed}
            assert runs(model, letters, sizes) is (size in axis.runs), size
            if size in axis.runs:
                assert _as_large(model, sizes, letter) is (size in axis.same_size), size


def _as_large(model: Model, sizes: Mapping[str, int], letter: str) -> bool:
    shapes = at(model, sizes).shapes
    (last,) = [shapes[value] for value in model.outputs if value in RESULTS]
    assert last is not None
    return last[-2 if letter == "H" else -1] == sizes[letter]


@pytest.mark.parametrize("name", NETS)
def test_a_grid_of_both_axes(name: str) -> None:
    model = read(NETS[name]())
    found, letters = input_sizes(model), infer(model)
    assert found.coupled == ()
    sets = [one(found, letter).runs or NONE for letter in "HW"]
    heights, widths = sets
    for height in range(1, 65):
        for width in range(1, 65):
            fits = height in heights and width in widths
            assert runs(model, letters, {"H": height, "W": width}) is fits, (height, width)


@pytest.mark.parametrize(
    ("name", "rule", "same"),
    [
        ("FCN-32s", "H >= 1", "H >= 1"),
        ("FCN-16s", "H >= 1", "H >= 1"),
        ("FCN-8s", "H >= 1", "H >= 1"),
        ("HED", "H >= 1", "H >= 1"),
        ("U-Net, floor", "H % 16 == 0", "H % 16 == 0"),
        ("U-Net, ceil", "H % 16 == 0", "H % 16 == 0"),
        ("SegNet", "H % 8 in {0, 7}", "H % 8 == 0"),
        ("PSPNet", "67 <= H <= 70", "H == 69"),
    ],
)
def test_rules_of_known_nets(name: str, rule: str, same: str) -> None:
    axis = one(input_sizes(read(NETS[name]())), "H")
    assert axis.runs is not None
    assert axis.same_size is not None
    assert (axis.runs.rule("H"), axis.same_size.rule("H")) == (rule, same)


def _torch_u_net(depth: int, joined: str, ceil: bool) -> Callable[[int, int], bool]:
    """The same U-Net in torch: whether it runs on an image of that size."""
    weight = torch.zeros(2, 2, 2, 2, device="meta")

    def net(height: int, width: int) -> None:
        x, skips = torch.zeros(1, 2, height, width, device="meta"), []
        for _ in range(depth):
            skips.append(x)
            x = torch.nn.functional.max_pool2d(x, 2, ceil_mode=ceil)
        for skip in reversed(skips):
            up = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
            x = skip + up if joined == "Eltwise" else torch.cat((skip, up), 1)[:, :2]

    def fits(height: int, width: int) -> bool:
        try:
            net(height, width)
        except RuntimeError:
            return False
        return True

    return fits


@pytest.mark.parametrize("rounding", ["FLOOR", "CEIL"])
def test_torch_joins_at_the_same_sizes(rounding: str) -> None:
    model = read(u_net(3, rounding))
    axis = one(input_sizes(model), "H")
    fits = _torch_u_net(3, "Concat", rounding == "CEIL")
    assert axis.runs is not None
    assert [fits(size, 64) for size in range(1, 200)] == [n in axis.runs for n in range(1, 200)]


def _broadcasting(model: Model) -> Model:
    """The net with sums that repeat axes of 1, as torch's do."""
    sums = ops.Eltwise("sum", broadcast=True)
    return replace(
        model,
        layers=tuple(
            replace(one, operator=sums) if isinstance(one.operator, ops.Eltwise) else one
            for one in model.layers
        ),
    )


@pytest.mark.parametrize("rounding", ["FLOOR", "CEIL"])
def test_torch_repeats_axes_of_one(rounding: str) -> None:
    """A skip of one pixel is added to two: it runs, and is no multiple of anything."""
    axis = one(input_sizes(_broadcasting(read(u_net(2, rounding, "Eltwise")))), "H")
    fits = _torch_u_net(2, "Eltwise", rounding == "CEIL")
    assert axis.runs is not None
    assert [fits(size, 64) for size in range(1, 200)] == [n in axis.runs for n in range(1, 200)]
    assert axis.runs.rule("H") == {"FLOOR": "H % 4 == 0", "CEIL": "H == 1 or H % 4 == 0"}[rounding]
    assert axis.same_size is not None
    assert axis.same_size.rule("H") == "H % 4 == 0"


def _one_layer(op: ops.Operator, *shapes: Shape, **weights: tuple[int, ...]) -> InputSizes:
    names = tuple(f"x{index}" for index in range(len(shapes)))
    inputs = tuple(map(ModelInput, names, shapes))
    stored = {name: missing(shape) for name, shape in weights.items()}
    results = ("y", "z") if isinstance(op, ops.Slice) else ("y",)
    layer = Layer("one", op, names, results, stored)
    return input_sizes(Model("net", "", "caffe", inputs, ("y",), (layer,)))


def test_a_fixed_inner_product_couples_the_axes() -> None:
    found = _one_layer(ops.Linear(10), (1, 4, H, W), weight=(10, 4 * 12))
    assert [str(condition) for condition in found.coupled] == ["H*W == 12"]
    assert one(found, "H").runs == one(found, "W").runs
    assert (one(found, "H").runs or NONE).rule("H") == "H in {1, 2, 3, 4, 6, 12}"


def test_squares_only() -> None:
    found = _one_layer(ops.Eltwise("sum"), (1, 4, H, W), (1, 4, W, H))
    assert [str(condition) for condition in found.coupled] == ["H == W"]
    assert one(found, "H").runs == one(found, "W").runs == EVERY


def test_a_rule_of_one_axis_is_the_other_ones_too_where_they_are_coupled() -> None:
    text = HEAD + conv("a", "data") + pool("p", "a") + deconv("up", "p", "kernel_size: 2 stride: 2")
    model = read(text + merge("sum", "up a"))
    turned = Layer("turn", ops.Permute((0, 1, 3, 2)), ("sum",), ("turned",))
    joined = Layer("join", ops.Concat(1), ("turned", "sum"), ("joined",))
    found = input_sizes(replace(model, layers=(*model.layers, turned, joined), outputs=("joined",)))
    assert [str(condition) for condition in found.coupled] == ["ceil(H/2) == ceil(W/2)"]
    rules = {axis.axis: (axis.runs or NONE).rule(axis.axis) for axis in found.axes}
    assert rules == {"H": "H % 2 == 0", "W": "W % 2 == 0"}


def test_squares_share_their_rules() -> None:
    """Only H is halved and brought back, and then a sum wants H == W."""
    pooling = ops.Pool("max", (2, 1), (2, 1), (1, 1), (0, 0), (0, 0), "floor", "never", False)
    layers = (
        Layer("turn", ops.Permute((0, 1, 3, 2)), ("x",), ("turned",)),
        Layer("sum", ops.Eltwise("sum"), ("x", "turned"), ("s",)),
        Layer("pool", pooling, ("s",), ("p",)),
        Layer("up", ops.Resize("nearest", "asymmetric", factor=(2, 1)), ("p",), ("u",)),
        Layer("join", ops.Concat(1), ("s", "u"), ("y",)),
    )
    inputs = (ModelInput("x", (1, 1, H, W)),)
    found = input_sizes(Model("net", "", "caffe", inputs, ("y",), layers))
    assert [str(condition) for condition in found.coupled] == ["H == W"]
    rules = {axis.axis: (axis.runs or NONE).rule(axis.axis) for axis in found.axes}
    assert rules == {"H": "H % 2 == 0", "W": "W % 2 == 0"}


def test_volumes_have_three_axes() -> None:
    D = symbol("D")
    two, one_, none = ((n,) * 3 for n in (2, 1, 0))
    pools = ops.Pool("max", two, two, one_, none, none, "floor", "never", False)
    ups = ops.ConvTranspose(1, two, two, one_, none, none, none)
    layers = (
        Layer("pool", pools, ("x",), ("p",)),
        Layer("up", ups, ("p",), ("u",)),
        Layer("join", ops.Concat(1), ("x", "u"), ("y",)),
    )
    inputs = (ModelInput("x", (1, 1, D, H, W)),)
    found = input_sizes(Model("v-net", "", "caffe", inputs, ("y",), layers))
    rules = [(axis.runs or NONE).rule(axis.axis) for axis in found.axes]
    assert rules == ["D % 2 == 0", "H % 2 == 0", "W % 2 == 0"]


@pytest.mark.parametrize(
    ("shape", "because"),
    [
        ((1, 4, H * W + H, W), "H*W mixes H and W"),
        ((1, 4, H * H - H, W), "it holds a product of sizes"),
    ],
)
def test_what_cannot_be_said_says_why(shape: tuple[Size, ...], because: str) -> None:
    found = _one_layer(ops.Slice(2, (5,)), shape)
    assert one(found, "H").runs is None
    assert because in one(found, "H").because


def test_unknown_layers_are_named_and_the_rest_is_still_said() -> None:
    text = u_net(1, "FLOOR") + 'layer { name: "odd" type: "Foo" bottom: "score" top: "odd" }\n'
    axis = one(input_sizes(read(text)), "H")
    assert axis.runs is None
    assert axis.because == "what 'odd' (Foo) does is not known"
    assert axis.known.rule("H") == "H % 2 == 0"


def test_failures_divide_what_does_not_run() -> None:
    axis = one(input_sizes(read(NETS["U-Net, valid"]())), "H")
    assert axis.runs is not None
    union = NONE
    for failure in axis.failures:
        assert union & failure.sizes == NONE
        union |= failure.sizes
        assert failure.first in failure.sizes
    assert union == ~axis.runs
    assert axis.failures[0].condition.layer.name == "a0"
    assert axis.failures[0].sizes.rule("H") == "H in {1, 2}"


def _corpus(shared: Path) -> list[Path]:
    return sorted((shared / "corpus" / "caffe").rglob("*.prototxt"))


def _opened(path: Path) -> Model | None:
    try:
        return with_free_sizes(with_unknown_sizes(read_caffe(str(path), ReadOptions())))
    except UpconvError:
        return None


def test_no_rule_of_the_corpus_is_false(shared: Path) -> None:
    """Each rule at 20 sizes within it and 20 outside, one axis at a time."""
    said = 0
    for path in _corpus(shared):
        model = _opened(path)
        found = input_sizes(model) if model is not None else None
        if model is None or found is None or found.coupled:
            continue
        letters, draw = infer(model), random.Random(path.name)
        typical = {a.axis: a.known.above(224) or a.known.below(224) or 8 for a in found.axes}
        for axis in found.axes:
            if axis.runs is None or axis.axis not in "HW" or runs_nowhere(found):
                continue
            said += 1
            for inside in (axis.runs, ~axis.runs):
                for size in _sampled(inside, draw):
                    fits = runs(model, letters, {**typical, axis.axis: size})
                    assert fits is (size in axis.runs), (path, axis.axis, size)
    assert said > 300


def runs_nowhere(found: InputSizes) -> bool:
    return any(axis.known == NONE for axis in found.axes)


def _sampled(inside: SizeSet, draw: random.Random) -> set[int]:
    near = (inside.above(draw.randint(1, 40)) for _ in range(8))
    far = (inside.above(draw.randint(1, 3000)) for _ in range(12))
    return {size for size in (*near, *far) if size is not None}


def test_what_ran_in_caffe_is_in_the_set(shared: Path) -> None:
    """Nets that real Caffe built at the size that their file gives."""
    checked = 0
    for line in (shared / "goldens" / "caffe-shapes.jsonl").read_text().splitlines():
        path = shared / "corpus" / "caffe" / json.loads(line)["file"]
        plain, model = read_caffe(str(path), ReadOptions()), _opened(path)
        if model is None:
            continue
        found = input_sizes(model)
        for entry, opened in zip(plain.inputs, model.inputs, strict=True):
            for size, letter in zip(entry.shape or (), opened.shape or (), strict=True):
                axis = found.axis(str(letter))
                if axis is not None and isinstance(size, int):
                    checked += 1
                    assert size in axis.known, (path, axis.axis)
    assert checked > 50
