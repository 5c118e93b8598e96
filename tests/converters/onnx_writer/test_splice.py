"""ONNX files with nodes that are not understood: copied, and the rest written anew around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fixtures.make_onnx import net, node, noise
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.geometry import bilinear_taps
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

TOP = node("TopK", "u,k", "y,places", axis=2, largest=0)
"""Not understood: the smallest values; its places are whole numbers of 64 bits."""


DEFAULTS = WriteOptions()


def _up(**more: Any) -> Any:
    words = {"auto_pad": "SAME_LOWER", "strides": [2, 2], "name": "up", **more}
    return helper.make_node("ConvTranspose", ["x", "w"], ["u"], **words)


def _file(folder: Path, *nodes: Any, x: Any = (2, 2, 5, 7), opset: int = 17, **stored: Any) -> Path:
    values = {"w": noise(2, 3, 3, 3), "k": np.array([4]), **stored}
    proto = net(nodes, x, values, opset=opset)
    proto.graph.output.append(
        helper.make_tensor_value_info("places", TensorProto.INT64, [None] * 4)
    )
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def _written(path: Path, options: WriteOptions = DEFAULTS, **read: Any) -> tuple[Any, Path]:
    model, out = open_model(str(path), ReadOptions(**read)), path.with_name("out.onnx")
    write_onnx(model, out, options)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    return model, out


def _run(path: Path, x: Any) -> Any:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def test_pads_become_explicit_and_the_rest_stays(tmp_path: Path) -> None:
    path = _file(tmp_path, _up(), TOP)
    model, out = _written(path)
    made = onnx.load(out)
    assert [one.op_type for one in made.graph.node] == ["ConvTranspose", "TopK"]
    assert made.graph.node[1] == TOP
    words = {one.name: helper.get_attribute_value(one) for one in made.graph.node[0].attribute}
    assert (words.get("auto_pad"), list(words["pads"])) == (None, [1, 1, 0, 0])
    proof = verify(model, str(out))
    assert proof.verdict == "pass"
    assert {one.layer: one.form for one in proof.layers} == {
        "up": "ConvTranspose",
        "topk": "copied",
    }
    x = noise(2, 2, 5, 7)
    for old, new in zip(_run(path, x), _run(out, x), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)


def test_negative_pads_are_written_so_that_runtimes_take_them(tmp_path: Path) -> None:
    path = _file(tmp_path, _up(auto_pad="NOTSET", pads=[0, 0, -1, -2], strides=[2, 3]), TOP)
    _, out = _written(path)
    assert _run(out, noise(2, 2, 5, 7))[0].shape == (2, 3, 4, 23)


def test_names_of_the_file_are_left_to_it(tmp_path: Path) -> None:
    """What the new nodes bring has other names, and weights that others read stay."""
    other = node("Conv", "v,w", "z")
    path = _file(tmp_path, _up(), TOP, node("Identity", "x", "v"), other)
    taken = {one.name for one in onnx.load(path).graph.initializer}
    _, out = _written(path)
    graph = onnx.load(out).graph
    assert {one.name for one in graph.initializer} > taken
    names = [name for one in graph.node for name in one.output]
    assert len(set(names)) == len(names)


def test_sizes_are_fixed_and_freed(tmp_path: Path) -> None:
    path = _file(tmp_path, _up(), TOP)
    free = {"x": (symbol("N"), 2, symbol("H"), 7)}
    model, out = _written(path, inputs=free)
    assert [
        d.dim_param or d.dim_value for d in onnx.load(out).graph.input[0].type.tensor_type.shape.dim
    ] == ["N", 2, "H", 7]
    assert verify(model, str(out)).verdict == "pass"
    assert _run(out, noise(1, 2, 8, 7))[0].shape == (1, 3, 4, 14)
    path = _file(tmp_path, _up(), TOP, x=("N", 2, "H", 7))
    _, out = _written(path, inputs={"x": (3, 2, 6, 7)})
    assert [d.dim_value for d in onnx.load(out).graph.input[0].type.tensor_type.shape.dim] == [
        3,
        2,
        6,
        7,
    ]


def test_bilinear_layers_get_the_form_that_is_asked_for(tmp_path: Path) -> None:
    taps, double = bilinear_taps(4)
    row = np.array(taps, np.float32) / np.float32(double)
    weight = np.broadcast_to(np.outer(row, row), (2, 1, 4, 4)).astype(np.float32)
    up = _up(auto_pad="NOTSET", pads=[1] * 4, group=2)
    model, out = _written(_file(tmp_path, up, TOP, w=weight), WriteOptions(bilinear="separable"))
    assert len(onnx.load(out).graph.node) > 2
    proof = verify(model, str(out))
    assert (proof.verdict, proof.layers[0].form) == ("pass", "separable")


@pytest.mark.parametrize(
    "change", ["another mode", "another tensor", "another opset", "other pads"]
)
def test_a_copy_that_is_none_is_found(change: str, tmp_path: Path) -> None:
    model, out = _written(_file(tmp_path, _up(), TOP))
    made = onnx.load(out)
    if change == "another mode":
        (largest,) = (one for one in made.graph.node[1].attribute if one.name == "largest")
        largest.i = 1
    elif change == "another tensor":
        (k,) = (one for one in made.graph.initializer if one.name == "k")
        k.CopyFrom(numpy_helper.from_array(np.array([3]), "k"))
    elif change == "another opset":
        made.opset_import[0].version = 18
    else:
        (pads,) = (one for one in made.graph.node[0].attribute if one.name == "pads")
        pads.ints[:] = [0, 0, 1, 1]
    onnx.save(made, out)
    assert verify(model, str(out)).verdict != "pass"


@pytest.mark.parametrize("opset", [11, 23])
def test_operators_that_have_not_changed_are_written_in_any_opset(
    opset: int, tmp_path: Path
) -> None:
    model, out = _written(_file(tmp_path, _up(), TOP, opset=opset))
    proof = verify(model, str(out))
    assert (proof.verdict, proof.opset, proof.layers[0].form) == ("pass", opset, "ConvTranspose")


@pytest.mark.parametrize("opset", [11, 23])
def test_operators_that_have_changed_are_refused(opset: int, tmp_path: Path) -> None:
    """Rows of zeros behind the output are a Pad, which opsets 13 and 23 have changed."""
    cut = _up(auto_pad="NOTSET", pads=[1, 1, -4, -4])
    with pytest.raises(UnsupportedError, match=f"in their opset, {opset}, and this one"):
        _written(_file(tmp_path, cut, TOP, opset=opset))
    model, out = _written(_file(tmp_path, _up(auto_pad="NOTSET"), TOP, opset=opset))
    assert verify(model, str(out)).verdict == "pass"


@pytest.mark.parametrize("opset", [18, 20])
def test_another_opset_than_that_of_copied_nodes_is_refused(opset: int, tmp_path: Path) -> None:
    """That which is written where none is asked for, too."""
    path = _file(tmp_path, _up(), TOP)
    with pytest.raises(UnsupportedError, match="copied in the file's opset, 17, and cannot"):
        _written(path, WriteOptions(opset=opset))
    assert _written(path, WriteOptions(opset=17))[1].exists()


def test_what_the_graphs_of_a_node_read_keeps_its_inputs(tmp_path: Path) -> None:
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        end = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        inner = helper.make_node(op, ["u"], ["b"])
        branches[name] = helper.make_graph([inner], name, [], [end])
    nodes = [
        _up(),
        node("ReduceSum", "x", "s", keepdims=0),
        node("Cast", "s", "c", to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], "if", **branches),
        helper.make_node("Cast", ["x"], ["places"], to=TensorProto.INT64),
    ]
    path = _file(tmp_path, *nodes)
    model = open_model(str(path), ReadOptions())
    assert "u" in model.layer("if").inputs
    model, out = _written(path)
    assert verify(model, str(out)).verdict == "pass"


def test_what_reads_a_copied_node_is_certified_on_its_values(tmp_path: Path) -> None:
    """Layers behind what is not understood, one of them two here and one node in the file."""
    top = node("TopK", "u,k", "t,places", axis=2, largest=0)
    path = _file(tmp_path, _up(), top, node("HardSigmoid", "t", "h"), node("Relu", "h", "y"))
    model, out = _written(path)
    proof = verify(model, str(out))
    assert proof.verdict == "pass"
    assert {one.layer: one.elements for one in proof.layers} == {
        "up": 2 * 3 * 10 * 14,
        "topk": 0,
        "hardsigmoid": 2 * 3 * 4 * 14,
        "relu": 2 * 3 * 4 * 14,
    }


def test_a_model_alone_is_not_whole(tmp_path: Path) -> None:
    path = _file(tmp_path, _up(), TOP)
    proof = verify(open_model(str(path), ReadOptions()), str(path))
    assert proof.verdict == "incomplete"
    assert {one.layer: one.verdict for one in proof.layers} == {"up": "pass", "topk": "incomplete"}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("/etc/passwd", "no path inside its own folder"),
        ("../outside.bin", "no path inside its own folder"),
        ("absent.bin", "data cannot be read: No such file"),
    ],
)
def test_data_that_cannot_be_read_are_a_line(tmp_path: Path, where: str, said: str) -> None:
    path = _file(tmp_path, _up(), TOP)
    proto = onnx.load(path)
    weight = next(one for one in proto.graph.initializer if one.name == "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=where)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnreadableError, match=said):
        write_onnx(open_model(str(path), ReadOptions()), tmp_path / "out.onnx", DEFAULTS)


def test_a_weight_that_is_too_short_is_not_copied(tmp_path: Path) -> None:
    """Files whose weights were taken out are known by their shapes alone."""
    path = _file(tmp_path, _up(), TOP)
    proto = onnx.load(path)
    next(one for one in proto.graph.initializer if one.name == "w").ClearField("raw_data")
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnreadableError, match="layer 'w': no values for the shape"):
        write_onnx(open_model(str(path), ReadOptions()), tmp_path / "out.onnx", DEFAULTS)
