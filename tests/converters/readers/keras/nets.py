"""Small nets of the kinds that people upsample with; weights are seeded noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from tests.converters.readers.keras.support import import_keras, noise

keras = import_keras()
L = keras.layers


def block(x: Any, channels: int) -> Any:
    for _ in range(2):
        x = L.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = L.ReLU()(L.BatchNormalization()(x))
    return x


def unet() -> Any:
    """Two levels, transposed convolutions up, dynamic sizes."""
    x = entry = keras.Input((None, None, 3), name="image")
    skips = []
    for channels in (4, 8):
        x = block(x, channels)
        skips.append(x)
        x = L.MaxPooling2D()(x)
    x = L.Dropout(0.3)(block(x, 16))
    for skip in reversed(skips):
        x = L.Conv2DTranspose(skip.shape[-1], 2, 2, padding="same")(x)
        x = block(L.Concatenate()([x, skip]), skip.shape[-1])
    return keras.Model(entry, L.Conv2D(2, 1, activation="softmax", name="classes")(x), name="unet")


def dcgan() -> Any:
    """The generator: a vector in, an image out."""
    return keras.Sequential(
        [
            keras.Input((10,), name="code"),
            L.Dense(4 * 4 * 8, use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(0.2),
            L.Reshape((4, 4, 8)),
            L.Conv2DTranspose(6, 5, 1, padding="same", use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(0.2),
            L.Conv2DTranspose(4, 5, 2, padding="same"),
            L.Conv2DTranspose(3, 5, 2, padding="same", activation="tanh"),
        ],
        name="generator",
    )


def autoencoder() -> Any:
    """An encoder and a decoder, each a model of its own."""
    encoder = keras.Sequential(
        [
            keras.Input((12, 20, 1)),
            L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            L.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            L.Flatten(),
            L.Dense(8),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((8,)),
            L.Dense(3 * 5 * 6, activation="relu"),
            L.Reshape((3, 5, 6)),
            L.UpSampling2D(),
            L.Conv2D(4, 3, padding="same", activation="relu"),
            L.UpSampling2D(interpolation="bilinear"),
            L.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ],
        name="decoder",
    )
    x = keras.Input((12, 20, 1), name="image")
    return keras.Model(x, decoder(encoder(x)), name="autoencoder")


def fsrcnn() -> Any:
    """Super-resolution by 3: one 9 x 9 transposed convolution at the end, dynamic sizes."""

    def prelu() -> Any:
        return L.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")

    layers: list[Any] = [keras.Input((None, None, 1), name="luma")]
    for channels, kernel in ((8, 5), (4, 1), (4, 3), (4, 3), (8, 1)):
        layers += [L.Conv2D(channels, kernel, padding="same"), prelu()]
    layers.append(L.Conv2DTranspose(1, 9, strides=3, padding="same", name="scaled"))
    return keras.Sequential(layers, name="fsrcnn")


def nested() -> Any:
    """A block used twice (shared weights), a block inside a block, and a shared layer."""
    inner_in = keras.Input((None, None, 4))
    inner = keras.Model(inner_in, L.BatchNormalization()(inner_in), name="norm")
    y = L.Conv2D(4, 3, padding="same", activation="relu")(inner_in)
    twice = keras.Model(inner_in, inner(y), name="twice")
    twin = L.Conv2D(4, 1, name="twin")
    x = entry = keras.Input((None, None, 3), name="image")
    x = twice(twice(L.Conv2D(4, 3, padding="same")(x)))
    x = L.Add()([twin(x), twin(twin(x))])
    return keras.Model(entry, L.Conv2DTranspose(2, 4, 2, "same", name="end")(x), name="outer")


def pose() -> Any:
    """Two inputs; heat maps and offsets out."""
    image = keras.Input((32, 24, 3), name="image")
    prior = keras.Input((16, 12, 2), name="prior")
    x = L.SeparableConv2D(8, 3, strides=2, padding="same", activation="relu6")(image)
    x = L.Concatenate()([x, prior])
    x = L.DepthwiseConv2D(3, strides=2, padding="same")(x)
    for _ in range(2):
        x = L.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu")(x)
    heat = L.Conv2D(5, 1, activation="sigmoid", name="heat")(x)
    offsets = L.Conv2D(10, 1, name="offsets")(x)
    return keras.Model([image, prior], [heat, offsets], name="pose")


def seeded(model: Any) -> Any:
    """Weights as noise that keeps the size of what goes in; scales and variances near 1."""
    values = []
    for index, weight in enumerate(model.weights):
        size = prod(weight.shape[:-1]) ** -0.5 if len(weight.shape) > 1 else 0.1
        values.append(size * noise(*weight.shape, seed=index))
        if weight.path.rpartition("/")[2] in ("gamma", "moving_variance"):
            values[-1] = 1 + 0.2 * abs(values[-1])
    model.set_weights(values)
    return model


NETS: Mapping[str, tuple[Callable[[], Any], Mapping[str, tuple[int, ...]]]] = {
    "unet": (unet, {"image": (2, 36, 52, 3)}),
    "dcgan": (dcgan, {"code": (3, 10)}),
    "autoencoder": (autoencoder, {"image": (2, 12, 20, 1)}),
    "fsrcnn": (fsrcnn, {"luma": (2, 13, 7, 1)}),
    "nested": (nested, {"image": (2, 9, 11, 3)}),
    "pose": (pose, {"image": (2, 32, 24, 3), "prior": (2, 16, 12, 2)}),
}
"""Net -> how it is built and the shapes of its inputs."""
