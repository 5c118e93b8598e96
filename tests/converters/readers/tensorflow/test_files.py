"""What a file is told by, names and shapes at the border, and that no framework is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.converters.readers.tensorflow.support import (
    assert_same_as_tensorflow,
    graph_of,
    noise,
    placeholder,
    save_graph,
    shapes,
    tf,
    v1,
)
from tests.support import ROOT
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UsageError
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")


def two_inputs() -> None:
    a = placeholder(None, None, None, 3, name="image")
    b = placeholder(None, None, None, 3, name="other")
    tf.nn.relu(a + b, name="merged")
    tf.identity(a, name="seen")


def test_names_and_symbols(tmp_path: Path) -> None:
    """One batch for all; other sizes are each input's own. A node's name is the output's, also
    where it only passes an input on."""
    path = save_graph(graph_of(two_inputs), tmp_path)
    model = open_model(str(path), ReadOptions())
    N, H, W = symbol("N"), symbol("H"), symbol("W")
    own = symbol("other_H"), symbol("other_W")
    assert [entry.shape for entry in model.inputs] == [(N, 3, H, W), (N, 3, *own)]
    assert model.outputs == ("merged", "seen")
    assert model.channels_last == {"image", "other", "merged", "seen"}
    x = {"image": noise(1, 4, 5, 3), "other": noise(1, 4, 5, 3, seed=1)}
    assert_same_as_tensorflow(graph_of(two_inputs), tmp_path, x)


def test_given_shapes_are_in_the_models_layout(tmp_path: Path) -> None:
    path = save_graph(graph_of(two_inputs), tmp_path)
    model = open_model(str(path), shapes(image="1x8x9x3"))
    assert model.inputs[0].shape == (1, 3, 8, 9)
    with pytest.raises(UsageError, match="no input 'nothing'"):
        open_model(str(path), shapes(nothing="1x2"))
    with pytest.raises(UsageError, match="2 axes"):
        open_model(str(path), shapes(image="1x2"))


def test_an_input_of_unknown_rank(tmp_path: Path) -> None:
    """Where no convolution tells its shape either, it is asked for."""

    def build() -> None:
        tf.nn.relu(v1.placeholder(tf.float32, None, "x"), name="y")

    path = save_graph(graph_of(build), tmp_path)
    assert open_model(str(path), ReadOptions()).inputs[0].shape is None
    model = open_model(str(path), shapes(x="1x4x5x3"))
    assert model.inputs[0].shape == (1, 3, 4, 5)


def test_text_has_places(tmp_path: Path) -> None:
    path = save_graph(graph_of(two_inputs), tmp_path, text=True)
    model = open_model(str(path), ReadOptions())
    spans = [layer.origin.span for layer in model.layers]
    assert all(span is not None and span.text.startswith("{") for span in spans)
    assert spans[0] is not None
    assert spans[0].line > 1


def test_what_a_file_is(tmp_path: Path) -> None:
    graph = graph_of(two_inputs)
    for name, content in (
        ("graph.pb", graph.SerializeToString()),
        ("graph.bin", graph.SerializeToString()),
        ("graph.pbtxt", str(graph).encode()),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert identify(str(path)) == "TensorFlow"
        assert len(open_model(str(path), ReadOptions()).layers) >= 1


def test_an_onnx_file_with_the_wrong_extension(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    proto = helper.make_model(helper.make_graph([], "g", [value], [value]), producer_name="p")
    path = tmp_path / "model.pb"
    path.write_bytes(proto.SerializeToString())
    assert identify(str(path)) == "ONNX"


def test_saved_models_without_signatures(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    assert identify(str(tmp_path)) == "TensorFlow"
    with pytest.raises(UnsupportedError, match="without signatures"):
        open_model(str(tmp_path), ReadOptions())


def test_the_file_of_a_saved_model_is_as_good_as_its_folder(tmp_path: Path) -> None:
    class Served(tf.Module):  # type: ignore[name-defined, misc]
        @tf.function(input_signature=[tf.TensorSpec([2, 3], tf.float32, "some_name")])  # type: ignore[untyped-decorator]
        def __call__(self, some_name: object) -> object:
            return {"doubled": some_name * 2, "same": some_name}  # type: ignore[operator]

    served = Served()
    tf.saved_model.save(served, str(tmp_path), signatures=served.__call__)
    for path in (tmp_path, tmp_path / "saved_model.pb"):
        model = open_model(str(path), ReadOptions())
        assert [entry.name for entry in model.inputs] == ["some_name"]
        assert model.outputs == ("doubled", "same")


@pytest.mark.parametrize("content", [b"", b"\x0a\x00", b"\x12\x03abc", b"\0" * 40])
def test_files_that_are_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(content)
    with pytest.raises(UnreadableError):
        open_model(str(path), ReadOptions())


PROGRAM = """
import sys
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
model = open_model(sys.argv[1], ReadOptions())
assert not model.notices
before = {name.partition(".")[0] for name in sys.modules}
assert not before & {"tensorflow", "keras", "h5py", "google", "onnx"}, before
from upconv.converters.onnx_writer import write_onnx
write_onnx(model, sys.argv[2])
found = {name.partition(".")[0] for name in sys.modules}
assert not found & {"tensorflow", "keras", "h5py"}, found
"""


def test_no_framework_is_imported(tmp_path: Path) -> None:
    path = save_graph(graph_of(two_inputs), tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "out.onnx")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("with_operations", [True, False])
def test_a_saved_model_is_one_whatever_its_version(
    version: int, with_operations: bool, tmp_path: Path
) -> None:
    """Version 0, as TF Hub wrote it, is not in the file, which then begins as a GraphDef may whose
    functions stand before its nodes."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel(saved_model_schema_version=version)
    meta = saved.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    if with_operations:
        meta.meta_info_def.stripped_op_list.op.add(name="AddV2")
    meta.graph_def.CopyFrom(graph_of(two_inputs))
    signature = meta.signature_def["serving_default"]
    signature.inputs["image"].name = "image:0"
    signature.outputs["seen"].name = "seen:0"
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    assert open_model(str(tmp_path), ReadOptions()).outputs == ("seen",)


def test_functions_before_the_nodes_are_no_saved_model(tmp_path: Path) -> None:
    graph = graph_of(two_inputs)
    graph.library.function.add().signature.name = "f"
    whole, nodes = graph.SerializeToString(), type(graph)(node=graph.node).SerializeToString()
    functions = type(graph)(library=graph.library).SerializeToString()
    assert len(functions) + len(nodes) <= len(whole)
    (tmp_path / "a.pb").write_bytes(functions + nodes)
    assert open_model(str(tmp_path / "a.pb"), ReadOptions()).outputs == ("merged", "seen")
