"""Pooling, upsampling, resizing, padding and cropping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, like
from upconv.converters.ir.errors import AmbiguousError
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.compositions import pool, repeated
from upconv.converters.readers.assembly.resampling import (
    MOST,
    Rows,
    area,
    bicubic,
    kernel,
    resampled,
)
from upconv.converters.readers.assembly.same_padding import amounts, average_inside
from upconv.converters.readers.keras.backends import (
    DEFAULT,
    TORCH_REPEATS,
    agreed,
    backend_of,
    newer,
)
from upconv.converters.readers.keras.fields import (
    Ints,
    choice,
    flag,
    integer,
    integers,
    pairs,
    spatial_input,
)
from upconv.converters.readers.keras.layers_convolution import axes_of
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers
from upconv.converters.readers.keras.windows import Window, pads, pooling_window, require_order

_KINDS: Final[dict[str, Literal["max", "average"]]] = {"Max": "max", "Average": "average"}


def _kind(type_name: str) -> Literal["max", "average"]:
    return next(kind for text, kind in _KINDS.items() if text in type_name)


@lowers(
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
)
def _pool(layer: KerasLayer, step: Step) -> Value:
    """SAME leaves padding out of an average."""
    axes = axes_of(layer.type)
    window = pooling_window(layer, axes)
    kind = _kind(layer.type)
    x = spatial_input(layer, step, axes)
    if backend_of(layer) == "theano" and window.padding == "same":
        return _pool_of_theano(step, x, _pooling, kind, window)
    if kind == "average" and window.padding == "same":
        return _average_same(layer, step, x, window)
    padded, *around = pads(layer, step, x, window, float("-inf"))
    return step.add(_pooling(kind, window, *around), [padded])


def _average_same(layer: KerasLayer, step: Step, x: Value, window: Window) -> Value:
    """Of what lies inside; on torch, where `same` is uneven, of a border that is repeated."""
    sizes = [step.size(x, axis + 2) for axis in range(len(window.kernel))]
    require_order(layer, sizes, window)
    around = [amounts(*pair) for pair in zip(sizes, window.settings, strict=True)]
    even = all(pair is not None and pair[0] == pair[1] for pair in around)
    uneven = any(pair is not None and pair[0] != pair[1] for pair in around)

    def border(backend: str) -> str:
        if backend != "torch" or even:
            return "left out"
        return "repeated" if uneven and None not in around else "open"

    meaning = agreed(layer, step, border, "what its average takes in at the border")
    if meaning == "left out":
        return _average_inside(step, x, window)
    if meaning == "open" or not newer(layer, TORCH_REPEATS):
        raise layer.unsupported(
            "an average with padding 'same' on torch depends on sizes that are open, or on a "
            "version of Keras before 3.7",
            "padding",
            "give the size with --input, as in --input NAME=1x224x224x3",
        )
    known = [pair or (0, 0) for pair in around]
    begin, end = ((0, 0, *(pair[side] for pair in known)) for side in (0, 1))
    padded = step.add(ops.Pad(begin, end, "edge"), [x], suffix="same")
    none = (0,) * len(window.kernel)
    return step.add(_pooling("average", window, none, none), [padded])


def _pool_of_theano(
    step: Step, x: Value, pooling: Callable[..., ops.Pool], kind: str, window: Window
) -> Value:
    """Theano pads both sides alike, and what is too much is cut off at the end
    (keras/backend/theano_backend.py of Keras 2, pool2d)."""
    axes = range(len(window.kernel))
    around = tuple(k - 2 if k > 2 and k % 2 else k - 1 for k in window.kernel)
    y = step.add(pooling(kind, window, around, around), [x], suffix="uncut")
    sizes = tuple(ceil_div(like(x.name, n + 2), window.stride[n]) for n in axes)
    return step.add(ops.Crop(2, (0,) * len(sizes), sizes), [y, x])


def _average_inside(step: Step, x: Value, window: Window) -> Value:
    def emit(operator: Operator, names: Sequence[str], suffix: str) -> str:
        return step.add(operator, [Value(name, x.moved) for name in names], suffix=suffix).name

    sizes = [step.size(x, axis + 2) for axis in range(len(window.kernel))]
    average = partial(_pooling, "average", window)
    return Value(average_inside(emit, x.name, sizes, window.settings, average), x.moved)


def _pooling(kind: Literal["max", "average"], window: Window, begin: Ints, end: Ints) -> ops.Pool:
    return pool(kind, window.kernel, window.stride, window.dilation, (begin, end))


@lowers(
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
)
def _global_pool(layer: KerasLayer, step: Step) -> Value:
    """keepdims leaves the spatial axes with size 1."""
    if layer.call.keywords.get("mask") is not None:
        raise layer.unsupported("a pooling with a mask")
    x = spatial_input(layer, step, axes_of(layer.type))
    y = step.add(ops.GlobalPool(_kind(layer.type)), [x])
    if flag(layer, "keepdims", False):
        return y
    return step.add(ops.Flatten(), [y], suffix="flatten", moved=False)


@lowers("UpSampling1D")
def _up_sampling_1d(layer: KerasLayer, step: Step) -> Value:
    size = integer(layer, "length" if "length" in layer.config else "size", 2)
    return step.add(repeated((size,)), [step.moved(layer.x, 3)])


@lowers("UpSampling3D")
def _up_sampling_3d(layer: KerasLayer, step: Step) -> Value:
    return step.add(repeated(integers(layer, "size", 3, 2)), [spatial_input(layer, step, 3)])


@lowers("UpSampling2D")
def _up_sampling_2d(layer: KerasLayer, step: Step) -> Value:
    factor = integers(layer, "size", 2, 2)
    mode = choice(layer, "interpolation", "nearest", dict(zip(_MODES, _MODES, strict=True)))
    x = spatial_input(layer, step, 2)
    size = tuple(_times(step.size(x, axis + 2), factor[axis]) for axis in (0, 1))
    if mode not in _EXACT and (mode != "bicubic" or not _are_powers(factor)) and all(size):
        return resized(layer, step, x, (size[0], size[1]), mode, False)
    return step.add(_upsampling(layer, step, factor, mode), [x])


def _times(size: Size | None, factor: int) -> int:
    """A known size enlarged, 0 for one that is open."""
    return size * factor if isinstance(size, int) else 0


_EXACT: Final = ("nearest", "bilinear", "area")
"""What a Resize says by any whole factor."""

_MODES: Final = (
    "nearest",
    "bilinear",
    "bicubic",
    "area",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "mitchellcubic",
)


def _upsampling(layer: KerasLayer, step: Step, factor: Ints, mode: str) -> Operator:
    """By whole factors an area is a pixel repeated (tensorflow/core/kernels/image/resize_area)."""
    if mode in ("nearest", "area"):
        return repeated(factor)
    if mode == "bilinear":
        return ops.Resize("linear", _bilinear(layer, step), factor=factor)
    if mode == "bicubic":
        return _bicubic(layer, step, factor=factor)
    raise layer.unsupported(
        f"ONNX has no interpolation like '{mode}'", "interpolation", "use bilinear or bicubic"
    )


def _bilinear(layer: KerasLayer, step: Step) -> Literal["half_pixel", "asymmetric"]:
    """What bilinear means to the version that wrote the file, or what the user says it means.

    Where neither decides, the layer is checked as what today's Keras would make of it.
    """
    meaning = layer.options.keras_bilinear or layer.version.bilinear
    if not meaning:
        problem = AmbiguousError(
            f"'bilinear' of Keras {layer.version.text or 'of no known version'} is by half pixels "
            "(TensorFlow 1.15 and later) or asymmetric (before), and the file does not tell which",
            hint="give --keras-bilinear half-pixel or asymmetric",
        )
        step.work.refuse(problem, layer.name, layer.origin)
    return "asymmetric" if meaning == "asymmetric" else "half_pixel"


def _curve(layer: KerasLayer, step: Step) -> float:
    """The a of the backend's cubic kernel."""

    def curve(backend: str) -> float:
        return -0.75 if backend == "torch" else -0.5

    return agreed(layer, step, curve, "the curve of its bicubic interpolation")


def _bicubic(
    layer: KerasLayer, step: Step, size: Ints | None = None, factor: Ints | None = None
) -> Operator:
    """By Keys's -0.5 with what lies outside left out; on torch by -0.75 with a repeated border."""
    cubic_a = _curve(layer, step)
    if backend_of(layer) == DEFAULT:
        _require_powers_of_two(layer, factor or (3,))
    return ops.Resize(
        "cubic", "half_pixel", size, factor, cubic_a=cubic_a, exclude_outside=cubic_a == -0.5
    )


def _are_powers(factor: Ints) -> bool:
    """Whether the steps of TensorFlow's table of 1024 cubic coefficients are met exactly
    (resize_bicubic_op.cc)."""
    return not any(f & (f - 1) or f > 512 for f in factor)


def _require_powers_of_two(layer: KerasLayer, factor: Ints) -> None:
    if not _are_powers(factor):
        raise layer.unsupported(
            f"bicubic by {factor[0]}x{factor[1]}: TensorFlow rounds the coefficients of factors "
            "that are no power of two, which ONNX cannot say",
            "size",
            "give fixed sizes, as in --input NAME=1x224x224x3",
        )


@lowers("Resizing")
def _resizing(layer: KerasLayer, step: Step) -> Value:
    """To a fixed (height, width), pixel centres at halves."""
    for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio"):
        if flag(layer, name, False):
            raise layer.unsupported(f"{name} depends on the image's size", name)
    size = integer(layer, "height"), integer(layer, "width")
    mode = choice(layer, "interpolation", "bilinear", dict(zip(_MODES, _MODES, strict=True)))
    antialias = flag(layer, "antialias", False)
    x = spatial_input(layer, step, 2)
    return resized(layer, step, x, size, mode, antialias)


def resized(
    layer: KerasLayer, step: Step, x: Value, size: tuple[int, int], mode: str, antialias: bool
) -> Value:
    """An image at a fixed (height, width): a Resize where ONNX's means the same, else
    TensorFlow's own numbers."""
    operator = _resize(layer, step, x, size, mode, antialias)
    if operator is not None:
        return step.add(operator, [x])
    before = [step.size(x, axis) for axis in (2, 3)]
    known = [one for one in before if isinstance(one, int) and one > 0]
    pairs = list(zip(known, size, strict=False))
    if (
        mode == "gaussian"
        or backend_of(layer) != DEFAULT
        or len(pairs) < 2
        or any(a * b > MOST for a, b in pairs)
    ):
        raise layer.unsupported(
            f"ONNX has no interpolation like '{mode}' to {size[0]}x{size[1]}",
            "interpolation",
            "give fixed sizes, as in --input NAME=1x224x224x3, or use bilinear",
        )
    rows = [_rows(mode, antialias, wanted / have) for have, wanted in pairs]

    def emit(
        operator: Operator, names: Sequence[str], weights: Mapping[str, Weight], suffix: str
    ) -> str:
        return step.add(operator, [Value(n, x.moved) for n in names], weights, suffix).name

    return Value(resampled(emit, x.name, known, size, rows), x.moved)


def _rows(mode: str, antialias: bool, scale: float) -> Rows:
    """How tf.image.resize computes a mode (tensorflow/python/ops/image_ops_impl.py)."""
    if mode == "bicubic" and not antialias:
        return bicubic("half_pixel")
    if mode == "area":
        return area("asymmetric")
    return kernel({"bicubic": "keyscubic"}.get(mode, mode), antialias, scale, 0.0)


def _resize(
    layer: KerasLayer, step: Step, x: Value, size: tuple[int, int], mode: str, antialias: bool
) -> Operator | None:
    """The operator that means the same, None where there is none."""
    if mode == "nearest":
        return ops.Resize("nearest", "half_pixel", size, nearest_mode="round_prefer_ceil")
    if mode == "bilinear":
        return ops.Resize("linear", "half_pixel", size, antialias=antialias)
    if mode == "bicubic" and antialias:
        return ops.Resize("cubic", "half_pixel", size, cubic_a=-0.5, antialias=True)
    factor = tuple(_factor(step, x, axis, size[axis]) for axis in (0, 1))
    if mode == "bicubic" and backend_of(layer) != DEFAULT:
        return _bicubic(layer, step, size=size)
    if all(factor) and (mode == "area" or (mode == "bicubic" and _are_powers(factor))):
        return _upsampling(layer, step, factor, mode)
    if mode == "bicubic":
        _curve(layer, step)  # tells where the backend is open
    return None


def _factor(step: Step, x: Value, axis: int, wanted: int) -> int:
    """The whole factor of one axis, 0 where there is none or it is not known."""
    size = step.size(x, axis + 2)
    return wanted // size if isinstance(size, int) and wanted % size == 0 else 0


@lowers("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def _zero_padding(layer: KerasLayer, step: Step) -> Value:
    return _box(layer, step, "padding", 1)


@lowers("Cropping1D", "Cropping2D", "Cropping3D")
def _cropping(layer: KerasLayer, step: Step) -> Value:
    return _box(layer, step, "cropping", -1)


def _box(layer: KerasLayer, step: Step, member: str, sign: int) -> Value:
    axes = axes_of(layer.type)
    amounts = pairs(layer, member, axes)
    x = spatial_input(layer, step, axes)
    begin = tuple(sign * first for first, _ in amounts)
    end = tuple(sign * last for _, last in amounts)
    return step.add(ops.Pad((0, 0, *begin), (0, 0, *end)), [x])


@lowers("CenterCrop")
def _center_crop(layer: KerasLayer, step: Step) -> Value:
    """The box of (height, width) in the middle; a smaller image would be resized."""
    wanted = integer(layer, "height"), integer(layer, "width")
    x = spatial_input(layer, step, 2)
    sizes = step.size(x, 2), step.size(x, 3)
    if any(not isinstance(size, int) or size < to for size, to in zip(sizes, wanted, strict=True)):
        hint = "give fixed input sizes with --input"
        raise layer.unsupported("resizes images smaller than its box", "height", hint)
    offsets = tuple((size - to) // 2 for size, to in zip(_ints(sizes), wanted, strict=True))
    return step.add(ops.Crop(2, offsets, wanted), [x])


@lowers(
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
)
def _adaptive_pool(layer: KerasLayer, step: Step) -> Value:
    """To a fixed size; by whole factors every window has the same size."""
    axes = axes_of(layer.type)
    x = spatial_input(layer, step, axes)
    wanted = integers(layer, "output_size", axes)
    sizes = tuple(step.size(x, axis + 2) for axis in range(axes))
    if any(not isinstance(s, int) or s % to for s, to in zip(sizes, wanted, strict=True)):
        raise layer.unsupported(
            "windows of several sizes, or sizes that are not fixed",
            "output_size",
            "give fixed input sizes with --input, multiples of the output's",
        )
    kernel = tuple(size // to for size, to in zip(_ints(sizes), wanted, strict=True))
    return step.add(pool(_kind(layer.type), kernel, kernel), [x])


def _ints(sizes: Sequence[Size | None]) -> Ints:
    return tuple(size for size in sizes if isinstance(size, int))
