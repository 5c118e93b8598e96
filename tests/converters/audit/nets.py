"""Well-known nets in Caffe's text, with few channels: the layers that decide sizes are theirs."""

from __future__ import annotations

from collections.abc import Callable

from upconv.converters.ir.model import Model
from upconv.converters.ir.open_sizes import with_free_sizes
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions


def read(text: str) -> Model:
    """A net in text, with the letters H and W for the sizes of its inputs."""
    model = with_free_sizes(read_caffe_source(Source("net.prototxt", text), ReadOptions()))
    assert model is not None
    return model


HEAD = 'input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }\n'


def _layer(name: str, kind: str, bottoms: str, words: str = "") -> str:
    read_ = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {read_} top: "{name}" {words} }}\n'


def conv(name: str, bottom: str, words: str = "kernel_size: 3 pad: 1", out: int = 2) -> str:
    return _layer(name, "Convolution", bottom, f"convolution_param {{ num_output: {out} {words} }}")


def pool(name: str, bottom: str, words: str = "kernel_size: 2 stride: 2") -> str:
    return _layer(name, "Pooling", bottom, f"pooling_param {{ pool: MAX {words} }}")


def deconv(name: str, bottom: str, words: str, out: int = 2) -> str:
    return _layer(
        name, "Deconvolution", bottom, f"convolution_param {{ num_output: {out} {words} }}"
    )


def crop(name: str, bottoms: str, offset: int) -> str:
    return _layer(name, "Crop", bottoms, f"crop_param {{ axis: 2 offset: {offset} }}")


def merge(name: str, bottoms: str, kind: str = "Eltwise") -> str:
    return _layer(name, kind, bottoms)


def _vgg(pad: int) -> str:
    """The trunk of VGG-16: `stage1` to `stage5` and the pooling behind each."""
    text = conv("stage1", "data", f"kernel_size: 3 pad: {pad}") + pool("pool1", "stage1")
    for index in range(2, 6):
        text += conv(f"stage{index}", f"pool{index - 1}") + pool(f"pool{index}", f"stage{index}")
    return text


def fcn(stride: int) -> str:
    """FCN-32s, FCN-16s or FCN-8s (Long, Shelhamer, Darrell 2015)."""
    text = (
        HEAD
        + _vgg(100)
        + conv("fc6", "pool5", "kernel_size: 7")
        + conv("fc7", "fc6", "kernel_size: 1")
    )
    current = "fc7"
    for level, offset in ((4, 5), (3, 9))[: {32: 0, 16: 1, 8: 2}[stride]]:
        text += deconv(f"up{level}", current, "kernel_size: 4 stride: 2")
        text += crop(f"skip{level}", f"pool{level} up{level}", offset)
        text += merge(f"fuse{level}", f"up{level} skip{level}")
        current = f"fuse{level}"
    text += deconv("upscore", current, f"kernel_size: {2 * stride} stride: {stride}")
    return text + crop("score", "upscore data", {32: 19, 16: 27, 8: 31}[stride])


def hed() -> str:
    """HED: a side output of every stage, brought to the input's size."""
    text, sides = HEAD + _vgg(35), []
    for index in range(1, 6):
        text += conv(f"side{index}", f"stage{index}", "kernel_size: 1", out=1)
        factor = 2 ** (index - 1)
        name = f"side{index}"
        if factor > 1:
            text += deconv(f"up{index}", name, f"kernel_size: {2 * factor} stride: {factor}", out=1)
            name = f"up{index}"
        text += crop(f"crop{index}", f"{name} data", 34)
        sides.append(f"crop{index}")
    return text + merge("fuse", " ".join(sides), "Concat")


def u_net(
    depth: int, rounding: str, joined: str = "Concat", up: str = "kernel_size: 2 stride: 2"
) -> str:
    """A U-Net with poolings by 2 that round as said, and no Crops."""
    text, current = HEAD, "data"
    for level in range(depth):
        text += conv(f"down{level}", current)
        current = f"pool{level}"
        text += pool(current, f"down{level}", f"kernel_size: 2 stride: 2 round_mode: {rounding}")
    for level in reversed(range(depth)):
        text += deconv(f"up{level}", current, up)
        text += merge(f"join{level}", f"down{level} up{level}", joined)
        current = f"join{level}"
    return text + conv("score", current, "kernel_size: 1")


def keras_u_net() -> str:
    """Keras' usual U-Net: what doubles there doubles here, with a kernel of 4 and a pad."""
    return u_net(4, "FLOOR", up="kernel_size: 4 stride: 2 pad: 1")


def torch_u_net(depth: int = 4) -> str:
    """PyTorch's usual U-Net, which pads to the skip: Caffe enlarges by more, and crops."""
    text, current = HEAD, "data"
    for level in range(depth):
        text += conv(f"down{level}", current)
        current = f"pool{level}"
        text += pool(current, f"down{level}", "kernel_size: 2 stride: 2 round_mode: FLOOR")
    for level in reversed(range(depth)):
        text += deconv(f"up{level}", current, "kernel_size: 4 stride: 2")
        text += crop(f"crop{level}", f"up{level} down{level}", 1)
        text += merge(f"join{level}", f"down{level} crop{level}", "Concat")
        current = f"join{level}"
    return text + conv("score", current, "kernel_size: 1")


def v_net(depth: int = 3) -> str:
    """V-Net: strided convolutions down, transposed ones up, in volumes."""
    text = 'input: "data" input_shape { dim: 1 dim: 1 dim: 16 dim: 16 dim: 16 }\n'
    current = "data"
    for level in range(depth):
        text += conv(f"down{level}", current, "kernel_size: 2 stride: 2", out=1)
        current = f"down{level}"
    for level in reversed(range(depth)):
        skip = f"down{level - 1}" if level else "data"
        text += deconv(f"up{level}", current, "kernel_size: 2 stride: 2", out=1)
        text += merge(f"join{level}", f"{skip} up{level}", "Concat")
        current = f"back{level}"
        text += conv(current, f"join{level}", out=1)
    return text


def valid_u_net() -> str:
    """Ronneberger's own: convolutions without pads, and Crops of the skips."""
    text, current = HEAD, "data"
    for level in range(3):
        text += conv(f"a{level}", current, "kernel_size: 3") + conv(
            f"b{level}", f"a{level}", "kernel_size: 3"
        )
        current = f"p{level}"
        text += pool(current, f"b{level}")
    text += conv("deep", current, "kernel_size: 3")
    current = "deep"
    for level, offset in ((2, 1), (1, 4), (0, 10)):
        text += deconv(f"up{level}", current, "kernel_size: 2 stride: 2")
        text += crop(f"crop{level}", f"b{level} up{level}", offset)
        text += merge(f"join{level}", f"crop{level} up{level}", "Concat")
        current = f"c{level}"
        text += conv(current, f"join{level}", "kernel_size: 3")
    return text


def seg_net() -> str:
    """SegNet: unpooling by the masks of the poolings, with the factor that files give."""
    text, current = HEAD, "data"
    for level in range(3):
        text += conv(f"conv{level}", current)
        text += (
            f'layer {{ name: "pool{level}" type: "Pooling" bottom: "conv{level}" '
            f'top: "pool{level}" top: "mask{level}" '
            "pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
        )
        current = f"pool{level}"
    for level in reversed(range(3)):
        text += _layer(
            f"unpool{level}", "Upsample", f"{current} mask{level}", "upsample_param { scale: 2 }"
        )
        text += conv(f"back{level}", f"unpool{level}")
        current = f"back{level}"
    return text


def psp_net() -> str:
    """PSPNet's head in small: poolings of fixed kernels, Interp to a fixed size, Concat, zoom."""
    text = HEAD + conv("conv1", "data", "kernel_size: 3 stride: 2 pad: 1")
    text += pool("pool1", "conv1", "kernel_size: 3 stride: 2 pad: 1") + conv("conv5", "pool1")
    joined = ["conv5"]
    for size in (2, 3, 6):
        text += pool(f"ppm{size}", "conv5", f"kernel_size: {18 // size} stride: {18 // size}")
        text += _layer(f"in{size}", "Interp", f"ppm{size}", "interp_param { height: 18 width: 18 }")
        joined.append(f"in{size}")
    text += merge("ppm", " ".join(joined), "Concat")
    return text + _layer("score", "Interp", "ppm", "interp_param { zoom_factor: 4 }")


def deep_lab() -> str:
    """DeepLab-LargeFOV: poolings with pads, dilated convolutions, and an Interp by 8."""
    text, current = HEAD, "data"
    for level, stride in enumerate((2, 2, 2, 1)):
        text += conv(f"conv{level}", current)
        words = f"kernel_size: 3 stride: {stride} pad: 1"
        text += pool(f"pool{level}", f"conv{level}", words)
        current = f"pool{level}"
    text += conv("fc6", current, "kernel_size: 3 pad: 12 dilation: 12")
    text += _layer("shrink", "Interp", "data", "interp_param { shrink_factor: 8 }")
    text += _layer("zoom", "Interp", "fc6", "interp_param { zoom_factor: 8 }")
    return text + _layer("product", "Concat", "fc6 fc6") + merge("both", "shrink fc6", "Concat")


NETS: dict[str, Callable[[], str]] = {
    "FCN-32s": lambda: fcn(32),
    "FCN-16s": lambda: fcn(16),
    "FCN-8s": lambda: fcn(8),
    "HED": hed,
    "U-Net, floor": lambda: u_net(4, "FLOOR"),
    "U-Net, ceil": lambda: u_net(4, "CEIL"),
    "U-Net, sums": lambda: u_net(3, "CEIL", "Eltwise"),
    "U-Net, valid": valid_u_net,
    "SegNet": seg_net,
    "PSPNet": psp_net,
    "DeepLab": deep_lab,
}
