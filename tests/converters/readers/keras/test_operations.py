"""Functions in a graph, models inside used in odd ways, and what depends on open sizes, against
Keras itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.keras.handmade import entry, layer, model, read, write_json
from tests.converters.readers.keras.nets import seeded
from tests.converters.readers.keras.support import compare, import_keras, noise, save
from upconv.converters.ir import operators as ops
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

keras = import_keras()
pytestmark = pytest.mark.filterwarnings("ignore")
L = keras.layers
O = keras.ops  # noqa: E741

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "mean_of_pixels": lambda x: O.mean(x, axis=(1, 2)),
    "max_of_pixels": lambda x: O.max(x, axis=[1, 2], keepdims=True),
    "mean_of_channels": lambda x: O.mean(x, axis=-1, keepdims=True),
    "min_of_channels": lambda x: O.min(x, axis=3),
    "sum_of_columns": lambda x: O.sum(x, axis=2, keepdims=True),
    "mean_of_rows": lambda x: O.mean(x, axis=1),
    "softmax": lambda x: O.softmax(x, axis=1),
    "expand": lambda x: O.expand_dims(O.mean(x, axis=1), 2),
    "squeeze": lambda x: O.squeeze(O.mean(x, axis=1, keepdims=True), 1),
    "swap": lambda x: O.swapaxes(x, 1, 2),
    "split": lambda x: O.split(x, 2, axis=-1)[1] * O.split(x, [1, 3], axis=-1)[1],
    "stack": lambda x: O.stack([x, 2 * x], axis=1),
    "matmul": lambda x: O.matmul(x, O.swapaxes(x, 2, 3)),
    "einsum": lambda x: O.einsum("nhwc,nhvc->nvwh", x, 2 * x),
    "tile": lambda x: O.tile(x, (1, 2, 1, 3)),
    "repeat": lambda x: O.repeat(x, 3, axis=2),
    "depth_to_space": lambda x: O.nn.depth_to_space(x, 2),
    "space_to_depth": lambda x: O.nn.space_to_depth(x, 2),
    "pad": lambda x: O.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]]),
    "reflect": lambda x: O.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], mode="reflect"),
    "bilinear": lambda x: O.image.resize(x, (12, 14), interpolation="bilinear"),
    "nearest": lambda x: O.image.resize(x, (3, 16), interpolation="nearest"),
    "slice": lambda x: x[:, 1:-1, ::2],
    "slice_of_channels": lambda x: x[..., 1:3],
    "one_entry": lambda x: x[:, -1],
    "one_channel": lambda x: x[..., 2],
    "new_axis": lambda x: x[:, :, None, 1:4],
    "wide_slice": lambda x: x[:, -100:3, 2:100],
    "leaky": lambda x: O.leaky_relu(x, 0.3),
    "elu": lambda x: O.elu(x, 0.5),
    "gelu": O.gelu,
    "gelu_exact": lambda x: O.gelu(x, approximate=False),
    "clip": lambda x: O.clip(x, -0.5, 1.5),
    "power": lambda x: O.power(O.abs(x) + 1, 1.5),
    "erf": O.erf,
    "backwards": lambda x: x[:, ::-1, 4:1:-2] + x[:, ::-1, -2:-5:-2],
    "every_second_channel": lambda x: x[..., ::2] + x[..., 1::2],
    "flipped": lambda x: O.flip(x, axis=1) + O.flip(x),
    "taken": lambda x: O.take(x, [3, 0, -1, 2], axis=-1) + O.take(x, [1, 1, 0, 2], axis=3),
    "relations": lambda x: sum(
        2.0**index * O.cast(one, "float32")
        for index, one in enumerate(
            [x < 0.5, x <= O.round(x), x < 0.25, x >= x[..., :1], O.not_equal(x, x[:, :1])]
        )
    ),
    "where": lambda x: O.where(x > 0.0, x, 0.1) + O.where(x < x[..., :1], x, -x),
    "logic": lambda x: O.where(
        O.logical_and(x > -1.0, O.logical_not(O.logical_or(x > 1.0, x < -0.5))), x, 1.0
    ),
    "rounded": lambda x: O.round(2 * x) + O.floor(3 * x) + O.ceil(x) + O.sign(x),
    "waves": lambda x: O.sin(20 * x) + O.cos(x),
    "rests": lambda x: O.mod(3 * x, O.abs(x[..., :1]) + 1.0) + O.floor_divide(x, O.abs(x) + 0.5),
    "powers": lambda x: O.power(2.0, x) + O.power(O.abs(x) + 0.1, x),
    "sums_so_far": lambda x: O.cumsum(x, axis=1) + O.cumsum(x, axis=-1),
}


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_functions(form: str, tmp_path: Path) -> None:
    """Behind a convolution, whose channels are moved, and on the input, whose are not."""
    x = keras.Input((6, 8, 4), name="x")
    y = L.Conv2D(4, 3, padding="same")(x)
    made = [build(value) for build in FUNCTIONS.values() for value in (x, y)]
    path, _ = save(keras.Model(x, made), tmp_path, form)
    found, _ = compare(keras.Model(x, made), path, {"x": noise(2, 6, 8, 4)})
    assert found.notices == ()


def test_functions_of_open_sizes(tmp_path: Path) -> None:
    x = keras.Input((None, None, 4), name="x")
    y = L.Conv2D(4, 3, padding="same")(x)
    fixed = ("split", "swap", "stack", "tile", "bilinear", "nearest", "softmax", "reflect")
    made = [build(y) for name, build in FUNCTIONS.items() if name not in fixed]
    net = keras.Model(x, made)
    path, _ = save(net, tmp_path, "keras")
    for size in ((2, 6, 8), (1, 10, 4)):
        compare(net, path, {"x": noise(*size, 4)})


ACTIVATIONS = (
    "celu",
    "log_sigmoid",
    "tanh_shrink",
    "soft_shrink",
    "hard_shrink",
    "squareplus",
    "hard_tanh",
    "mish",
)


def test_rare_activations(tmp_path: Path) -> None:
    x = keras.Input((5, 3), name="x")
    net = keras.Model(x, [L.Activation(name)(x) for name in ACTIVATIONS])
    path, _ = save(net, tmp_path, "keras")
    found, _ = compare(net, path, {"x": 2 * noise(3, 5, 3)})
    assert found.notices == ()


def test_rare_layers(tmp_path: Path) -> None:
    x = keras.Input((12, 20, 4), name="x")
    made = [
        L.CenterCrop(7, 9)(x),
        L.AdaptiveAveragePooling2D((3, 5))(x),
        L.AdaptiveMaxPooling2D((4, 2))(x),
    ]
    net = keras.Model(x, made)
    path, _ = save(net, tmp_path, "keras")
    compare(net, path, {"x": noise(2, 12, 20, 4)})


def test_averages_of_open_sizes_leave_the_padding_out(tmp_path: Path) -> None:
    x = keras.Input((None, None, 3), name="x")
    settings = [(2, 2), (3, 2), ((2, 5), (3, 1)), (4, 3)]
    made = [L.AveragePooling2D(size, stride, padding="same")(x) for size, stride in settings]
    net = keras.Model(x, made)
    path, _ = save(net, tmp_path, "keras")
    for size in ((2, 11, 9), (1, 8, 12)):
        compare(net, path, {"x": noise(*size, 3)})


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_a_model_inside_is_an_output_and_read_too(form: str, tmp_path: Path) -> None:
    """Keras 3 counts the calls of a model inside from 1 among the outputs, from 0 elsewhere."""
    a = keras.Input((5, 6, 2))
    inner = keras.Model(a, L.Conv2D(2, 3, padding="same")(a), name="inner")
    x = keras.Input((5, 6, 2), name="x")
    first = inner(x)
    net = seeded(keras.Model(x, [first, inner(first), L.ReLU()(inner(inner(first)))]))
    path, _ = save(net, tmp_path, form)
    compare(net, path, {"x": noise(2, 5, 6, 2)})


def test_what_is_unknown_has_as_many_outputs_as_are_read(tmp_path: Path) -> None:
    x = keras.Input((4, 6, 3), name="x")
    values, places = O.top_k(x, 2)
    path, _ = save(keras.Model(x, [values, O.relu(places)]), tmp_path, "keras")
    found = open_model(str(path), ReadOptions())
    assert [notice.kind for notice in found.notices] == ["unknown-layer-type"]
    assert len(found.layer("top_k").outputs) == 2


@pytest.mark.parametrize(
    ("function", "extra", "expected"),
    [
        ("nn.leaky_relu", {"alpha": 0.1}, ops.Relu(0.1)),
        ("clip_by_value", {"clip_value_min": 0.0, "clip_value_max": 6.0}, ops.Clip(0.0, 6.0)),
        ("math.pow", {"y": 3}, ops.Power(power=3.0)),
        ("nn.gelu", {}, ops.Gelu()),
        ("nn.depth_to_space", {"block_size": 2}, ops.DepthToSpace(2)),
        ("image.resize", {"size": [8, 6]}, ops.Resize("linear", "half_pixel", (8, 6))),
        ("math.reduce_max", {"axis": [1, 2], "keepdims": True}, ops.GlobalPool("max")),
        ("compat.v1.pad", {"paddings": [[0, 0], [1, 1], [2, 0], [0, 0]]}, None),
        ("__operators__.getitem", {"slice_spec": [{"start": 0, "stop": 1, "step": None}]}, None),
    ],
)
def test_functions_of_tensorflow(
    function: str, extra: dict[str, Any], expected: ops.Operator | None, tmp_path: Path
) -> None:
    """As Keras 2 wrote them."""
    one = layer("TFOpLambda", "f", "c", function=function)
    one["inbound_nodes"] = [["c", 0, 0, extra]]
    conv = layer("Conv2D", "c", "x", filters=4, kernel_size=1)
    found = read(write_json(tmp_path / "m.json", model(entry("x", 4, 4, 1), conv, one)))
    assert found.notices == ()
    assert expected is None or found.layer("f").operator == expected


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: x[:, 5:2], "keeps nothing"),
        (lambda x: O.repeat(x, 2, axis=-1), "not spatial"),
        (lambda x: O.power(-2.0, x), "-2 to the power of a tensor"),
        (lambda x: O.image.resize(x, (9, 9), crop_to_aspect_ratio=True), "image's size"),
    ],
)
def test_what_functions_cannot_say(
    build: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    x = keras.Input((6, 8, 4), name="x")
    path, _ = save(keras.Model(x, build(x)), tmp_path, "keras")
    (notice,) = open_model(str(path), ReadOptions()).notices
    assert notice.kind == "unknown-layer-type"
    assert message in notice.error.message


def test_parts_of_the_networks_of_keras(tmp_path: Path) -> None:
    """InceptionResNetV2's scaled sum and ConvNeXt's scale per channel."""
    from keras.src.applications.convnext import LayerScale
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = keras.Input((5, 7, 3), name="x")
    y = L.Conv2D(3, 1)(x)
    scaled = LayerScale(init_values=0.5, projection_dim=3)
    net = keras.Model(x, CustomScaleLayer(0.17)([x, scaled(y)]))
    scaled.gamma.assign(np.array([0.5, -1.0, 2.0], np.float32))
    path, _ = save(net, tmp_path, "keras")
    compare(net, path, {"x": noise(2, 5, 7, 3)})
