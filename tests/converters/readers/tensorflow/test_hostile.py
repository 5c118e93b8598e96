"""Truncated, corrupt and hostile files: one UpconvError each, soon, and never anything else."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.converters.readers.tensorflow.support import (
    graph_of,
    noise,
    placeholder,
    save_graph,
    tf,
    v1,
)
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.reader import read_tensorflow

pytestmark = pytest.mark.filterwarnings("ignore")

FLIPS = 250


def small_graph() -> Any:
    def build() -> None:
        x = placeholder(None, 6, 6, 2)
        y = tf.nn.relu(tf.nn.conv2d(x, tf.constant(noise(3, 3, 2, 4)), 2, "SAME"))
        shape = tf.shape(x)
        sizes = tf.stack([shape[0], shape[1], shape[2], 3])
        y = tf.nn.conv2d_transpose(y, tf.constant(noise(4, 4, 3, 4)), sizes, 2, "SAME")
        tf.reshape(tf.pad(y, [[0, 0], [1, 1], [0, 0], [0, 0]]), [-1, 8 * 6 * 3], name="out")

    return graph_of(build)


def read(path: Path) -> bool:
    """Whether the file can be read, its weights included."""
    try:
        model = read_tensorflow(str(path), ReadOptions())
        for layer in model.layers:
            for weight in layer.weights.values():
                if weight.present and weight.size < 1 << 20:
                    weight.array()
    except UpconvError as error:
        assert str(error)
        return False
    return True


def damaged(content: bytes, seed: int) -> Iterator[bytes]:
    """Cuts and flips, seeded."""
    rng = random.Random(seed)
    for _ in range(FLIPS // 3):
        yield content[: rng.randrange(len(content))]
    for _ in range(FLIPS):
        broken = bytearray(content)
        for _ in range(rng.choice((1, 1, 3))):
            broken[rng.randrange(len(content))] = rng.randrange(256)
        yield bytes(broken)


@pytest.mark.parametrize("text", [False, True], ids=["pb", "pbtxt"])
def test_broken_graphs(text: bool, tmp_path: Path) -> None:
    path = save_graph(small_graph(), tmp_path, text=text)
    content = path.read_bytes()
    assert read(path)
    readable = 0
    for data in damaged(content, 1):
        path.write_bytes(data or b"x")
        readable += read(path)
    assert readable < 1.4 * FLIPS


def test_broken_saved_models(tmp_path: Path) -> None:
    class Served(tf.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(noise(3, 3, 2, 4))

        @tf.function(input_signature=[tf.TensorSpec([1, 6, 6, 2], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return {"y": tf.nn.conv2d(x, self.kernel, 1, "SAME")}

    served = Served()
    tf.saved_model.save(served, str(tmp_path), signatures=served.__call__)
    assert read(tmp_path)
    for name in ("saved_model.pb", "variables/variables.index"):
        path = tmp_path / name
        content = path.read_bytes()
        for data in damaged(content, 2):
            path.write_bytes(data or b"x")
            read(tmp_path)
        path.write_bytes(content)
    assert read(tmp_path)


def test_broken_meta_graphs(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 4, 4, 2], name="x")
        kernel = v1.get_variable("kernel", [3, 3, 2, 2])
        tf.nn.conv2d(x, kernel, 1, "SAME", name="y")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "m.ckpt"))
    path = Path(f"{prefix}.meta")
    content = path.read_bytes()
    assert read(path)
    for data in damaged(content, 3):
        path.write_bytes(data or b"x")
        read(path)


# Made to hurt


def node(graph: Any, name: str, op: str, *inputs: str, **attributes: Any) -> Any:
    made = graph.node.add(name=name, op=op, input=list(inputs))
    for key, value in attributes.items():
        made.attr[key].CopyFrom(value)
    return made


def constant(graph: Any, name: str, value: Any) -> None:
    tensor = tf.make_tensor_proto(value)
    node(
        graph,
        name,
        "Const",
        value=v1.AttrValue(tensor=tensor),
        dtype=v1.AttrValue(type=tensor.dtype),
    )


def input_graph() -> Any:
    graph = v1.GraphDef()
    shape = tf.TensorShape([1, None, None, 2]).as_proto()
    node(
        graph,
        "x",
        "Placeholder",
        dtype=v1.AttrValue(type=1),
        shape=v1.AttrValue(shape=shape),
    )
    return graph


def quickly(graph: Any, folder: Path, seconds: float = 10.0) -> None:
    """Read, whatever comes of it, in a time no attack should exceed."""
    path = save_graph(graph, folder)
    start = time.process_time()
    read(path)
    assert time.process_time() - start < seconds


def function(graph: Any, name: str, body: list[tuple[str, str]], result: str) -> None:
    """A function of one argument `a`: calls (node, function) in a chain."""
    made = graph.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=1)
    made.signature.output_arg.add(name="r", type=1)
    made.ret["r"] = result
    before = "a"
    for call, called in body:
        entry = made.node_def.add(name=call, op="PartitionedCall", input=[before])
        entry.attr["f"].func.name = called
        before = f"{call}:output:0"


def test_functions_that_call_themselves(tmp_path: Path) -> None:
    graph = input_graph()
    function(graph, "f", [("again", "f")], "again:output:0")
    called = node(graph, "y", "PartitionedCall", "x")
    called.attr["f"].func.name = "f"
    node(graph, "out", "Relu", "y")
    with pytest.raises(UnreadableError, match="without end"):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())


def test_functions_that_double(tmp_path: Path) -> None:
    """Sixty functions, each calling the one before twice."""
    graph = input_graph()
    function(graph, "f0", [], "a")
    for index in range(1, 60):
        inner = f"f{index - 1}"
        function(graph, f"f{index}", [("one", inner), ("two", inner)], "two:output:0")
    called = node(graph, "y", "PartitionedCall", "x")
    called.attr["f"].func.name = "f59"
    node(graph, "out", "Relu", "y")
    quickly(graph, tmp_path)
    with pytest.raises(UnreadableError):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())


def test_functions_that_are_each_others_result(tmp_path: Path) -> None:
    graph = input_graph()
    function(graph, "f", [], "a")
    called = node(graph, "y", "PartitionedCall", "y")
    called.attr["f"].func.name = "f"
    node(graph, "z", "Add", "y", "x")
    with pytest.raises(UnreadableError, match="each other"):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())


def test_loops(tmp_path: Path) -> None:
    graph = input_graph()
    node(graph, "a", "Add", "x", "b")
    node(graph, "b", "Relu", "a")
    node(graph, "c", "Relu", "b")
    with pytest.raises(UnsupportedError, match="loop"):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())


def test_sizes_that_double_with_every_node(tmp_path: Path) -> None:
    """Squares of squares: of numbers, and of sizes that stay open."""
    graph = input_graph()
    constant(graph, "two", [2, 2, 2, 2])
    node(graph, "shape", "Shape", "x")
    node(graph, "s0", "Mul", "shape", "two")
    node(graph, "n0", "Mul", "two", "two")
    for index in range(200):
        node(graph, f"s{index + 1}", "Mul", f"s{index}", f"s{index}")
        node(graph, f"n{index + 1}", "Mul", f"n{index}", f"n{index}")
    node(graph, "y", "Reshape", "x", "s200")
    node(graph, "z", "Reshape", "x", "n200")
    quickly(graph, tmp_path)


def test_sums_of_extremes(tmp_path: Path) -> None:
    graph = input_graph()
    constant(graph, "three", [3, 3, 3, 3])
    node(graph, "s0", "Shape", "x")
    for index in range(200):
        node(graph, f"h{index}", "FloorDiv", f"s{index}", "three")
        node(graph, f"m{index}", "Maximum", f"h{index}", "three")
        node(graph, f"s{index + 1}", "Add", f"m{index}", f"s{index}")
    node(graph, "y", "Reshape", "x", "s200")
    quickly(graph, tmp_path)


@pytest.mark.parametrize("shape", [[1 << 30, 1 << 30], [1 << 20, 1 << 20, 4], [(1 << 31) - 1]])
def test_constants_that_are_not_in_the_file(shape: list[int], tmp_path: Path) -> None:
    """A shape with one value in the file, which stands for all."""
    graph = input_graph()
    constant(graph, "c", 1.0)
    tensor = graph.node[-1].attr["value"].tensor
    tensor.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    node(graph, "y", "Add", "x", "c")
    quickly(graph, tmp_path)
    model = read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())
    assert [notice.kind for notice in model.notices][:1] == ["unreadable-part"]


def test_folding_that_fills_the_memory(tmp_path: Path) -> None:
    graph = input_graph()
    constant(graph, "many", [1 << 16, 1 << 16])
    constant(graph, "one", 1.0)
    constant(graph, "end", [1 << 60])
    constant(graph, "zero", 0)
    constant(graph, "step", 1)
    constant(graph, "last", 1 << 30)
    constant(graph, "row", [[1.0] * 20000])
    constant(graph, "column", [[1.0]] * 20000)
    node(graph, "f", "Fill", "many", "one")
    node(graph, "r", "Range", "zero", "last", "step")
    node(graph, "o", "Mul", "row", "column")
    node(graph, "t", "Tile", "row", "many")
    for index, name in enumerate(("f", "r", "o", "t")):
        node(graph, f"y{index}", "Add", "x", name)
    quickly(graph, tmp_path)


def test_deep_chains(tmp_path: Path) -> None:
    """No recursion limit is in the way of a long chain."""
    graph = input_graph()
    node(graph, "y0", "Identity", "x")
    for index in range(5000):
        node(graph, f"y{index + 1}", "Identity", f"y{index}")
    node(graph, "out", "Relu", "y5000")
    model = read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())
    assert [layer.name for layer in model.layers] == ["out"]


def test_dangling_and_repeated_names(tmp_path: Path) -> None:
    graph = input_graph()
    node(graph, "y", "Add", "x", "nowhere")
    with pytest.raises(UnreadableError, match="nowhere"):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())
    graph = input_graph()
    node(graph, "x", "Relu", "x")
    with pytest.raises(UnreadableError, match="two nodes"):
        read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())


@pytest.mark.parametrize("rank", [4, 0])
@pytest.mark.parametrize("axis", [7, -5])
def test_axes_that_a_tensor_lacks(axis: int, rank: int, tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder(None, 1, 6, 2)
        inner = x if rank else tf.reduce_sum(x, [0, 1, 2, 3])
        tf.raw_ops.Squeeze(input=inner, name="squeezed")
        tf.raw_ops.Max(input=inner, axis=tf.constant([0][:rank], tf.int32, name="over"), name="max")

    graph = graph_of(build)
    for node in graph.node:
        if node.op == "Squeeze":
            node.attr["squeeze_dims"].list.i[:] = [axis]
        if node.name == "over":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([axis], tf.int32))
    found = read_tensorflow(str(save_graph(graph, tmp_path)), ReadOptions())
    told = {notice.error.layer: str(notice.error) for notice in found.notices}
    assert set(told) == {"squeezed", "max"}
    assert all(f"axes [{axis}] of a tensor that has {rank}" in text for text in told.values())
