"""The well-known nets as Keras' users write them, with one channel, all for images of any size.

Keras has no Crop to another image's size and no pooling that rounds up but `same`: where the nets
of Caffe crop, these join what has to be as large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import keras


def _layers() -> Any:
    from keras import layers

    return layers


def _stages(x: Any, count: int, padding: str) -> list[Any]:
    """A convolution and a pooling by 2, so many times; what each stage pools to."""
    layers, pooled = _layers(), []
    for _ in range(count):
        x = layers.Conv2D(1, 3, padding="same")(x)
        x = layers.MaxPooling2D(2, padding=padding)(x)
        pooled.append(x)
    return pooled


def _up(x: Any, factor: int) -> Any:
    return _layers().Conv2DTranspose(1, 2 * factor, strides=factor, padding="same")(x)


def fcn(x: Any, stride: int) -> Any:
    pooled = _stages(x, 5, "same")
    y = _layers().Conv2D(1, 7, padding="same")(pooled[4])
    for skip in {32: (), 16: (3,), 8: (3, 2)}[stride]:
        y = _layers().Add()([_up(y, 2), pooled[skip]])
    return _up(y, stride)


def hed(x: Any) -> Any:
    layers, y, sides = _layers(), x, []
    for level in range(5):
        y = layers.MaxPooling2D(2, padding="same")(y) if level else y
        y = layers.Conv2D(1, 3, padding="same")(y)
        sides.append(_up(y, 2**level) if level else y)
    return layers.Conv2D(1, 1)(layers.Concatenate()(sides))


def u_net(x: Any, padding: str, up: Callable[[Any], Any]) -> Any:
    layers, skips = _layers(), []
    for _ in range(4):
        skips.append(x)
        x = layers.MaxPooling2D(2, padding=padding)(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([up(x), skip])
        x = layers.Conv2D(1, 3, padding="same")(x)
    return x


def _of_two(x: Any) -> Any:
    return _layers().Conv2DTranspose(1, 2, strides=2)(x)


def _of_three(x: Any) -> Any:
    return _layers().Conv2DTranspose(1, 3, strides=2, padding="same")(x)


def _bilinear(x: Any) -> Any:
    return _layers().UpSampling2D(2, interpolation="bilinear")(x)


def seg_net(x: Any) -> Any:
    """Keras has no unpooling: its SegNets repeat pixels."""
    layers = _layers()
    x = _stages(x, 3, "valid")[-1]
    for _ in range(3):
        x = layers.Conv2D(1, 3, padding="same")(layers.UpSampling2D(2)(x))
    return x


def psp_net(x: Any) -> Any:
    layers = _layers()
    x = layers.Conv2D(1, 3, strides=2, padding="same")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    joined = [x]
    for size in (2, 3, 6):
        low = layers.AveragePooling2D(18 // size)(x)
        joined.append(layers.Resizing(18, 18)(low))
    x = layers.Concatenate()(joined)
    return layers.UpSampling2D(4, interpolation="bilinear")(x)


def deep_lab(x: Any) -> Any:
    layers, y = _layers(), x
    for stride in (2, 2, 2, 1):
        y = layers.Conv2D(1, 3, padding="same")(y)
        y = layers.MaxPooling2D(3, strides=stride, padding="same")(y)
    y = layers.Conv2D(1, 3, padding="same", dilation_rate=12)(y)
    y = layers.UpSampling2D(8, interpolation="bilinear")(y)
    return layers.Concatenate()([x, y])


def v_net(x: Any) -> Any:
    layers, skips = _layers(), []
    for _ in range(3):
        skips.append(x)
        x = layers.Conv3D(1, 2, strides=2)(x)
    for skip in reversed(skips):
        x = layers.Conv3DTranspose(1, 2, strides=2)(x)
        x = layers.Conv3D(1, 3, padding="same")(layers.Concatenate()([x, skip]))
    return x


NETS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "FCN-32s": lambda x: fcn(x, 32),
    "FCN-16s": lambda x: fcn(x, 16),
    "FCN-8s": lambda x: fcn(x, 8),
    "HED": hed,
    "U-Net, floor": lambda x: u_net(x, "valid", _of_two),
    "U-Net, ceil": lambda x: u_net(x, "same", _of_two),
    "SegNet": seg_net,
    "PSPNet": psp_net,
    "DeepLab": deep_lab,
    "Keras U-Net": lambda x: u_net(x, "valid", _of_three),
    "PyTorch U-Net": lambda x: u_net(x, "valid", _bilinear),
    "V-Net": v_net,
}


def built(name: str) -> keras.Model:
    """The net for images of one channel and any size."""
    import keras

    x = keras.Input((*(None,) * (3 if name == "V-Net" else 2), 1), name="x")
    return keras.Model(x, NETS[name](x))
