"""The proof of a file that is wrong in one thing fails, and names the layer that is wrong.

One network of many kinds of layers is written, and its ONNX file changed in one way at a time, each
of them a mistake that a converter has made or could make, and none too small to matter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import Weight, weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify

LIKE_DATA = (like("data", 2), like("data", 3))
LIKE_CONV = (like("conv", 2), like("conv", 3))
ONES, ZEROS = (1, 1), (0, 0)


def stored(*shape: int, around: float = 0.0, seed: int = 0) -> Weight:
    noise = np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)
    return weight_of(around + np.float32(0.4) * np.asarray(noise))


def positive(*shape: int) -> Weight:
    return weight_of(np.abs(stored(*shape).array()) + np.float32(0.1))


def pooling(kind: Any, kernel: int, pad: int) -> ops.Pool:
    """Caffe's, of stride 2."""
    return ops.Pool(
        kind, (kernel,) * 2, (2, 2), ONES, (pad,) * 2, (pad,) * 2, "ceil", "if_padded", True
    )


def network() -> Model:
    """Two paths down and up again, joined, normalised and judged."""
    conv = ops.Conv(8, (3, 3), ONES, ONES, ONES, ONES, groups=2)
    wide = ops.Conv(8, (3, 2), ONES, (2, 3), (2, 1), (2, 2))
    up = ops.ConvTranspose(4, (4, 5), (2, 2), ONES, (0, 1), ZEROS, ZEROS, groups=2)
    corners = ops.Resize("linear", "align_corners", LIKE_DATA)
    nearest = ops.Resize("nearest", "half_pixel", LIKE_DATA, nearest_mode="round_prefer_ceil")
    affine = {"scale": stored(16, around=1.0), "bias": stored(16, seed=2)}
    layers = (
        Layer(
            "conv", conv, ("data",), ("conv",), {"weight": stored(8, 2, 3, 3), "bias": stored(8)}
        ),
        Layer("prelu", ops.PRelu(), ("conv",), ("prelu",), {"slope": stored(8)}),
        Layer("pool", pooling("max", 2, 0), ("prelu",), ("pool", "mask")),
        Layer("lrn", ops.Lrn(3, 0.5, 0.75, 2.0, "across"), ("pool",), ("lrn",)),
        Layer("wide", wide, ("lrn",), ("wide",), {"weight": stored(8, 8, 3, 2)}),
        Layer("relu", ops.Relu(), ("wide",), ("relu",)),
        Layer("small", pooling("average", 3, 1), ("relu",), ("small",)),
        Layer("unpool", ops.Unpool(LIKE_CONV), ("lrn", "mask", "conv"), ("unpool",)),
        Layer("up", up, ("lrn",), ("up",), {"weight": stored(8, 2, 4, 5), "bias": stored(4)}),
        Layer("crop", ops.Crop(2, (1, 0), LIKE_DATA), ("up", "data"), ("crop",)),
        Layer("corners", corners, ("small", "data"), ("corners",)),
        Layer("nearest", nearest, ("small", "data"), ("nearest",)),
        Layer("sub", ops.Eltwise("difference"), ("corners", "nearest"), ("sub",)),
        Layer("cat", ops.Concat(1), ("crop", "unpool", "data"), ("cat",)),
        Layer(
            "norm",
            ops.BatchNorm(1e-3),
            ("cat",),
            ("norm",),
            {"mean": stored(16, seed=1), "variance": positive(16), **affine},
        ),
        Layer("elu", ops.Elu(0.7), ("norm",), ("elu",)),
        Layer("groups", ops.GroupNorm(4, 1e-2), ("elu",), ("groups",), affine),
        Layer("clip", ops.Clip(-0.5, 6.0), ("groups",), ("clip",)),
        Layer("prob", ops.Softmax(1), ("clip",), ("prob",)),
        Layer("label", ops.ArgMax(1, 1, "indices"), ("sub",), ("label",)),
    )
    inputs = (ModelInput("data", (2, 4, 13, 10)),)
    return Model("net", "", "caffe", inputs, ("prob", "label"), layers)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mutants") / "net.onnx"
    write_onnx(network(), path)
    return path


Change = Callable[[ModelProto], None]


def node_of(model: ModelProto, name: str) -> NodeProto:
    found: NodeProto = next(node for node in model.graph.node if node.name == name)
    return found


def attributes(name: str, **values: Any) -> Change:
    """Give attributes of a node other values."""

    def change(model: ModelProto) -> None:
        node = node_of(model, name)
        kept = [one for one in node.attribute if one.name not in values]
        del node.attribute[:]
        made = [helper.make_attribute(key, value) for key, value in values.items()]
        node.attribute.extend([*kept, *made])

    return change


def inputs(name: str, *values: str) -> Change:
    """Let a node read other values."""

    def change(model: ModelProto) -> None:
        node_of(model, name).input[:] = values

    return change


def kind(name: str, operator: str) -> Change:
    """Make a node another operator, which keeps the attributes that both have."""

    def change(model: ModelProto) -> None:
        node = node_of(model, name)
        node.op_type = operator
        known = onnx.defs.get_schema(operator).attributes
        kept = [one for one in node.attribute if one.name in known]
        del node.attribute[:]
        node.attribute.extend(kept)

    return change


def removed(name: str) -> Change:
    """Let a node pass on its first input."""

    def change(model: ModelProto) -> None:
        kind(name, "Identity")(model)
        del node_of(model, name).input[1:]

    return change


def tensor(name: str, function: Callable[[Any], Any]) -> Change:
    """Give an initializer the values that a function makes of its own."""

    def change(model: ModelProto) -> None:
        found = next(one for one in model.graph.initializer if one.name == name)
        values = np.ascontiguousarray(function(numpy_helper.to_array(found).copy()))
        found.CopyFrom(numpy_helper.from_array(values, name))

    return change


def crop_from(*starts: int) -> Change:
    """Cut the same size out elsewhere."""

    def change(model: ModelProto) -> None:
        tensor("constant/1_0", lambda _: np.array(starts, np.int64))(model)
        tensor("constant/14_10", lambda sizes: sizes - (1, 0) + np.array(starts))(model)

    return change


def slightly(values: Any) -> Any:
    return values * np.float32(1 + 1e-4)


def one_slightly(values: Any) -> Any:
    values.reshape(-1)[7] *= np.float32(1 + 1e-4)
    return values


def one_turned(values: Any) -> Any:
    values[1, 1] = values[1, 1].T.copy()
    return values


def last_first(values: Any) -> Any:
    values[[0, -1]] = values[[-1, 0]]
    return values


def half(name: str, **given: Any) -> Change:
    return attributes(name, coordinate_transformation_mode="half_pixel", **given)


MUTANTS: dict[str, dict[str, Change]] = {
    "conv": {
        "a pixel higher": attributes("conv", pads=[2, 1, 0, 1]),
        "a pixel further left": attributes("conv", pads=[1, 2, 1, 0]),
        "without its bias": inputs("conv", "data", "conv/weight"),
        "weights scaled": tensor("conv/weight", slightly),
        "one weight scaled": tensor("conv/weight", one_slightly),
        "one kernel transposed": tensor("conv/weight", one_turned),
        "two channels swapped": tensor("conv/weight", last_first),
        "groups in the other order": tensor("conv/weight", lambda w: np.roll(w, 4, 0)),
        "weights of zero": tensor("conv/weight", np.zeros_like),
    },
    "prelu": {
        "left out": removed("prelu"),
        "slopes reversed": tensor("prelu/slope", lambda values: values[::-1]),
    },
    "pool": {
        "of its inputs": inputs("pool", "conv"),
        "a pixel higher": attributes("pool", pads=[1, 0, 0, 0]),
        "the other index order": attributes("pool", storage_order=1),
    },
    "lrn": {
        "wider": attributes("lrn", size=5),
        "alpha": attributes("lrn", alpha=0.501),
        "beta": attributes("lrn", beta=0.751),
        "k": attributes("lrn", bias=2.001),
    },
    "wide": {
        "without dilation": attributes("wide", dilations=[1, 1], pads=[1, 0, 1, 1]),
        "with dilations swapped": attributes("wide", dilations=[3, 2], pads=[3, 1, 3, 1]),
        "a pixel further right": attributes("wide", pads=[2, 0, 2, 3]),
        "kernels mirrored": tensor("wide/weight", lambda w: w[..., ::-1]),
    },
    "relu": {
        "left out": removed("relu"),
        "leaky": kind("relu", "LeakyRelu"),
        "mirrored": kind("relu", "Abs"),
    },
    "small": {
        "padding not counted": attributes("small", count_include_pad=0),
        "of maxima": kind("small", "MaxPool"),
        "a pixel higher": attributes("small", pads=[2, 1, 0, 1]),
    },
    "unpool": {
        "of other values": inputs("unpool/Reshape_1", "wide", "constant/0_0_-1"),
    },
    "up": {
        "a pixel further right": attributes("up", pads=[0, 0, 0, 1]),
        "kernels mirrored": tensor("up/weight", lambda w: w[:, :, ::-1]),
        "bias of zero": tensor("up/bias", np.zeros_like),
        "output padding for padding": attributes("up", pads=[1, 1, 0, 0], output_padding=[1, 0]),
    },
    "crop": {
        "a pixel lower": crop_from(2, 0),
        "a pixel further right": crop_from(1, 1),
        "from the corner": crop_from(0, 0),
    },
    "corners": {
        "half a pixel": half("corners"),
        "asymmetric": attributes("corners", coordinate_transformation_mode="asymmetric"),
        "cubic": attributes("corners", mode="cubic"),
        "nearest": attributes("corners", mode="nearest"),
    },
    "nearest": {
        "ties rounded down": attributes("nearest", nearest_mode="round_prefer_floor"),
        "floor": attributes("nearest", nearest_mode="floor"),
        "ceil": attributes("nearest", nearest_mode="ceil"),
        "asymmetric": attributes("nearest", coordinate_transformation_mode="asymmetric"),
        "linear": attributes("nearest", mode="linear"),
    },
    "sub": {"operands swapped": inputs("sub", "nearest", "corners")},
    "cat": {"order": inputs("cat", "unpool", "crop", "data")},
    "norm": {
        "epsilon": attributes("norm", epsilon=1.5e-3),
        "mean and bias swapped": inputs(
            "norm", "cat", "norm/scale", "norm/mean", "norm/bias", "norm/variance"
        ),
    },
    "elu": {"alpha": attributes("elu", alpha=0.701), "left out": removed("elu")},
    "groups": {
        "epsilon": attributes("groups/InstanceNormalization", epsilon=1.1e-2),
        "by channel": tensor("constant/0_4_-1", lambda _: np.array([-1, 4, 130])),
        "scale forgotten": removed("groups/Mul"),
    },
    "clip": {
        "higher": tensor("constant/6", lambda value: value + np.float32(0.5)),
        "lower": tensor("constant/-0.5", lambda value: value - np.float32(0.5)),
        "left out": removed("clip"),
    },
    "prob": {
        "over rows": attributes("prob", axis=2),
        "logarithms": kind("prob", "LogSoftmax"),
    },
    "label": {
        "first of ties": attributes("label/ArgMax", select_last_index=0),
        "smallest": kind("label/ArgMax", "ArgMin"),
    },
}
"""Layer -> what is wrong with it -> how."""

CASES = [(layer, what) for layer, mutants in MUTANTS.items() for what in mutants]


def test_every_layer_has_mutants_and_passes_without(written: Path) -> None:
    assert set(MUTANTS) == {layer.name for layer in network().layers}
    for seed in range(3):
        assert verify(network(), str(written), seed).verdict == "pass"


@pytest.mark.parametrize(("layer", "what"), CASES)
def test_a_mutant_fails_by_its_layers_name(
    layer: str, what: str, written: Path, tmp_path: Path
) -> None:
    model = onnx.load(written)
    MUTANTS[layer][what](model)
    onnx.save(model, tmp_path / "net.onnx")
    result = verify(network(), str(tmp_path / "net.onnx"))
    assert result.verdict == "fail"
    assert [one.layer for one in result.layers if one.verdict == "fail"] == [layer]


def test_swapped_outputs_fail(written: Path, tmp_path: Path) -> None:
    model = onnx.load(written)
    swapped = {"prob": "label", "label": "prob"}
    for node in model.graph.node:
        node.output[:] = [swapped.get(name, name) for name in node.output]
    del model.graph.output[:]
    for name in network().outputs:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    onnx.save(model, tmp_path / "net.onnx")
    result = verify(network(), str(tmp_path / "net.onnx"))
    assert {one.verdict for one in result.outputs} == {"fail"}


def test_renamed_outputs_are_incomplete(written: Path, tmp_path: Path) -> None:
    model = onnx.load(written)
    for entry in model.graph.output:
        node_of(model, entry.name).output[0] += "_0"
        entry.name += "_0"
    onnx.save(model, tmp_path / "net.onnx")
    result = verify(network(), str(tmp_path / "net.onnx"))
    assert result.verdict == "incomplete"
    assert len(result.reasons) == 2
