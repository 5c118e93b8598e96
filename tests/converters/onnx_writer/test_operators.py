"""Every operator without windows, at several opsets, static and dynamic, against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pytest

from tests.converters.onnx_writer.support import (
    compare_one,
    convert_and_compare,
    letters,
    model,
    one_layer,
    run_onnx,
    values,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer
from upconv.converters.onnx_writer import write_onnx


@dataclass
class Case:
    """An operator, its inputs, its weights; `form` where it is worth holding."""

    name: str
    operator: ops.Operator
    inputs: tuple[Any, ...]
    weights: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    tolerance: float = 2e-6
    form: str = ""


IMAGE = values(2, 4, 5, 6)
POSITIVE = np.abs(IMAGE) + np.float32(0.1)
TIES = IMAGE.round()
FEW = np.where(TIES > 0, np.float32(0.1), TIES)
VOLUME = values(2, 3, 4, 2, 6)
LINE = values(2, 4, 7)
ROWS = values(3, 5)

POINTWISE = [
    Case("relu", ops.Relu(), (IMAGE,), tolerance=0, form="Relu"),
    Case("leaky", ops.Relu(0.1), (IMAGE,), form="LeakyRelu"),
    Case("steep", ops.Relu(-1.5), (IMAGE,), form="LeakyRelu"),
    Case("prelu", ops.PRelu(), (IMAGE,), {"slope": values(4)}),
    Case("prelu shared", ops.PRelu(), (IMAGE,), {"slope": [0.3]}),
    Case("prelu rows", ops.PRelu(), (ROWS,), {"slope": values(5)}),
    Case("elu", ops.Elu(0.7), (IMAGE,)),
    Case("sigmoid", ops.Sigmoid(), (5 * IMAGE,)),
    Case("tanh", ops.Tanh(), (IMAGE,)),
    Case("abs", ops.Abs(), (IMAGE,), tolerance=0),
    Case("erf", ops.Erf(), (2 * IMAGE,)),
    Case("softplus", ops.Softplus(), (40 * IMAGE,)),
    Case("power", ops.Power(2.0, 0.5, -1.0), (IMAGE,), form="Mul+Add+Pow"),
    Case("power 0", ops.Power(0.0, 0.5, 0.0), (IMAGE,), form="Mul+Pow"),
    Case("root", ops.Power(0.5), (POSITIVE,), form="Pow"),
    Case("affine", ops.Power(1.0, -2.0, 3.0), (IMAGE,), form="Mul+Add"),
    Case("no power", ops.Power(), (IMAGE,), tolerance=0, form="Identity"),
    Case("exp", ops.Exp(), (IMAGE,)),
    Case("exp 2", ops.Exp(2.0, 0.5, 1.0), (IMAGE,)),
    Case("log", ops.Log(), (POSITIVE,)),
    Case("log 10", ops.Log(10.0, 2.0, 1.0), (POSITIVE,)),
    Case("sin", ops.Sin(), (100 * IMAGE,)),
    Case("cos", ops.Cos(), (100 * IMAGE,)),
    Case("round", ops.Round(), (IMAGE.round(1) * 5,), tolerance=0, form="Round"),
    Case("floor", ops.Floor(), (IMAGE,), tolerance=0),
    Case("ceil", ops.Ceil(), (IMAGE,), tolerance=0),
    Case("sign", ops.Sign(), (TIES,), tolerance=0, form="Sign"),
    Case("clip", ops.Clip(-0.5, 6.0), (3 * IMAGE,), tolerance=0),
    Case("swish", ops.Swish(), (IMAGE,)),
    Case("swish beta", ops.Swish(1.7), (IMAGE,)),
    Case("gelu", ops.Gelu(), (3 * IMAGE,)),
    Case("gelu tanh", ops.Gelu(tanh=True), (3 * IMAGE,)),
    Case("identity", ops.Identity(), (IMAGE,), tolerance=0, form="Identity"),
]

TWO = (IMAGE, values(2, 4, 5, 6, seed=1))
THREE = (*TWO, POSITIVE)
MERGES = [
    *(
        Case(f"{kind} of {len(inputs)}", ops.Eltwise(kind), inputs)
        for kind in ("sum", "product", "max", "min", "difference")
        for inputs in (TWO, THREE)
    ),
    Case("quotient", ops.Eltwise("quotient"), (IMAGE, POSITIVE)),
    Case("power", ops.Eltwise("power"), (POSITIVE, IMAGE), form="Pow"),
    Case("power, broadcast", ops.Eltwise("power", (), True), (IMAGE, TIES[:1, :, :1])),
    Case("rest of floor", ops.Eltwise("floor_mod"), (4 * IMAGE, FEW + 2 * TIES + 0.5)),
    Case("rest", ops.Eltwise("trunc_mod"), (4 * IMAGE, FEW - 3), tolerance=0, form="Mod"),
    Case("rest of whole numbers", ops.Eltwise("floor_mod"), (7 * TIES, TIES), tolerance=0),
    Case("lonely sum", ops.Eltwise("sum"), (IMAGE,), tolerance=0),
    Case("one scaled", ops.Eltwise("sum", (-2.0,)), (IMAGE,), tolerance=0),
    Case("coefficients", ops.Eltwise("sum", (1.0, -2.0, 0.5)), THREE, form="Mul+Sum"),
    Case("broadcast", ops.Eltwise("product", broadcast=True), (IMAGE, values(4, 1, 6))),
    Case("broadcast 3", ops.Eltwise("sum", (), True), (*TWO, values(1, 6))),
    Case("concat", ops.Concat(1), THREE, tolerance=0),
    Case("concat last", ops.Concat(-1), TWO, tolerance=0),
]

OTHER = values(2, 4, 5, 6, seed=3).round()
RELATIONS: Final[
    tuple[
        Literal["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"],
        ...,
    ]
] = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
CONDITIONS = [
    *(
        Case(f"{kind} {number}", ops.Compare(kind, number), (TIES,), tolerance=0)
        for kind in RELATIONS
        for number in (0.0, 1.0)
    ),
    Case("greater than a tenth", ops.Compare("greater", 0.1), (FEW,), tolerance=0),
    Case("not a tenth", ops.Compare("not_equal", 0.1), (FEW,), tolerance=0),
    Case(
        "compared", ops.Compare("less_equal"), (TIES, OTHER), tolerance=0, form="LessOrEqual+Cast"
    ),
    Case("compared, broadcast", ops.Compare("not_equal"), (TIES, OTHER[0, :, :1]), tolerance=0),
    Case("where", ops.Where(), (TIES, OTHER, IMAGE), tolerance=0, form="Where"),
    Case("where, broadcast", ops.Where(), (TIES[:, :1], OTHER, IMAGE[:1]), tolerance=0),
    Case("masked", ops.Where(then=0.1), (TIES, IMAGE), tolerance=0),
    Case("masked out", ops.Where(otherwise=-np.inf), (TIES, IMAGE[0, 0]), tolerance=0),
    Case("two numbers", ops.Where(1e300, -2.5), (TIES,), tolerance=0),
]

SCALES = [
    Case("scale", ops.Scale(1), (IMAGE,), {"scale": values(4), "bias": values(4, seed=2)}),
    Case("bias", ops.Scale(1), (IMAGE,), {"bias": values(4)}, form="Add"),
    Case("scale 2 axes", ops.Scale(1), (IMAGE,), {"scale": values(4, 5)}, form="Mul"),
    Case("scale from the back", ops.Scale(-2), (IMAGE,), {"scale": values(5, 6)}),
    Case("scale by one number", ops.Scale(0), (IMAGE,), {"scale": np.float32(3)}),
    Case("no scale", ops.Scale(1), (IMAGE,), tolerance=0, form="Identity"),
    Case("axpy", ops.Scale(0, "scale"), (IMAGE, values(2, 4)), form="Mul"),
    Case("scale input", ops.Scale(1, "scale"), (IMAGE, values(4)), {"bias": values(4)}),
    Case("bias input", ops.Scale(0, "bias"), TWO, form="Add"),
    Case(
        "batch norm",
        ops.BatchNorm(1e-3),
        (IMAGE,),
        {"mean": values(4), "variance": POSITIVE[0, :, 0, 0]},
    ),
    Case(
        "batch norm, scaled",
        ops.BatchNorm(1e-5),
        (VOLUME,),
        {
            "mean": values(3),
            "variance": [0.5, 1.0, 2.0],
            "scale": values(3, seed=4),
            "bias": values(3, seed=5),
        },
    ),
    Case("lrn", ops.Lrn(3, 0.5, 0.75, 2.0, "across"), (IMAGE,), form="LRN"),
    Case("lrn line", ops.Lrn(5, 0.5, 0.75, 1.0, "across"), (LINE,)),
    Case("lrn volume", ops.Lrn(3, 0.5, 0.75, 1.0, "across"), (VOLUME,)),
    Case("lrn within", ops.Lrn(3, 0.5, 0.75, 1.0, "within"), (IMAGE,)),
    Case("mvn", ops.MeanVarianceNorm(True, False, 1e-9), (IMAGE + 5,), tolerance=2e-5),
    Case("mvn across", ops.MeanVarianceNorm(True, True, 1e-3), (IMAGE,)),
    Case("mean only", ops.MeanVarianceNorm(False, False, 0.0), (IMAGE,)),
    Case("group norm", ops.GroupNorm(2, 1e-5), (IMAGE,), {"scale": values(4), "bias": values(4)}),
    Case("group norm, bare", ops.GroupNorm(1, 1e-3), (LINE,)),
    Case("group norm, biased", ops.GroupNorm(3, 1e-3), (values(2, 6),), {"bias": values(6)}),
    Case("instance norm", ops.GroupNorm(4, 1e-5), (IMAGE,), {"scale": values(4)}),
    Case("instance norm, biased", ops.GroupNorm(3, 1e-5), (VOLUME,), {"bias": values(3)}),
    Case("layer norm", ops.LayerNorm(-1, 1e-5), (IMAGE,), {"scale": values(6), "bias": values(6)}),
    Case("layer norm, 3 axes", ops.LayerNorm(1, 1e-3), (IMAGE,), {"bias": values(4, 5, 6)}),
    Case(
        "layer norm, channels",
        ops.LayerNorm(1, 1e-3, 1),
        (IMAGE,),
        {"scale": values(4), "bias": values(4, seed=1)},
    ),
    Case("layer norm, bare", ops.LayerNorm(2, 1e-3), (IMAGE,)),
    Case("l2", ops.L2Normalize(False, 1e-10), (IMAGE,), {"scale": values(4)}),
    Case("l2 space", ops.L2Normalize(True, 1e-6), (IMAGE,), {"scale": [20.0]}),
    Case("l2 bare", ops.L2Normalize(False, 1e-6), (IMAGE,)),
]

CHOICES = [
    Case("softmax", ops.Softmax(1), (IMAGE,)),
    Case("softmax last", ops.Softmax(-1), (IMAGE,)),
    *(
        Case(f"arg max {axis} {k} {output}", ops.ArgMax(axis, k, output), (TIES,), tolerance=0)
        for axis in (1, -1, None)
        for k in (1, 3)
        for output in ("indices", "values", "both")
        if axis is None or output != "both"
    ),
    *(
        Case(f"reduce {kind} {axis}", ops.Reduce(kind, axis, factor), (IMAGE,))
        for kind in ("sum", "abs_sum", "square_sum", "mean")
        for axis, factor in ((1, 1.0), (0, 2.5), (-1, 1.0))
    ),
]

SHAPES = [
    Case("reshape", ops.Reshape((0, -1)), (IMAGE,), tolerance=0),
    Case("reshape middle", ops.Reshape((2, 2), 1, 1), (IMAGE,), tolerance=0),
    Case("reshape insert", ops.Reshape((1,), 2, 0), (IMAGE,), tolerance=0),
    Case("reshape inferred", ops.Reshape((0, 2, -1), 1), (IMAGE,), tolerance=0),
    Case("flatten", ops.Flatten(), (IMAGE,), tolerance=0),
    Case("flatten part", ops.Flatten(1, 2), (VOLUME,), tolerance=0),
    Case("flatten space", ops.Flatten(-2, -1), (IMAGE,), tolerance=0),
    Case("permute", ops.Permute((0, 2, 3, 1)), (IMAGE,), tolerance=0),
    Case("tile", ops.Tile(1, 3), (IMAGE,), tolerance=0),
    Case("slice", ops.Slice(1, (1, 2)), (IMAGE,), outputs=3, tolerance=0),
    Case("slice even", ops.Slice(-1), (IMAGE,), outputs=2, tolerance=0),
    Case("slice one", ops.Slice(1), (IMAGE,), tolerance=0),
    Case("slice at", ops.Slice(2, (2,)), (IMAGE,), outputs=2, tolerance=0),
    Case("shuffle", ops.ChannelShuffle(2), (IMAGE,), tolerance=0),
    Case("shuffle volume", ops.ChannelShuffle(3), (VOLUME,), tolerance=0),
    *(
        Case(f"{kind.__name__} {mode} {x.ndim}", kind(2, mode), (x,), tolerance=0)
        for kind in (ops.SpaceToDepth, ops.DepthToSpace)
        for mode in ("DCR", "CRD")
        for x in (values(2, 8, 4, 6), values(1, 8, 4, 2, 6), values(2, 8, 4))
    ),
    Case("darknet", ops.SpaceToDepth(2, "darknet"), (values(2, 8, 4, 6),), tolerance=0),
    Case("darknet back", ops.DepthToSpace(2, "darknet"), (values(2, 32, 2, 3),), tolerance=0),
]

PLACES = np.array([[2, 0, 4], [-1, 3, 3]], np.float32)
PICKED = [
    Case("gather", ops.Gather(2, (4, 0, 0, 3)), (IMAGE,), tolerance=0, form="Gather"),
    Case("gather channels", ops.Gather(-3, (3, 2, 1, 0)), (VOLUME[:, [0, 1, 2, 0]],), tolerance=0),
    Case("gather none", ops.Gather(1, ()), (IMAGE,), tolerance=0),
    Case("gather places", ops.Gather(2), (IMAGE, PLACES), tolerance=0, form="Gather"),
    Case("gather a place", ops.Gather(-1), (IMAGE, np.array(-2, np.float32)), tolerance=0),
    Case(
        "embedding",
        ops.Embedding(5, 3),
        (np.abs(PLACES),),
        {"table": values(5, 3)},
        tolerance=0,
        form="Gather",
    ),
]

STRIDED = [
    Case("every third", ops.StridedSlice(2, 1, 2, 3), (IMAGE,), tolerance=0, form="Slice"),
    Case("every second channel", ops.StridedSlice(1, 0, 2, 2), (VOLUME,), tolerance=0),
    Case("backwards", ops.StridedSlice(-1, 5, 6, -1), (IMAGE,), tolerance=0, form="Slice"),
    Case("every second backwards", ops.StridedSlice(3, 5, 3, -2), (IMAGE,), tolerance=0),
    Case("backwards to the first", ops.StridedSlice(2, 2, 3, -1), (IMAGE,), tolerance=0),
    Case("backwards inside", ops.StridedSlice(2, 3, 2, -2), (IMAGE,), tolerance=0),
    Case("no entry", ops.StridedSlice(2, 3, 0, -2), (IMAGE,), tolerance=0),
    Case("expand", ops.Expand((2, 4, 5, 3)), (IMAGE[..., :1],), tolerance=0, form="Expand"),
    Case("expand a number", ops.Expand((2, 3)), (np.array(2.5, np.float32),), tolerance=0),
    *(
        Case(f"sums {axis} {exclusive} {reverse}", ops.CumSum(axis, exclusive, reverse), (IMAGE,))
        for axis in (1, -1)
        for exclusive in (False, True)
        for reverse in (False, True)
    ),
]

PAD_MODES: Final[tuple[tuple[Literal["constant", "reflect", "edge", "symmetric"], float], ...]] = (
    ("constant", 1.5),
    ("reflect", 0.0),
    ("edge", 0.0),
    ("symmetric", 0.0),
)
PADS = [
    Case(f"pad {mode}", ops.Pad((0, 0, 2, 1), (0, 0, 1, 3), mode, value), (IMAGE,), tolerance=0)
    for mode, value in PAD_MODES
] + [
    Case("crop", ops.Pad((0, 0, -1, 0), (0, -1, 0, -2)), (IMAGE,), tolerance=0, form="Slice"),
    Case("crop and pad", ops.Pad((0, 0, -1, 2), (0, 0, 1, -3)), (IMAGE,), tolerance=0),
    Case(
        "crop and mirror",
        ops.Pad((0, 0, -1, 2), (0, 0, 3, -1), "symmetric"),
        (IMAGE,),
        tolerance=0,
        form="Slice+Gather",
    ),
    Case("far mirror", ops.Pad((0, 0, 0, 2), (0, 0, 7, 0), "symmetric"), (IMAGE,), tolerance=0),
    Case("pad nothing", ops.Pad((0,) * 4, (0,) * 4), (IMAGE,), tolerance=0, form="Identity"),
]

LINEAR = [
    Case(
        "linear",
        ops.Linear(7),
        (IMAGE,),
        {"weight": values(7, 120), "bias": values(7)},
        form="Flatten+Gemm",
    ),
    Case("linear rows", ops.Linear(2), (ROWS,), {"weight": values(2, 5)}, form="Gemm"),
    Case("linear transposed", ops.Linear(2, 1, True), (ROWS,), {"weight": values(5, 2)}),
    Case(
        "linear last axis",
        ops.Linear(3, -1),
        (IMAGE,),
        {"weight": values(3, 6), "bias": values(3)},
    ),
    Case("linear axis 2", ops.Linear(3, 2), (IMAGE,), {"weight": values(3, 30)}),
    Case("product", ops.MatMul(), (IMAGE, values(2, 4, 6, 3)), form="MatMul"),
    Case("product broadcast", ops.MatMul(), (IMAGE, values(4, 6, 3)), form="MatMul"),
    Case("linear all", ops.Linear(3, 0), (ROWS,), {"weight": values(3, 15)}),
]

CASES = [
    *POINTWISE,
    *MERGES,
    *CONDITIONS,
    *SCALES,
    *CHOICES,
    *SHAPES,
    *PICKED,
    *STRIDED,
    *PADS,
    *LINEAR,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operator(case: Case, tmp_path: Path) -> None:
    written = compare_one(
        case.operator,
        tmp_path,
        *case.inputs,
        outputs=case.outputs,
        tolerance=case.tolerance,
        **case.weights,
    )
    assert case.form in ("", written.forms["layer"])


FIXED_SIZES = {"linear", "linear last axis", "linear axis 2", "scale 2 axes", "linear all"}
FIXED_SIZES |= {
    "expand",
    "backwards",
    "scale from the back",
    "layer norm",
    "layer norm, 3 axes",
    "layer norm, bare",
}


BROADCASTS = (
    ops.Eltwise("power", (), True),
    ops.Eltwise("product", broadcast=True),
    ops.Eltwise("sum", (), True),
    ops.MatMul(),
    ops.Compare("not_equal"),
    ops.Where(),
    ops.Where(otherwise=-np.inf),
)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.inputs[0].ndim > 2], ids=lambda case: case.name
)
def test_operator_with_dynamic_sizes(case: Case, tmp_path: Path) -> None:
    """Batch dynamic for all; height and width for those whose weights do not depend on them."""
    dynamic = "" if case.operator in BROADCASTS else "N" if case.name in FIXED_SIZES else "NHW"
    written = compare_one(
        case.operator,
        tmp_path,
        *case.inputs,
        dynamic=dynamic,
        outputs=case.outputs,
        tolerance=case.tolerance,
        opsets=(13, 22),
        **case.weights,
    )
    assert case.form in ("", written.forms["layer"])


@pytest.mark.parametrize("opset", range(13, 23))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolution(opset: int, axes: int, tmp_path: Path) -> None:
    shape = (2, 4, 7, 6, 5)[: axes + 2]
    for pads, dilation in (((1, 0, 2), 1), ((2, 1, 0), 2), ((-1, 0, 1), 1)):
        operator = ops.Conv(
            6, (3, 2, 1)[:axes], (2, 1, 1)[:axes], (dilation,) * axes, pads[:axes], (1,) * axes, 2
        )
        weight = values(6, 2, *operator.kernel)
        compare_one(
            operator, tmp_path, values(*shape), opsets=(opset,), weight=weight, bias=values(6)
        )


@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
@pytest.mark.parametrize("offset", [0, 2])
def test_crop_to_a_reference(dynamic: str, offset: int, tmp_path: Path) -> None:
    big, small = values(2, 3, 8, 9), values(2, 5, 5, 6)
    operator = ops.Crop(2, (offset, offset), (like("small", 2), like("small", 3)))
    pool = ops.Pad((0, 0, 1, 1), (0, 0, 2, 2))
    layers = [
        Layer("grow", pool, ("small",), ("grown",)),
        Layer("crop", operator, ("big", "small"), ("y",)),
        Layer("merge", ops.Concat(1), ("y", "small"), ("z",)),
    ]
    shapes = {"big": letters(big.shape, ""), "small": letters(small.shape, dynamic)}
    source = model(layers, shapes, ["z", "grown"])
    written = convert_and_compare(source, {"big": big, "small": small}, tmp_path, tolerance=0)
    assert written.forms["crop"] == "Slice"


def test_crop_of_nothing_is_no_slice(tmp_path: Path) -> None:
    x = values(1, 2, 4, 5)
    operator = ops.Crop(2, (0, 0), (like("x1", 2), like("x1", 3)))
    written = compare_one(operator, tmp_path, x, x, dynamic="HW", tolerance=0)
    assert written.forms["layer"] == "Identity"


def test_one_file_serves_every_size(tmp_path: Path) -> None:
    """ceil-halved, doubled again, cropped to the input: odd sizes included."""
    operator = ops.ConvTranspose(2, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0), 2)
    pool = ops.Pool("max", (2, 2), (2, 2), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", True)
    layers = [
        Layer("pool", pool, ("x",), ("small",)),
        Layer("up", operator, ("small",), ("big",), weights(weight=values(2, 1, 4, 4))),
        Layer("crop", ops.Crop(2, (0, 0), (like("x", 2), like("x", 3))), ("big", "x"), ("y",)),
        Layer("sum", ops.Eltwise("sum"), ("y", "x"), ("z",)),
    ]
    source = model(layers, {"x": letters((1, 2, 1, 1), "NHW")}, ["z"])
    for size in ((1, 2, 5, 8), (3, 2, 7, 2), (1, 2, 1, 1)):
        written = convert_and_compare(source, {"x": values(*size)}, tmp_path, opsets=(18,))
    assert run_onnx(written.path, {"x": values(1, 2, 9, 4)})["z"].shape == (1, 2, 9, 4)


def test_values_keep_their_names_and_identities_go(tmp_path: Path) -> None:
    import onnx

    layers = [
        Layer("conv/1", ops.Relu(), ("data",), ("conv/1",)),
        Layer("drop", ops.Identity(), ("conv/1",), ("a", "b")),
        Layer("up", ops.Power(2.0, 3.0), ("a",), ("c",)),
        Layer("last", ops.Identity(), ("b",), ("out",)),
    ]
    source = model(layers, {"data": (1, 2, 3, 4)}, ["c", "out"])
    written = convert_and_compare(source, {"data": values(1, 2, 3, 4)}, tmp_path)
    graph = onnx.load(written.path).graph
    assert [node.name for node in graph.node] == ["conv/1", "up/Mul", "up", "last"]
    assert graph.node[2].output[0] == "c"
    assert written.forms["drop"] == "elided"


def test_inner_names_make_way_for_values(tmp_path: Path) -> None:
    layers = [
        Layer("up", ops.Power(2.0, 3.0), ("data",), ("c",)),
        Layer("other", ops.Relu(), ("c",), ("up/Mul",)),
    ]
    source = model(layers, {"data": (1, 2, 3, 4)}, ["up/Mul"])
    convert_and_compare(source, {"data": values(1, 2, 3, 4)}, tmp_path)


def test_an_even_neighbourhood_is_refused(tmp_path: Path) -> None:
    source = one_layer(ops.Lrn(4, 0.1, 0.75, 1.0, "across"), (1, 8, 3, 3))
    with pytest.raises(UnsupportedError, match=r"layer 'layer': .* 4 neighbours has no centre"):
        write_onnx(source, tmp_path / "m.onnx")
