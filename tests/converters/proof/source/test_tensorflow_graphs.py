"""TensorFlow's files against TensorFlow: right ones pass, a reader's mistake is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.proof.source.support import against_source, compare, shifted
from tests.converters.readers.tensorflow.support import (
    graph_of,
    noise,
    placeholder,
    save_graph,
    tf,
    v1,
)
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.proof.against_source import source_stimuli
from upconv.converters.proof.source import run_source
from upconv.converters.proof.source.loaded import suited
from upconv.converters.proof.source.tensorflow_vetting import require_inert_graph
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")


def upsampler(weight: Any, x: Any) -> None:
    """A transposed convolution to twice the size, which pads unevenly, and what is behind it."""
    size = tf.shape(x)
    target = tf.stack([size[0], 2 * size[1], 2 * size[2], 4])
    up = tf.nn.conv2d_transpose(x, weight, target, [1, 2, 2, 1], "SAME", name="up")
    tf.nn.relu(up, name="score")
    tf.argmax(up, 3, name="label", output_type=tf.int32)


def frozen() -> None:
    upsampler(tf.constant(noise(3, 3, 4, 3)), placeholder(None, None, None, 3, name="image"))


def graph_file(folder: Path, *, text: bool = False) -> Path:
    return save_graph(graph_of(frozen), folder, text=text)


def meta_file(folder: Path) -> Path:
    with tf.Graph().as_default():
        weight = v1.get_variable("weight", initializer=noise(3, 3, 4, 3))
        upsampler(weight, placeholder(None, None, None, 3, name="image"))
        saver = v1.train.Saver()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            saver.save(session, str(folder / "model"))
    return folder / "model.meta"


class Module(tf.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(noise(3, 3, 4, 3))

    def __call__(self, low: Any, high: Any) -> Any:
        up = tf.nn.conv2d_transpose(low, self.weight, tf.shape(high), [1, 2, 2, 1], "SAME")
        return {"sum": up + high, "up": tf.nn.relu(up)}


def saved_model(folder: Path, module: Module | None = None) -> Path:
    module = module or Module()
    specs = [
        tf.TensorSpec((2, h, w, c), tf.float32, n)
        for h, w, c, n in ((5, 7, 3, "low"), (10, 14, 4, "high"))
    ]
    function = tf.function(module.__call__, input_signature=specs)
    tf.saved_model.save(module, str(folder / "saved"), signatures=function)
    return folder / "saved"


MAKERS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "frozen graph": (graph_file, ("label", "score")),
    "graph as text": (lambda folder: graph_file(folder, text=True), ("label", "score")),
    "meta graph": (meta_file, ("label", "score")),
    "saved model": (saved_model, ("sum", "up")),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_file_passes(kind: str, tmp_path: Path) -> None:
    make, outputs = MAKERS[kind]
    result = against_source(make(tmp_path))
    assert result.verdict == "pass"
    assert tuple(sorted(one.name for one in result.outputs)) == outputs
    assert result.source is not None
    assert (result.source.framework, result.source.version) == ("TensorFlow", tf.__version__)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_mistake_of_the_reader_fails(kind: str, tmp_path: Path) -> None:
    make, _ = MAKERS[kind]
    result = against_source(make(tmp_path), change=shifted)
    assert result.verdict == "fail"
    assert all(one.verdict == "fail" for one in result.outputs)


def test_an_input_of_bytes_is_fed_with_bytes(tmp_path: Path) -> None:
    """The ONNX file takes floats: both are fed with the same whole numbers, which are not few."""

    def build() -> None:
        image = v1.placeholder(tf.uint8, (None, None, None, 3), name="image")
        kernel = tf.constant(noise(3, 3, 4, 3) / 64)
        upsampler(kernel, tf.cast(image, tf.float32))

    path = save_graph(graph_of(build), tmp_path)
    assert against_source(path).verdict == "pass"
    assert against_source(path, change=shifted).verdict == "fail"
    model = open_model(str(path), ReadOptions())
    fed = run_source(model, ReadOptions(), source_stimuli(model, 0)).fed["noise"]["image"]
    assert fed.dtype == np.uint8
    assert len(np.unique(fed)) > 100


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uint8", [0, 32, 64, 255]),
        ("int8", [0, 32, 64, 127]),
        ("int64", [0, 32, 64, 255]),
        ("bool", [False, True, False, True]),
        ("float16", [0, 0.5, -1, 100]),
    ],
)
def test_stimuli_in_the_types_of_inputs(name: str, expected: list[Any]) -> None:
    found = suited(np.array([0, 0.5, -1, 100], np.float32), name)
    assert found.dtype == np.dtype(name)
    assert found.tolist() == expected


def test_the_checkpoint_that_is_given_is_the_one_that_runs(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path, other = meta_file(tmp_path), meta_file(tmp_path / "other")
    with tf.Graph().as_default():
        weight = v1.get_variable("weight", initializer=2 * noise(3, 3, 4, 3))
        with v1.Session() as session:
            session.run(weight.initializer)
            v1.train.Saver().save(session, str(other.with_suffix("")))
    options = ReadOptions(weights=str(other.with_suffix(".index")))
    assert against_source(path, options).verdict == "pass"
    model = open_model(str(path), ReadOptions())
    assert compare(model, path.with_suffix(".onnx")).verdict == "fail"


def test_a_frozen_graph_takes_no_other_weights(tmp_path: Path) -> None:
    path = graph_file(tmp_path)
    model = open_model(str(path), ReadOptions())
    options = ReadOptions(weights=str(meta_file(tmp_path)))
    with pytest.raises(UnsupportedError, match="cannot be given other weights for a graph"):
        run_source(model, options, {})


def test_what_tensorflow_refuses_is_one_line(tmp_path: Path) -> None:
    path = graph_file(tmp_path)
    model = open_model(str(path), ReadOptions())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"strides", b"steides"))
    with pytest.raises(UnreadableError, match="TensorFlow refuses it") as caught:
        run_source(model, ReadOptions(), {})
    assert "\n" not in str(caught.value)


class Table(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc, name-defined]
    """A resource whose set-up, as the model is loaded, does something else."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def _create_resource(self) -> Any:
        kinds = {"key_dtype": tf.int64, "value_dtype": tf.int64}
        return tf.raw_ops.MutableHashTableV2(**kinds)

    def _initialize(self) -> None:
        self._work()

    def _destroy_resource(self) -> None:
        pass


@pytest.mark.parametrize("writes", [True, False])
def test_what_tensorflow_runs_as_it_loads_is_not_loaded(writes: bool, tmp_path: Path) -> None:
    mark = tmp_path / "written"
    module = Module()
    module.table = Table(lambda: tf.io.write_file(str(mark), "x") if writes else tf.no_op())
    assert module.table.resource_handle is not None
    model = open_model(str(saved_model(tmp_path, module)), ReadOptions())
    mark.unlink(missing_ok=True)
    with pytest.raises(UnsupportedError, match="a WriteFile" if writes else "a resource"):
        run_source(model, ReadOptions(), {})
    assert not mark.exists()


@pytest.mark.parametrize("op", ["WriteFile", "PrintV2", "EagerPyFunc", "TextLineDataset", "Save"])
def test_operators_that_reach_out_are_not_given_to_tensorflow(op: str) -> None:
    """Wherever they stand: TensorFlow may run a part of which upconv has no need."""
    graph = v1.GraphDef()
    graph.library.function.add().node_def.add(name="here", op=op)
    with pytest.raises(UnsupportedError, match=f"'here' is a {op}"):
        require_inert_graph(graph, "net.pb")


@pytest.mark.parametrize("op", ["SaveV2", "RestoreV2", "ShardedFilename", "Conv2D", "RsqrtGrad"])
def test_operators_of_networks_are_given_to_tensorflow(op: str) -> None:
    graph = v1.GraphDef()
    graph.node.add(name="here", op=op)
    require_inert_graph(graph, "net.pb")
