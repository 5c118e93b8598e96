"""Whole nets in every form TensorFlow saves them in, each equal to TensorFlow's own run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.nets import NETS, seeded
from tests.converters.readers.tensorflow.support import (
    assert_equal,
    assert_same_as_tensorflow,
    convert,
    noise,
    run_graph,
    save_graph,
    tf,
    v1,
)
from upconv.converters.ir import operators as ops
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")


def feeds_of(name: str) -> dict[str, Any]:
    shapes = NETS[name][1]
    return {key: noise(*shape, seed=i) for i, (key, shape) in enumerate(shapes.items())}


def listed(results: Any) -> list[Any]:
    found = results if isinstance(results, list | tuple) else [results]
    return [np.asarray(value) for value in found]


def run_keras(model: Any, feeds: Mapping[str, Any]) -> list[Any]:
    values = list(feeds.values())
    return listed(model(values if len(values) > 1 else values[0], training=False))


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: seeded(build()) for name, (build, _) in NETS.items()}


def compare(path: Path, feeds: Mapping[str, Any], want: list[Any]) -> onnx.ModelProto:
    assert identify(str(path)) == "TensorFlow"
    model, target = convert(path)
    assert not model.notices
    assert {entry.name for entry in model.inputs} == set(feeds)
    got = run_onnx(target, feeds)
    assert list(got) == list(model.outputs)
    for name, expected in zip(model.outputs, want, strict=True):
        assert_equal(got[name], expected, name)
    return onnx.load(target)


def signature_of(path: Path, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """What TensorFlow's own loader makes of the SavedModel."""
    loaded = tf.saved_model.load(str(path)).signatures["serving_default"]
    return {
        name: value.numpy()
        for name, value in loaded(**{k: tf.constant(v) for k, v in feeds.items()}).items()
    }


@pytest.mark.parametrize("name", NETS)
def test_keras_exports(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    """Model.export: a SavedModel whose variables are in a checkpoint."""
    path, feeds = tmp_path / "exported", feeds_of(name)
    models[name].export(path, verbose=False)
    want = signature_of(path, feeds)
    compare(path, feeds, [want[key] for key in sorted(want)])


@pytest.mark.parametrize("name", NETS)
def test_functions(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    """tf.saved_model.save of a module whose method is a tf.function."""
    feeds = feeds_of(name)
    model = models[name]

    class Served(tf.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def __call__(self, **inputs: Any) -> Any:
            values = [inputs[key] for key in feeds]
            results = self.model(values if len(values) > 1 else values[0], training=False)
            found = results if isinstance(results, list | tuple) else [results]
            return {f"result{i}": value for i, value in enumerate(found)}

    specs = {
        entry.name: tf.TensorSpec(entry.shape, tf.float32, entry.name) for entry in model.inputs
    }
    specs = dict(zip(feeds, specs.values(), strict=True))
    served = Served()
    concrete = served.__call__.get_concrete_function(
        **{key: tf.TensorSpec(spec.shape, tf.float32, key) for key, spec in specs.items()}
    )
    tf.saved_model.save(served, str(tmp_path / "saved"), signatures=concrete)
    compare(tmp_path / "saved", feeds, run_keras(model, feeds))


def frozen(model: Any, feeds: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """(GraphDef, outputs) with the variables as constants."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    shapes = {entry.name: entry.shape for entry in model.inputs}
    specs = [
        tf.TensorSpec(shape, tf.float32, key)
        for key, shape in zip(feeds, shapes.values(), strict=True)
    ]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def call(*inputs: Any) -> Any:
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    function = convert_variables_to_constants_v2(call.get_concrete_function(*specs))
    outputs = tuple(tensor.name.partition(":")[0] for tensor in function.outputs)
    return function.graph.as_graph_def(), outputs


@pytest.mark.parametrize("text", [False, True], ids=["pb", "pbtxt"])
@pytest.mark.parametrize("name", NETS)
def test_frozen_graphs(name: str, text: bool, models: dict[str, Any], tmp_path: Path) -> None:
    feeds = feeds_of(name)
    graph, outputs = frozen(models[name], feeds)
    path = save_graph(graph, tmp_path, text=text)
    want = run_graph(graph, feeds, outputs)
    proto = compare(path, feeds, [want[key] for key in outputs])
    assert [value.name for value in proto.graph.output] == list(outputs)


@pytest.mark.parametrize("name", ["unet", "fsrcnn", "pose"])
def test_transposes_stand_at_the_ends_only(
    name: str, models: dict[str, Any], tmp_path: Path
) -> None:
    feeds = feeds_of(name)
    path = save_graph(frozen(models[name], feeds)[0], tmp_path)
    model, target = convert(path)
    proto = onnx.load(target)
    found = sum(node.op_type == "Transpose" for node in proto.graph.node)
    assert found == len(model.inputs) + len(model.outputs)


def test_dynamic_sizes_stay_open(models: dict[str, Any], tmp_path: Path) -> None:
    """One ONNX file for inputs of every size that the U-Net takes."""
    feeds = feeds_of("unet")
    path = save_graph(frozen(models["unet"], feeds)[0], tmp_path)
    model, target = convert(path)
    ups = [la.operator for la in model.layers if isinstance(la.operator, ops.ConvTranspose)]
    assert ups
    assert all(up.target is None for up in ups)
    for size in ((20, 28), (8, 44)):
        x = {"image": noise(1, *size, 3)}
        (want,) = run_keras(models["unet"], x)
        assert_equal(run_onnx(target, x)[model.outputs[0]], want)


# Graphs of TF1 with their checkpoint


def segmenter(x: Any) -> Any:
    """Variables of TF1, resource and reference, a batch normalization and a decoder."""

    def variable(name: str, *shape: int, resource: bool) -> Any:
        return v1.get_variable(
            name, shape, initializer=v1.random_normal_initializer(seed=1), use_resource=resource
        )

    y = tf.nn.conv2d(x, variable("down/kernel", 3, 3, 3, 6, resource=False), 2, "SAME")
    y = tf.nn.relu(y + variable("down/bias", 6, resource=True))
    moments = variable("norm/moments", 4, 6, resource=True)
    y = v1.nn.fused_batch_norm(
        y, moments[0], moments[1], moments[2], tf.abs(moments[3]) + 1, 1e-3, is_training=False
    )[0]
    shape = tf.shape(x)
    kernel = variable("up/kernel", 4, 4, 2, 6, resource=True)
    sizes = tf.stack([shape[0], shape[1], shape[2], 2])
    y = tf.nn.conv2d_transpose(y, kernel, sizes, 2, "SAME")
    return tf.nn.softmax(y + variable("up/bias", 2, resource=False), name="classes")


def save_checkpoint(folder: Path, **saver: Any) -> tuple[Path, Any, Any]:
    """(.meta file, input, TensorFlow's output)."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, None, None, 3], name="image")
        y = segmenter(x)
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver(**saver).save(session, str(folder / "model.ckpt"), 7)
        fed = noise(2, 9, 12, 3)
        return Path(f"{prefix}.meta"), fed, session.run(y, {x: fed})


def test_unfrozen_graphs(tmp_path: Path) -> None:
    path, x, want = save_checkpoint(tmp_path)
    compare(path, {"image": x}, [want])


def test_a_checkpoint_elsewhere(tmp_path: Path) -> None:
    """--weights takes the prefix or any of the checkpoint's files; without it nothing is zero."""
    path, x, want = save_checkpoint(tmp_path)
    alone = tmp_path / "elsewhere" / "graph.meta"
    alone.parent.mkdir()
    alone.write_bytes(path.read_bytes())
    without = open_model(str(alone), ReadOptions())
    assert not without.notices
    missing = [w for layer in without.layers for w in layer.weights.values() if not w.present]
    assert len(missing) >= 4
    for end in ("", ".index", ".data-00000-of-00001", ".meta"):
        weights = str(path).removesuffix(".meta") + end
        model, target = convert(alone, ReadOptions(weights=weights))
        assert_equal(run_onnx(target, {"image": x})[model.outputs[0]], want)


def test_sharded_checkpoints(tmp_path: Path) -> None:
    """Several devices write several data files."""
    with (
        tf.Graph().as_default(),
        v1.Session(config=v1.ConfigProto(device_count={"CPU": 3})) as session,
    ):
        x = v1.placeholder(tf.float32, [1, 4, 4, 2], name="x")
        y = x
        for index in range(3):
            with tf.device(f"/cpu:{index}"):
                kernel = v1.get_variable(f"k{index}", [1, 1, 2, 2], use_resource=True)
            y = tf.nn.conv2d(y, kernel, 1, "SAME", name=f"y{index}")
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(sharded=True)
        prefix = saver.save(session, str(tmp_path / "model.ckpt"))
        fed = noise(1, 4, 4, 2)
        want = session.run(y, {x: fed})
    assert len(list(tmp_path.glob("*.data-*"))) == 3
    compare(Path(f"{prefix}.meta"), {"x": fed}, [want])


def test_first_checkpoints_are_refused(tmp_path: Path) -> None:
    from upconv.converters.ir.errors import UnsupportedError

    saver = v1.train.SaverDef.V1
    path, _, _ = save_checkpoint(tmp_path, write_version=saver)
    with pytest.raises(UnsupportedError, match="version 1"):
        open_model(str(path), ReadOptions())


def test_a_graph_with_its_own_functions(tmp_path: Path) -> None:
    """A GraphDef may call functions of its library."""

    @tf.function  # type: ignore[untyped-decorator]
    def twice(x: Any) -> Any:
        return x * 2 + 1

    def graph() -> Any:
        with tf.Graph().as_default() as made:
            x = v1.placeholder(tf.float32, [2, 3], name="x")
            tf.identity(twice(twice(x)), name="y")
            return made.as_graph_def()

    made = graph()
    assert len(made.library.function) >= 1
    assert_same_as_tensorflow(made, tmp_path, {"x": noise(2, 3)})
