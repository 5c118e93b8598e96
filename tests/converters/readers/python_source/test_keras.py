from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import KERAS, read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer

GENERATOR = """
def generator():
    model = keras.Sequential()
    model.add(layers.Dense(7 * 7 * 256, use_bias=False, input_shape=(100,)))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU())
    model.add(layers.Reshape((7, 7, 256)))
    model.add(layers.Conv2DTranspose(128, (5, 5), strides=(1, 1), padding="same", name="up0"))
    model.add(layers.Conv2DTranspose(64, (5, 5), strides=(2, 2), padding="same"))
    model.add(layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"))
    return model
"""


@pytest.mark.parametrize(
    "head",
    [
        KERAS,
        "import keras\nfrom keras import layers\n",
        "import tensorflow as tf\nkeras = tf.keras\nlayers = keras.layers\n",
        "import tensorflow.keras as keras\nimport tensorflow.keras.layers as layers\n",
    ],
)
def test_a_sequential_that_grows_by_add(head: str) -> None:
    model = read(head + GENERATOR)
    inference = infer(model)
    assert inference.errors == ()
    last = inference.shapes[model.layers[-1].name]
    assert last is not None
    assert last[1:] == (1, 28, 28)
    assert reasons(head + GENERATOR) == []
    assert [layer.name for layer in model.layers][4] == "up0"


def test_a_sequential_of_a_list() -> None:
    code = KERAS + (
        "net = keras.Sequential([keras.Input((15, 17, 3)), layers.Conv2D(8, 3, 2, 'same'),"
        " layers.MaxPooling2D(), layers.ZeroPadding2D((1, (0, 2))), layers.Cropping2D(1),"
        " layers.UpSampling2D((2, 3)), layers.Conv2DTranspose(2, 3, 2)])"
    )
    model = read(code)
    inference = infer(model)
    assert inference.errors == ()
    # 15x17 -> 8x9 -> 4x4 -> 6x6 -> 4x4 -> 8x12 -> 17x25
    assert inference.shapes[model.layers[-1].name][1:] == (2, 17, 25)  # type: ignore[index]


def test_layers_added_in_branches_are_not_connected() -> None:
    code = KERAS + (
        "model = keras.Sequential()\n"
        "model.add(layers.Conv2DTranspose(8, 4, 2, 'same', input_shape=(8, 8, 3)))\n"
        "if deep:\n    model.add(layers.UpSampling2D())\n"
        "model.add(layers.UpSampling2D())\n"
    )
    inputs = [layer.inputs[0] for layer in read(code).layers]
    assert all(name.endswith(".input") for name in inputs)
    assert len(inputs) == 3


@pytest.mark.parametrize(
    ("arguments", "begin", "end", "extra"),
    [
        ("8, 3, 2, 'same'", 0, 1, 0),
        ("8, 4, 2, 'same'", 1, 1, 0),
        ("8, 3, 2", 0, 0, 0),
        ("8, 1, 3, padding='SAME'", 0, 0, 2),
        ("8, 3, strides=2, padding='same', output_padding=1", 0, 1, 0),
        ("8, 3, strides=2, padding='same', output_padding=0", 1, 1, 0),
    ],
)
def test_padding(arguments: str, begin: int, end: int, extra: int) -> None:
    (layer,) = read(f"{KERAS}y = layers.Conv2DTranspose({arguments})(x)").layers
    assert isinstance(layer.operator, ops.ConvTranspose)
    op = layer.operator
    assert (op.pads_begin, op.pads_end, op.output_padding) == (
        (begin,) * 2,
        (end,) * 2,
        (extra,) * 2,
    )


def test_a_layer_that_tensorflow_refuses() -> None:
    call = "layers.Conv2DTranspose(8, 4, 2, 'same', output_padding=0)"
    (layer,) = read(KERAS + call).layers
    assert layer.operator == ops.Unknown("Conv2DTranspose", "TensorFlow refuses to run the layer")
    assert reasons(KERAS + call) == []


def test_functional_calls_stand_alone() -> None:
    code = KERAS + (
        "def net(x):\n"
        "    x = layers.UpSampling2D(2)(x)\n"
        "    x = layers.UpSampling1D()(x)\n"
        "    up = layers.UpSampling3D(size=(1, 2, 3), name='deep')(x)\n"
    )
    found = {layer.name: layer.operator for layer in read(code).layers}
    assert {name: getattr(op, "factor", None) for name, op in found.items()} == {
        "net.UpSampling2D": (2, 2),
        "net.UpSampling1D": (2,),
        "deep": (1, 2, 3),
    }
