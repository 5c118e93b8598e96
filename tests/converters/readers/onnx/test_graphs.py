"""Graphs: constants, functions, branches, shape arithmetic, names, what old opsets mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.readers.onnx.support import (
    FLOAT,
    assert_close,
    computed,
    meant,
    node,
    noise,
    proto,
    read,
    unknown,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.inference import infer
from upconv.converters.readers.onnx import evaluation
from upconv.converters.readers.onnx.evaluation import MAX_DEPTH

BRANCH = helper.make_tensor_value_info("z", FLOAT, None)


def constant(name: str, values: Any) -> Any:
    return node("Constant", [], name, value=numpy_helper.from_array(np.asarray(values)))


def test_the_size_of_a_skip_stays_a_formula(tmp_path: Path) -> None:
    """What exporters write to resize to another tensor's size: no size is baked in."""
    model = proto(
        [
            node("MaxPool", ["x"], "p", kernel_shape=[3, 3], strides=[2, 2]),
            node("Shape", ["x"], "s"),
            constant("two", np.array([2])),
            constant("four", np.array([4])),
            constant("zero", np.array([0])),
            node("Slice", ["s", "two", "four", "zero"], "hw"),
            node("Shape", ["p"], "ps"),
            node("Slice", ["ps", "zero", "two", "zero"], "nc"),
            node("Concat", ["nc", "hw"], "sizes", axis=0),
            node("Resize", ["p", "", "", "sizes"], "y", mode="linear"),
        ],
        {"x": ["N", 3, "H", "W"]},
    )
    made = read(model, tmp_path)
    assert not unknown(made)
    assert [str(size) for size in infer(made).shapes["y"] or ()] == ["N", "3", "H", "W"]
    for shape in ((1, 3, 9, 12), (2, 3, 15, 7)):
        x = noise(*shape)
        assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_scaled_sizes_by_way_of_floats(tmp_path: Path) -> None:
    """floor(cast(H) * 1.5), as TensorFlow's converter has it."""
    model = proto(
        [
            node("Shape", ["x"], "s", start=2),
            node("Cast", ["s"], "f", to=FLOAT),
            constant("by", np.float32(1.5)),
            node("Mul", ["f", "by"], "m"),
            node("Floor", ["m"], "fl"),
            node("Cast", ["fl"], "hw", to=TensorProto.INT64),
            node("Resize", ["x", "", "", "hw"], "y", mode="nearest", axes=[2, 3],
                 coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        ],
        {"x": [1, 2, "H", "W"]},
    )  # fmt: skip
    made = read(model, tmp_path)
    assert str((infer(made).shapes["y"] or ())[2]) == "floor(3*H/2)"
    x = noise(1, 2, 7, 10)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_a_fixed_input_makes_numbers(tmp_path: Path) -> None:
    model = proto([node("GlobalAveragePool", ["x"])], {"x": ["N", 3, "H", "W"]})
    made = read(model, tmp_path, inputs={"x": (2, 3, 5, 7)})
    assert infer(made).shapes["y"] == (2, 3, 1, 1)


def test_initializers_among_the_inputs_are_weights(tmp_path: Path) -> None:
    """As files before ir_version 4 must have it."""
    model = proto([node("Conv", ["x", "w"])], {"x": [1, 2, 6, 7], "w": [3, 2, 3, 3]})
    model.graph.initializer.append(numpy_helper.from_array(noise(3, 2, 3, 3), "w"))
    model.ir_version = 3
    made = read(model, tmp_path)
    assert [entry.name for entry in made.inputs] == ["x"]
    x = noise(1, 2, 6, 7)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def function(depth: int) -> Any:
    """A function that calls the next one, the innermost an ELU with the outermost's alpha."""
    last = depth == 0
    inner = helper.make_node("Elu", ["a"], ["b"]) if last else helper.make_node(
        f"F{depth - 1}", ["a"], ["b"], domain="local"
    )  # fmt: skip
    inner.attribute.add(name="alpha", type=1, ref_attr_name="alpha")
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    return helper.make_function("local", f"F{depth}", ["a"], ["b"], [inner], imports, ["alpha"])


def with_functions(depth: int) -> Any:
    outer = helper.make_node(f"F{depth}", ["x"], ["y"], domain="local", alpha=0.3)
    return proto(
        [outer],
        {"x": [1, 3, 4]},
        functions=[function(index) for index in range(depth + 1)],
        opsets=[helper.make_opsetid("local", 1)],
    )


def test_functions_of_the_model_are_written_out(tmp_path: Path) -> None:
    model = with_functions(2)
    made = read(model, tmp_path)
    (layer,) = made.layers
    assert layer.operator == ops.Elu(float(np.float32(0.3)))
    assert made.outputs == ("y",)
    x = noise(1, 3, 4)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_functions_nested_too_deep_are_unknown(tmp_path: Path) -> None:
    assert any(
        "nested" in why for why in unknown(read(with_functions(MAX_DEPTH), tmp_path)).values()
    )


def test_a_function_that_calls_itself_ends(tmp_path: Path) -> None:
    call = helper.make_node("F", ["a"], ["b"], domain="local")
    imports = [helper.make_opsetid("local", 1)]
    endless = helper.make_function("local", "F", ["a"], ["b"], [call], imports)
    outer = helper.make_node("F", ["x"], ["y"], domain="local")
    model = proto([outer], {"x": [1]}, functions=[endless], opsets=imports)
    assert any("nested" in why for why in unknown(read(model, tmp_path)).values())


@pytest.mark.parametrize("taken", [True, False])
def test_the_branch_that_is_taken(tmp_path: Path, taken: bool) -> None:
    branches = {
        name: helper.make_graph([node(op, ["x"], "z")], name, [], [BRANCH])
        for name, op in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }
    model = proto(
        [constant("c", np.array(taken)), node("If", ["c"], "y", **branches)], {"x": [1, 3]}
    )
    made = read(model, tmp_path)
    assert [layer.operator for layer in made.layers] == [
        ops.Relu() if taken else ops.Power(scale=-1.0)
    ]
    x = noise(1, 3)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_what_stands_behind_a_branch_names_it(tmp_path: Path) -> None:
    """One notice says which input decides; through a layer whose own meaning is plain, too."""
    graph = helper.make_graph([node("Identity", ["x"], "z")], "g", [], [BRANCH])
    branches = {"then_branch": graph, "else_branch": graph}
    model = proto(
        [
            node("ReduceMax", ["w"], "m", keepdims=0),
            node("Cast", ["m"], "c", to=TensorProto.BOOL),
            helper.make_node("If", ["c"], ["i"], "if", **branches),
            node("Relu", ["i"], "r"),
            node("Squeeze", ["r"], "s"),
            helper.make_node("If", ["s"], ["y"], "again", **branches),
        ],
        {"x": [1, 3], "w": [4]},
    )
    made = read(model, tmp_path)
    assert list(unknown(made).values()) == [
        "control flow that is decided when the model runs, by its 'w'",
        "behind 'if', which is not understood",
        "behind 'if', which is not understood",
    ]
    (notice,) = made.notices
    assert "convert copies its node" in notice.error.hint


def test_what_is_not_known_stops_only_what_needs_it(tmp_path: Path) -> None:
    model = proto(
        [
            node("GatherND", ["x", "k"], "t"),
            node("Relu", ["t"], "y"),
            helper.make_node("Fused", ["x"], ["f"], domain="com.microsoft"),
            node("Tanh", ["x"], "z"),
        ],
        {"x": [1, 8]},
        {"k": np.array([[0, 2]])},
        outputs=("y", "f", "z"),
    )
    made = read(model, tmp_path)
    assert sorted(unknown(made).values()) == [
        "an operator of the domain 'com.microsoft', Fused",
        "values picked by tuples of numbers (GatherND)",
    ]
    assert len(made.notices) == 2
    assert made.layer("Tanh#3").operator == ops.Tanh()


@pytest.mark.parametrize("axis", [1, -1])
def test_the_largest_values_and_their_places(axis: int, tmp_path: Path) -> None:
    top = helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=axis)
    cast = helper.make_node("Cast", ["i"], ["places"], to=TensorProto.FLOAT)
    kept = {"k": np.array([2])}
    model = proto([top, cast], {"x": [2, 3, 4]}, kept, outputs=("v", "places"))
    x = np.round(noise(2, 3, 4))  # with equals, of which the first comes first
    made = read(model, tmp_path)
    for ours, theirs in zip(meant(made, {"x": x}), computed(model, {"x": x}), strict=True):
        assert_close(ours, theirs)


def test_the_smallest_values_are_refused(tmp_path: Path) -> None:
    top = helper.make_node("TopK", ["x", "k"], ["v", "i"], largest=0)
    made = read(proto([top], {"x": [1, 8]}, {"k": np.array([2])}, outputs=("v",)), tmp_path)
    assert list(unknown(made).values()) == ["the smallest values, or the largest in no order"]


def test_the_largest_of_regions(tmp_path: Path) -> None:
    pool = helper.make_node(
        "MaxRoiPool", ["x", "regions"], ["y"], pooled_shape=[2, 3], spatial_scale=0.5
    )
    model = proto([pool], {"x": [2, 3, 8, 9], "regions": [2, 5]})
    made = read(model, tmp_path)
    assert made.layers[0].operator == ops.RoiMaxPool((2, 3), 0.5)
    regions = np.array([[0, 0, 0, 15, 13], [1, 4, 2, 11, 9]], np.float32)
    feeds = {"x": noise(2, 3, 8, 9), "regions": regions}
    assert_close(meant(made, feeds)[0], computed(model, feeds)[0])


def test_softmax_before_opset_13_is_over_all_that_follows(tmp_path: Path) -> None:
    x = noise(2, 3, 4, 5)
    for opset in (11, 13):
        model = proto([node("Softmax", ["x"], axis=2)], {"x": [2, 3, 4, 5]}, opset=opset)
        got = meant(read(model, tmp_path), {"x": x})[0]
        assert_close(got, computed(model, {"x": x})[0])
        axes = (2, 3) if opset < 13 else (2,)
        assert_close(got.sum(axes), np.ones_like(got.sum(axes)))


@pytest.mark.parametrize("axis", [1, 2])
def test_operands_aligned_by_axis_before_opset_7(tmp_path: Path, axis: int) -> None:
    w = noise(2, 3, 4, 5)[0, 0 if axis == 2 else slice(None), :, 0].reshape(-1)[: (3, 4)[axis - 1]]
    model = proto(
        [node("Add", ["x", "w"], axis=axis, broadcast=1)], {"x": [2, 3, 4, 5]}, {"w": w}, opset=6
    )
    x = noise(2, 3, 4, 5, seed=1)
    shape = [1, 1, 1, 1]
    shape[axis] = len(w)
    assert_close(meant(read(model, tmp_path), {"x": x})[0], x + w.reshape(shape))


SAME = [
    ("SAME_UPPER", (3, 4), (2, 3)),
    ("SAME_LOWER", (3, 4), (2, 3)),
    ("SAME_LOWER", (5, 2), (3, 2)),
    ("VALID", (3, 2), (2, 2)),
]


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool", "ConvTranspose"])
@pytest.mark.parametrize(("auto_pad", "kernel", "stride"), SAME)
def test_auto_pad(
    tmp_path: Path, op: str, auto_pad: str, kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    weights = {"Conv": (4, 3, *kernel), "ConvTranspose": (3, 4, *kernel)}
    stored = {"w": noise(*weights[op])} if op in weights else {}
    sizes = {} if stored else {"kernel_shape": kernel}
    made = proto(
        [node(op, ["x", *stored], auto_pad=auto_pad, strides=stride, **sizes)],
        {"x": [2, 3, 9, 11]},
        stored,
    )
    x = noise(2, 3, 9, 11)
    model = read(made, tmp_path)
    assert not unknown(model)
    assert_close(meant(model, {"x": x})[0], computed(made, {"x": x})[0])


PLAIN = [
    node("Gemm", ["x", "w", "b"], alpha=0.5, beta=2.0, transB=1),
    node("Clip", ["x", "low"]),
    node("Div", ["w", "x"]),
    node("Sub", ["b", "x"]),
    node("Pow", ["x", "two"]),
    node("LayerNormalization", ["x", "b", "b"]),
    node("ReduceLogSumExp", ["x"], keepdims=0),
    node("ArgMax", ["x"], axis=1),
    node("Tile", ["x", "times"]),
    node("Gather", ["x", "picked"], axis=1),
    node("Gather", ["x", "one"], axis=0),
    node("CumSum", ["x", "one"], reverse=1),
    node("Where", ["flags", "x", "b"]),
    node("Mod", ["x", "b"], fmod=1),
    node("EyeLike", ["x"], k=-1),
]


@pytest.mark.parametrize("one", PLAIN, ids=lambda one: one.op_type)
def test_single_nodes_equal_onnxruntime(tmp_path: Path, one: Any) -> None:
    stored = {
        "w": noise(4, 4, seed=1),
        "b": noise(4, seed=2),
        "low": np.float32(0.1),
        "two": np.float32(2.0),
        "times": np.array([2, 3]),
        "picked": np.array([[3, -1], [0, 0]]),
        "one": np.array(1),
        "flags": np.array([True, False, True, False]),
    }
    used = {name: stored[name] for name in one.input if name in stored}
    model = proto([one], {"x": [4, 4]}, used)
    if one.op_type == "ArgMax":
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    x = noise(4, 4)
    made = read(model, tmp_path)
    assert not unknown(made)
    assert_close(meant(made, {"x": x})[0], computed(model, {"x": x})[0])


def test_a_batch_and_channels_that_are_resized(tmp_path: Path) -> None:
    model = proto(
        [node("Resize", ["x", "", "", "sizes"], mode="linear")],
        {"x": [2, 3, 4, 5]},
        {"sizes": np.array([2, 5, 4, 9])},
    )
    x = noise(2, 3, 4, 5)
    assert meant(read(model, tmp_path), {"x": x})[0].shape == (2, 5, 4, 9)


def test_whole_numbers_leave_as_such(tmp_path: Path) -> None:
    model = proto([node("ArgMax", ["x"], axis=1, keepdims=0)], {"x": [2, 5, 3]})
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    assert read(model, tmp_path).integer_outputs == {"y"}


def test_what_graphs_inside_of_nodes_read_has_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that holds a large graph, called again and again, costs as often as it is."""
    inner = [node("Neg", [f"a{at}"], f"b{at}") for at in range(50)]
    end = helper.make_tensor_value_info("b0", FLOAT, None)
    graph = helper.make_graph(inner, "g", [], [end])
    body = node("If", ["c"], "o", then_branch=graph, else_branch=graph)
    opset = helper.make_opsetid("", 18)
    function = helper.make_function("d", "F", ["c"], ["o"], [body], [opset])
    calls = [helper.make_node("F", ["x"], [f"y{at}"], domain="d") for at in range(20)]
    domain = helper.make_opsetid("d", 1)
    made = proto(calls, {"x": [1]}, outputs=("y0",), functions=[function], opsets=(domain,))
    assert len(read(made, tmp_path).layers) >= 20
    monkeypatch.setattr(evaluation, "MAX_NODES", 500)
    with pytest.raises(UnreadableError, match="more nodes"):
        read(made, tmp_path)


@pytest.mark.parametrize("op", ["Add", "Pow", "PRelu"])
@pytest.mark.parametrize("stored", [True, False])
def test_before_opset_7_a_row_lies_along_the_axis_that_is_named(
    op: str, stored: bool, tmp_path: Path
) -> None:
    x = np.random.default_rng(5).uniform(0.5, 2.0, (2, 3, 4)) * (-1 if op == "PRelu" else 1)
    row = np.array([0.5, 2.0, 3.0], np.float32)
    words: dict[str, Any] = {} if op == "PRelu" else {"broadcast": 1, "axis": 1}
    node = helper.make_node(op, ["x", "row"], ["y"], **words)
    inputs: dict[str, list[int | str]] = {"x": [2, 3, 4]}
    if not stored:
        inputs["row"] = [3]
    model = read(proto([node], inputs, {"row": row} if stored else {}, opset=6), tmp_path)
    (found,) = meant(model, {"x": x, "row": row})
    along = row[:, None]
    assert_close(found, {"Add": x + along, "Pow": np.abs(x) ** along, "PRelu": x * along}[op], 1e-6)


@pytest.mark.parametrize("largest", [(1 << 31) - 1, (1 << 63) - 1])
def test_a_slice_backwards_to_the_largest_number_is_refused(largest: int, tmp_path: Path) -> None:
    """The specification makes that nothing, onnxruntime everything. The least number is clear."""
    node = helper.make_node("Slice", ["x", "begin", "end", "axis", "step"], ["y"])
    stored = {"begin": [-1], "axis": [3], "step": [-1]}
    for shape in ((1, 2, 3, 4), (1, 2, "H", "W")):
        for end, why in ((largest, True), (-largest - 1, False), (-largest, False)):
            model = proto([node], {"x": shape}, {**stored, "end": [end]})
            found = read(model, tmp_path)
            assert any("onnxruntime" in one for one in unknown(found).values()) is why
            if not why:
                x = noise(1, 2, 3, 4)
                assert_close(meant(found, {"x": x})[0], computed(model, {"x": x})[0], 0)
