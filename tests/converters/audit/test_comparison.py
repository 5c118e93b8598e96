"""Two models compared by meaning: seeded changes of meaning are named, changes of form are not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.converters.audit.nets import (
    HEAD,
    NETS,
    conv,
    crop,
    deconv,
    fcn,
    hed,
    merge,
    pool,
    u_net,
)
from upconv.converters.audit.comparison import Comparison, Difference, compare
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer
from upconv.converters.ir.kernels import bilinear_kernel
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.origin import Source
from upconv.converters.ir.tensors import weight_of
from upconv.converters.ir.weight_shapes import expected_weights
from upconv.converters.passes.rename import renamed
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions


def read(text: str, seed: int = 0) -> Model:
    """A net with random weights."""
    model = read_caffe_source(Source("net.prototxt", text), ReadOptions())
    shapes, draw = infer(model).shapes, np.random.default_rng(seed)
    layers = []
    for layer in model.layers:
        x = shapes[layer.inputs[0]] if layer.inputs else None
        expected = expected_weights(layer, x) if x is not None and layer.weights else {}
        stored = {}
        for name in layer.weights:
            shape = expected.get(name, (x[1],) if x is not None else ())
            plain = tuple(int(str(size)) for size in shape)
            values = draw.standard_normal(plain).astype(np.float32)
            stored[name] = weight_of(
                np.abs(values) + np.float32(0.5) if name == "variance" else values
            )
        layers.append(replace(layer, weights=stored))
    return replace(model, layers=tuple(layers))


def layer_text(name: str, kind: str, bottom: str, words: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {words} }}\n'


def normalised() -> str:
    """A U-Net with BatchNorm, Scale and ReLU behind each convolution, and a head."""
    text, current = HEAD, "data"
    for level in range(2):
        text += conv(f"conv{level}", current, out=4) + layer_text(
            f"bn{level}", "BatchNorm", f"conv{level}"
        )
        text += layer_text(
            f"scale{level}", "Scale", f"bn{level}", "scale_param { bias_term: true }"
        )
        text += layer_text(f"relu{level}", "ReLU", f"scale{level}")
        current = f"pool{level}"
        text += pool(current, f"relu{level}")
    for level in (1, 0):
        text += deconv(f"up{level}", current, "kernel_size: 4 stride: 2 pad: 1", out=4)
        text += crop(f"crop{level}", f"up{level} relu{level}", 0)
        text += merge(f"join{level}", f"relu{level} crop{level}", "Concat")
        text += conv(f"back{level}", f"join{level}", out=4) + layer_text(
            f"elu{level}", "ELU", f"back{level}"
        )
        current = f"elu{level}"
    text += conv("score", current, "kernel_size: 1")
    return text + layer_text("zoom", "Interp", "score", "interp_param { zoom_factor: 2 }")


BASES: dict[str, Model] = {
    "normalised": read(normalised()),
    "FCN-8s": read(fcn(8)),
    "HED": read(hed()),
    "U-Net": read(u_net(3, "FLOOR", "Eltwise")),
}


def changed(model: Model, layer: Layer, **fields: Any) -> Model:
    """The model with another version of one layer."""
    new = replace(layer, **fields)
    return replace(model, layers=tuple(new if one is layer else one for one in model.layers))


def said(found: Comparison) -> list[str]:
    return [str(one) for one in found.differences]


Change = Callable[[Model, Layer, random.Random], Model | None]


def _another_pad(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    if not isinstance(op, ops.Conv | ops.ConvTranspose | ops.Pool):
        return None
    begin = (op.pads_begin[0] + draw.choice([1, 2]), *op.pads_begin[1:])
    return changed(model, layer, operator=replace(op, pads_begin=begin))


def _another_stride(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    if not isinstance(op, ops.Conv | ops.Pool):
        return None
    return changed(model, layer, operator=replace(op, stride=(op.stride[0] + 1, *op.stride[1:])))


def _another_dilation(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    if not isinstance(op, ops.Conv) or max(op.kernel) == 1:
        return None
    return changed(model, layer, operator=replace(op, dilation=(2, 2)))


def _another_offset(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    if not isinstance(op, ops.Crop):
        return None
    offsets = tuple(int(str(n)) for n in op.offsets)
    return changed(model, layer, operator=replace(op, offsets=(offsets[0] + 1, *offsets[1:])))


def _other_corners(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    if not isinstance(op, ops.Resize):
        return None
    return changed(model, layer, operator=replace(op, coordinate_mode="half_pixel"))


def _one_weight(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    names = [name for name, weight in layer.weights.items() if weight.present]
    if not names:
        return None
    name = draw.choice(names)
    values = layer.weights[name].array().copy()
    flat = values.reshape(-1)
    flat[draw.randrange(flat.size)] += np.float32(0.25)
    return changed(model, layer, weights={**layer.weights, name: weight_of(values)})


def _swapped_branches(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    if not isinstance(layer.operator, ops.Concat):
        return None
    return changed(model, layer, inputs=layer.inputs[::-1])


def _another_branch(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    """A merge reads one of its inputs twice."""
    if not isinstance(layer.operator, ops.Concat | ops.Eltwise):
        return None
    return changed(model, layer, inputs=(*layer.inputs[:-1], layer.inputs[0]))


def _another_activation(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    if not isinstance(layer.operator, ops.Relu | ops.Elu):
        return None
    other = draw.choice([ops.Sigmoid(), ops.Relu(0.1), ops.Elu(0.5), ops.Tanh()])
    return changed(model, layer, operator=other)


def _another_pooling(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    op = layer.operator
    return (
        changed(model, layer, operator=replace(op, kind="average"))
        if isinstance(op, ops.Pool)
        else None
    )


def _without(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    """A layer that keeps the size is gone."""
    if not isinstance(layer.operator, ops.Relu | ops.Elu) or layer.outputs[0] in model.outputs:
        return None
    rest = (one for one in model.layers if one is not layer)
    names = {layer.outputs[0]: layer.inputs[0]}
    return replace(model, layers=tuple(renamed(one, names) for one in rest))


def _with_another(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    """One layer more: the original is then what lacks it."""
    if len(layer.outputs) != 1 or layer.outputs[0] in model.outputs:
        return None
    value = layer.outputs[0]
    layers: list[Layer] = []
    for one in model.layers:
        layers.append(one if one is layer else renamed(one, {value: f"{value}+"}))
        if one is layer:
            layers.append(Layer(f"{layer.name}+", ops.Tanh(), (value,), (f"{value}+",)))
    return replace(model, layers=tuple(layers))


def _another_sum(model: Model, layer: Layer, draw: random.Random) -> Model | None:
    if not isinstance(layer.operator, ops.Eltwise):
        return None
    return changed(model, layer, operator=ops.Eltwise("max"))


MEANINGS: list[Change] = [
    _another_pad,
    _another_stride,
    _another_dilation,
    _another_offset,
    _other_corners,
    _one_weight,
    _swapped_branches,
    _another_branch,
    _another_activation,
    _another_pooling,
    _without,
    _with_another,
    _another_sum,
]


def seeded() -> Iterator[tuple[str, str, int, int]]:
    """(net, change, layer, seed) of changes of meaning that their net can have."""
    for name, model in BASES.items():
        for change in MEANINGS:
            draw = random.Random(f"{name} {change.__name__}")
            fitting = [
                index
                for index, layer in enumerate(model.layers)
                if change(model, layer, random.Random(0)) is not None
            ]
            for index in draw.sample(fitting, min(4, len(fitting))):
                yield name, change.__name__, index, draw.randrange(1000)


SEEDED = list(seeded())


def test_there_are_more_than_a_hundred() -> None:
    assert len(SEEDED) >= 100


@pytest.mark.parametrize(("name", "change", "index", "seed"), SEEDED)
def test_a_change_of_meaning_is_named_with_its_layer(
    name: str, change: str, index: int, seed: int
) -> None:
    model = BASES[name]
    layer = model.layers[index]
    other = {one.__name__: one for one in MEANINGS}[change](model, layer, random.Random(seed))
    assert other is not None
    for left, right in ((model, other), (other, model)):
        found = compare(left, scrambled(right, seed))
        assert not found.same
        where = [one for one in found.differences if layer.name in f"{one.left} {one.right}"]
        assert where, said(found)
        assert where[0].kind != "size"
        others = [
            one for one in found.differences if one not in where and one.kind not in FOLLOWING
        ]
        assert others == [], said(found)


FOLLOWING = {"valid sizes", "output", "size", "missing", "extra"}
"""What follows from a change elsewhere: a branch that nobody reads any more is missing."""


def scrambled(model: Model, seed: int) -> Model:
    """The same under other names, its layers in another order that can run, with copies between."""
    draw = random.Random(seed)
    values = {v: f"v{draw.randrange(10**9)}" for layer in model.layers for v in layer.outputs}
    waiting = [
        replace(renamed(one, values), name=f"{draw.randrange(10**9)}:{one.name}")
        for one in model.layers
    ]
    known, ordered = {entry.name for entry in model.inputs}, list[Layer]()
    while waiting:
        ready = [one for one in waiting if set(one.inputs) <= known]
        pick = draw.choice(ready)
        waiting.remove(pick)
        known.update(pick.outputs)
        ordered.append(pick)
        if draw.random() < 0.2 and pick.outputs[0] not in (values.get(v, v) for v in model.outputs):
            copy = f"{pick.outputs[0]}~"
            ordered.append(Layer(f"copy of {pick.name}", ops.Identity(), pick.outputs[:1], (copy,)))
            waiting = [renamed(one, {pick.outputs[0]: copy}) for one in waiting]
            known.add(copy)
    return replace(
        model, layers=tuple(ordered), outputs=tuple(values.get(v, v) for v in model.outputs)
    )


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("seed", range(10))
def test_names_order_and_copies_are_of_no_account(name: str, seed: int) -> None:
    found = compare(BASES[name], scrambled(BASES[name], seed))
    assert said(found) == []
    assert found.bit_equal is (name != "normalised")


def _folded() -> Model:
    """`normalised` with its statistics in its convolutions, worked out in float32."""
    model, layers, names = BASES["normalised"], list[Layer](), dict[str, str]()
    by_name = {layer.name: layer for layer in model.layers}
    for layer in model.layers:
        kind = layer.name.rstrip("0123456789")
        level = layer.name.removeprefix(kind)
        if kind in ("bn", "scale"):
            names[layer.outputs[0]] = f"conv{level}"
            continue
        stored = dict(layer.weights)
        if kind == "conv":
            norm, scale = by_name[f"bn{level}"], by_name[f"scale{level}"]
            assert isinstance(norm.operator, ops.BatchNorm)
            deviation = np.sqrt(
                norm.weights["variance"].array() + np.float32(norm.operator.epsilon)
            )
            factor = scale.weights["scale"].array() / deviation
            moved = (layer.weights["bias"].array() - norm.weights["mean"].array()) * factor
            stored = {
                "weight": weight_of(layer.weights["weight"].array() * factor[:, None, None, None]),
                "bias": weight_of(moved + scale.weights["bias"].array()),
            }
        layers.append(replace(renamed(layer, names), weights=stored))
    return replace(model, layers=tuple(layers))


def test_folded_normalisation_is_the_same() -> None:
    found = compare(BASES["normalised"], _folded())
    assert said(found) == []
    assert not found.bit_equal


def test_a_weight_that_differs_by_more_than_rounding_is_named_with_all_its_layers() -> None:
    other = _folded()
    first = other.layer("conv1")
    values = first.weights["weight"].array().copy()
    values[1, 2, 0, 1] += 0.01
    other = changed(other, first, weights={**first.weights, "weight": weight_of(values)})
    (one,) = compare(BASES["normalised"], other).differences
    assert str(one) == (
        "'conv1' + 'bn1' + 'scale1' / 'conv1': weight: 1 of 144 values differ, by 0.01 at most"
    )


def _net(*layers: Layer) -> Model:
    base = read(HEAD + conv("a", "data", out=4))
    return replace(base, layers=(*base.layers, *layers), outputs=layers[-1].outputs)


def _stored(*values: Any) -> dict[str, Any]:
    return {"value": weight_of(np.array(values, np.float32).reshape(1, -1, 1, 1))}


KERNEL = np.arange(36, dtype=np.float32).reshape(4, 1, 3, 3)
DENSE = np.zeros((4, 4, 3, 3), np.float32)
for channel in range(4):
    DENSE[channel, channel] = KERNEL[channel, 0]
BILINEAR = np.zeros((4, 4, 4, 4), np.float32)
for channel in range(4):
    BILINEAR[channel, channel] = bilinear_kernel(4)
THREE: Any = ((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
UP: Any = ((4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
FORMS: dict[str, tuple[Model, Model]] = {
    "dense or grouped convolution": (
        _net(Layer("c", ops.Conv(4, *THREE), ("a",), ("y",), {"weight": weight_of(DENSE)})),
        _net(
            Layer(
                "c",
                replace(ops.Conv(4, *THREE), groups=4),
                ("a",),
                ("y",),
                {"weight": weight_of(KERNEL)},
            )
        ),
    ),
    "dense or grouped bilinear": (
        _net(
            Layer("u", ops.ConvTranspose(4, *UP), ("a",), ("y",), {"weight": weight_of(BILINEAR)})
        ),
        _net(
            Layer(
                "u",
                replace(ops.ConvTranspose(4, *UP), groups=4),
                ("a",),
                ("y",),
                {
                    "weight": weight_of(
                        np.ascontiguousarray(BILINEAR[:, :1] * 0 + bilinear_kernel(4))
                    )
                },
            )
        ),
    ),
    "pad of its own": (
        _net(Layer("c", ops.Conv(4, *THREE), ("a",), ("y",), {"weight": weight_of(DENSE)})),
        _net(
            Layer("p", ops.Pad((0, 0, 1, 1), (0, 0, 1, 1)), ("a",), ("p",)),
            Layer(
                "c",
                ops.Conv(4, (3, 3), (1, 1), (1, 1), (0, 0), (0, 0)),
                ("p",),
                ("y",),
                {"weight": weight_of(DENSE)},
            ),
        ),
    ),
    "bias of zeros": (
        _net(Layer("c", ops.Conv(4, *THREE), ("a",), ("y",), {"weight": weight_of(DENSE)})),
        _net(
            Layer(
                "c",
                ops.Conv(4, *THREE),
                ("a",),
                ("y",),
                {"weight": weight_of(DENSE), "bias": weight_of(np.zeros(4, np.float32))},
            )
        ),
    ),
    "ReLU as a clip": (
        _net(Layer("r", ops.Relu(), ("a",), ("y",))),
        _net(Layer("r", ops.Clip(0.0, float("inf")), ("a",), ("y",))),
    ),
    "leaky ReLU as PReLU": (
        _net(Layer("r", ops.Relu(0.25), ("a",), ("y",))),
        _net(
            Layer(
                "r", ops.PRelu(), ("a",), ("y",), {"slope": weight_of(np.full(4, 0.25, np.float32))}
            )
        ),
    ),
    "split activation": (
        _net(Layer("s", ops.Swish(), ("a",), ("y",))),
        _net(
            Layer("g", ops.Sigmoid(), ("a",), ("g",)),
            Layer("m", ops.Eltwise("product"), ("a", "g"), ("y",)),
        ),
    ),
    "nested sums": (
        _net(
            Layer("r", ops.Relu(), ("a",), ("r",)),
            Layer("t", ops.Tanh(), ("a",), ("t",)),
            Layer("s", ops.Eltwise("sum"), ("a", "r", "t"), ("y",)),
        ),
        _net(
            Layer("t", ops.Tanh(), ("a",), ("t",)),
            Layer("r", ops.Relu(), ("a",), ("r",)),
            Layer("s1", ops.Eltwise("sum"), ("t", "a"), ("s1",)),
            Layer("s2", ops.Eltwise("sum", (1.0, 1.0)), ("s1", "r"), ("y",)),
        ),
    ),
    "cuts axis by axis": (
        _net(Layer("c", ops.Crop(2, (1, 2), (20, 30)), ("a",), ("y",))),
        _net(
            Layer("h", ops.StridedSlice(2, 1, 20, 1), ("a",), ("h",)),
            Layer("w", ops.StridedSlice(3, 2, 30, 1), ("h",), ("y",)),
        ),
    ),
    "axes from the back": (
        _net(Layer("s", ops.Softmax(1), ("a",), ("y",))),
        _net(Layer("s", ops.Softmax(-3), ("a",), ("y",))),
    ),
    "nearest by any name": (
        _net(Layer("n", ops.Resize("nearest", "asymmetric", factor=(3, 3)), ("a",), ("y",))),
        _net(
            Layer(
                "n",
                ops.Resize(
                    "nearest", "half_pixel", factor=(3, 3), nearest_mode="round_prefer_ceil"
                ),
                ("a",),
                ("y",),
            )
        ),
    ),
    "normalisation as a stored product and sum": (
        _net(
            Layer(
                "b",
                ops.Scale(1),
                ("a",),
                ("y",),
                {
                    "scale": weight_of(np.arange(1, 5, dtype=np.float32)),
                    "bias": weight_of(np.arange(4, 0, -1, dtype=np.float32)),
                },
            )
        ),
        _net(
            Layer("k", ops.Constant((1, 4, 1, 1)), (), ("k",), _stored(1, 2, 3, 4)),
            Layer("l", ops.Constant((1, 4, 1, 1)), (), ("l",), _stored(4, 3, 2, 1)),
            Layer("m", ops.Eltwise("product", broadcast=True), ("a", "k"), ("m",)),
            Layer("s", ops.Eltwise("sum", broadcast=True), ("m", "l"), ("y",)),
        ),
    ),
    "an end pad that no window reaches": (
        _net(
            Layer(
                "p",
                ops.Conv(2, (1, 1), (2, 2), (1, 1), (0, 0), (0, 0)),
                ("a",),
                ("y",),
                {"weight": weight_of(DENSE[:2, :, :1, :1])},
            )
        ),
        _net(
            Layer(
                "p",
                ops.Conv(2, (1, 1), (2, 2), (3, 3), (0, 0), (0, 0)),
                ("a",),
                ("y",),
                {"weight": weight_of(DENSE[:2, :, :1, :1])},
            )
        ),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_a_change_of_form_is_not_reported(form: str, seed: int) -> None:
    left, right = FORMS[form]
    for one, other in ((left, right), (right, left)):
        assert said(compare(one, scrambled(other, seed))) == []


def test_forms_that_only_look_alike_are_told_apart() -> None:
    """A pad before a maximum counts as zeros; a sum with weights is no plain sum."""
    maximum: Any = ops.Pool("max", (3, 3), (1, 1), (1, 1), (1, 1), (1, 1), "floor", "never", False)
    inner = replace(maximum, pads_begin=(0, 0), pads_end=(0, 0))
    padded = _net(
        Layer("p", ops.Pad((0, 0, 1, 1), (0, 0, 1, 1)), ("a",), ("p",)),
        Layer("m", inner, ("p",), ("y",)),
    )
    assert not compare(_net(Layer("m", maximum, ("a",), ("y",))), padded).same
    weighted = [
        _net(
            Layer("r", ops.Relu(), ("a",), ("r",)),
            Layer("s", ops.Eltwise("sum", coefficients), ("a", "r"), ("y",)),
        )
        for coefficients in ((), (1.0, -1.0))
    ]
    (one,) = compare(weighted[0], weighted[1]).differences
    assert "coefficients is () in A, (1.0, -1.0) in B" in one.message


def test_a_baked_size_is_named() -> None:
    """Multiples of 14 before, only 518 after."""
    patches = conv("patches", "data", "kernel_size: 14 stride: 14", out=3)
    free = read(HEAD.replace("64", "518") + patches)
    exact = Layer("whole", ops.SpaceToDepth(14), ("data",), ("cells",))
    free = replace(free, layers=(exact, *free.layers), outputs=("cells", "patches"))
    tokens = Layer("tokens", ops.Reshape((0, 3, 1369)), ("patches",), ("tokens",))
    baked = replace(free, layers=(*free.layers, tokens), outputs=("cells", "tokens"))
    flat = replace(
        free,
        layers=(*free.layers, Layer("tokens", ops.Flatten(2), ("patches",), ("tokens",))),
        outputs=("cells", "tokens"),
    )
    found = compare(flat, baked)
    told = [one.message for one in found.differences if one.kind == "valid sizes"]
    assert any("free axes in A, floor(H/14)*floor(W/14) == 1369 in B" in one for one in told)
    assert any("H % 14 == 0 in A" in one and "'tokens' asks for" in one for one in told)


def test_a_valid_size_that_differs_has_its_arithmetic() -> None:
    found = compare(read(u_net(2, "FLOOR")), read(u_net(2, "CEIL")))
    assert found.same  # the poolings differ only where the merges do not fit
    other = read(u_net(2, "FLOOR") + crop("odd", "score data", 1))
    text = " ".join(said(compare(read(u_net(2, "FLOOR")), other)))
    assert "valid sizes: H % 4 == 0 in A, no H in B" in text


def test_inputs_and_outputs_are_compared() -> None:
    other = read(HEAD.replace("dim: 3", "dim: 4") + conv("a", "data"))
    left = read(HEAD + conv("a", "data"))
    told = said(compare(left, other))
    assert any("the input is Nx3xHxW in A, Nx4xHxW in B" in one for one in told)
    two = read(HEAD + conv("a", "data") + conv("b", "data"), seed=0)
    assert any("1 outputs in A, 2 in B" in one for one in said(compare(left, two)))


def test_weights_that_are_not_stored_are_said_to_be_not_compared() -> None:
    bare = read_caffe_source(Source("a", HEAD + conv("a", "data")), ReadOptions())
    found = compare(read(HEAD + conv("a", "data")), bare)
    assert found.same
    assert all(one.kind == "weights" and not one.changes_numbers for one in found.differences)
    assert "stored in A only, so it was not compared" in found.differences[0].message


@pytest.mark.parametrize("name", NETS)
def test_a_net_is_itself(name: str) -> None:
    model = read(NETS[name]())
    assert said(compare(model, model)) == []
    assert isinstance(compare(model, model).differences, tuple)


def test_a_difference_names_both_places() -> None:
    one = Difference("setting", "conv1", "features.0", "pad is 1 in A, 0 in B")
    assert str(one) == "'conv1' / 'features.0': pad is 1 in A, 0 in B"
