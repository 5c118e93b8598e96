"""Operators of Keras layers (keras/src/layers), channels first whatever their data_format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.model import Shape
from upconv.converters.readers.assembly.layout import moved_axis
from upconv.converters.readers.python_source.call import Call
from upconv.converters.readers.python_source.made import Made, Place, open_shape, unknown_weights
from upconv.converters.readers.python_source.torch_layers import Maker

Padding = Literal["same", "valid"]

_DIGIT: Final = {"1": 1, "2": 2, "3": 3}


def axes_of(call: Call) -> int:
    """The number of spatial axes in a class's name: 2 for UpSampling2D."""
    return next(_DIGIT[letter] for letter in call.name if letter in _DIGIT)


def conv_transpose(call: Call, place: Place) -> Made:
    """Conv*DTranspose; its padding depends on no size."""
    window = transposed_windows(call)
    rows: list[tuple[int, int, int]] = []
    size = symbol("n")
    for kernel, stride, dilation, extra in window:
        settings = kernel, stride, dilation
        padding = padding_of(call)
        out = geometry.keras_transposed_size(size, *settings, padding, extra)
        if not geometry.tensorflow_inverts(size, out, *settings, padding):
            raise call.no_operator("TensorFlow refuses to run the layer")
        rows.append(geometry.target_pads(geometry.full_size(size, *settings), out, padding))
    kernels, strides, dilations, _ = zip(*window, strict=True)
    begins, ends, extras = zip(*rows, strict=True)
    filters = call.literal_int("filters")
    operator = ops.ConvTranspose(filters or 1, kernels, strides, dilations, begins, ends, extras)
    weights = unknown_weights(None, call.probably("use_bias", True) is not False, 0)
    shape = _input_shape(call, place) or open_shape(None, len(window))
    return Made(operator, weights, shape, final=not filters)


def transposed_windows(call: Call) -> list[tuple[int, int, int, int | None]]:
    """(kernel, stride, dilation, output_padding) of each axis.

    Raises NotProvableError where one of them is not decided.
    """
    axes = axes_of(call)
    given = call.value("output_padding") is not None
    extra = call.integers("output_padding", axes) if given else (None,) * axes
    return list(
        zip(
            call.integers("kernel_size", axes, 1),
            call.integers("strides", axes, 1),
            call.integers("dilation_rate", axes, 1),
            extra,
            strict=True,
        )
    )


def padding_of(call: Call) -> Padding:
    """`same` or `valid`, in small letters."""
    padding = str(call.value("padding")).lower()
    if padding not in ("same", "valid"):
        raise call.not_provable(f"padding is {padding!r}")
    return "same" if padding == "same" else "valid"


def upsampling(call: Call, place: Place) -> Made:
    """UpSampling*D: nearest repeats pixels, bilinear is half-pixel from TensorFlow 1.15 on."""
    axes = axes_of(call)
    factor = call.integers("size", axes, 1)
    mode = call.value("interpolation") if "interpolation" in call.defaults else "nearest"
    shape = _input_shape(call, place) or open_shape(None, axes)
    if mode == "nearest":
        return Made(ops.Resize("nearest", "asymmetric", factor=factor), shape=shape)
    if mode == "bilinear":
        return Made(ops.Resize("linear", "half_pixel", factor=factor), shape=shape)
    raise call.not_provable(f"interpolation is {mode!r}")


def _channels_first(call: Call) -> bool:
    return "data_format" in call.defaults and call.value("data_format") == "channels_first"


def _input_shape(call: Call, place: Place) -> tuple[Size, ...] | None:
    """The shape that a first layer's input_shape gives, moved to channels first."""
    found = call.probably("input_shape") or without_batch(call.probably("batch_input_shape"))
    return shape_of(found, _channels_first(call)) if found else None


def without_batch(sizes: Any) -> tuple[Any, ...]:
    """The sizes of a batch's shape but the first; () of what is no shape."""
    return sizes[1:] if isinstance(sizes, tuple) else ()


def shape_of(sizes: Any, channels_first: bool = False, prefix: str = "") -> tuple[Size, ...] | None:
    """(N, C, spatial...) of the sizes without the batch, None being open: `prefix` tells the open
    sizes of one input from those of another.

    >>> [str(size) for size in shape_of((28, None, 3))]
    ['N', '3', '28', 'd1']
    """
    if isinstance(sizes, int):
        sizes = (sizes,)
    if not isinstance(sizes, tuple) or not 1 <= len(sizes) <= 4:
        return None
    if not all(n is None or (isinstance(n, int) and n > 0) for n in sizes):
        return None
    named: list[Size] = [
        symbol(f"{prefix}d{index}") if size is None else size for index, size in enumerate(sizes)
    ]
    if len(named) > 1 and not channels_first:
        named = [named[-1], *named[:-1]]
    return (symbol("N"), *named)


def _conv(call: Call, place: Place) -> Made:
    axes = axes_of(call)
    kernel, stride = call.integers("kernel_size", axes, 1), call.integers("strides", axes, 1)
    dilation = call.integers("dilation_rate", axes, 1)
    begin, end = _same_pads(call, place, kernel, stride, dilation)
    filters, groups = call.integer("filters", 1), call.integer("groups", 1)
    operator = ops.Conv(filters, kernel, stride, dilation, begin, end, groups)
    bias = call.value("use_bias") is not False
    shape = _input_shape(call, place) or open_shape(None, axes)
    return Made(operator, unknown_weights(None, bias, 0), shape)


def _same_pads(
    call: Call, place: Place, kernel: ops.Ints, stride: ops.Ints, dilation: ops.Ints
) -> tuple[ops.Ints, ops.Ints]:
    """(begin, end) of the padding, which for `same` may depend on the input's size."""
    if padding_of(call) == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    shape = _input_shape(call, place) or place.shape
    pairs = []
    for axis, settings in enumerate(zip(kernel, stride, dilation, strict=True)):
        size = shape[axis + 2] if shape is not None and len(shape) > axis + 2 else None
        whole = isinstance(size, int)
        pair = geometry.same_pads(size, *settings) if whole else geometry.fixed_same_pads(*settings)
        if pair is None:
            raise call.not_provable("its padding depends on the input's size")
        pairs.append(pair)
    begins, ends = zip(*pairs, strict=True)
    return begins, ends


def _pool(call: Call, place: Place) -> Made:
    axes = axes_of(call)
    kernel = call.integers("pool_size", axes, 1)
    given = call.value("strides") is not None
    stride = call.integers("strides", axes, 1) if given else kernel
    ones = (1,) * axes
    begin, end = _same_pads(call, place, kernel, stride, ones)
    kind: Literal["max", "average"] = "max" if call.name.startswith("Max") else "average"
    operator = ops.Pool(kind, kernel, stride, ones, begin, end, "floor", "never", False)
    return Made(operator, shape=_input_shape(call, place) or open_shape(None, axes))


def _dense(call: Call, place: Place) -> Made:
    """Dense over vectors; over feature maps it would need its axis moved."""
    shape = _input_shape(call, place)
    if shape is None and call.literal_int("input_dim"):
        shape = (symbol("N"), call.integer("input_dim", 1))
    if len(shape or place.shape or (0, 0)) != 2:
        raise call.not_provable("Dense over feature maps")
    weights = unknown_weights(None, call.value("use_bias") is not False, 0)
    shape = shape or (symbol("N"), symbol("C"))
    return Made(ops.Linear(call.integer("units", 1), -1, transposed=True), weights, shape)


def _reshape(call: Call, place: Place) -> Made:
    """target_shape without the batch, channels last; the values' order does not matter here."""
    target = call.value("target_shape")
    target = target if isinstance(target, tuple) else (target,)
    if not all(isinstance(n, int) and (n > 0 or n == -1) for n in target):
        raise call.not_provable(f"target_shape is {target!r}")
    moved = (target[-1], *target[:-1]) if len(target) > 1 else target
    return Made(ops.Reshape(moved, 1, -1), shape=_input_shape(call, place))


def _flatten(call: Call, place: Place) -> Made:
    return Made(ops.Flatten(1), shape=_input_shape(call, place))


def _zero_padding(call: Call, place: Place) -> Made:
    (top, bottom), (left, right) = _pairs(call, "padding")
    return Made(ops.Pad((0, 0, top, left), (0, 0, bottom, right)), shape=_input_shape(call, place))


def _cropping(call: Call, place: Place) -> Made:
    (top, bottom), (left, right) = _pairs(call, "cropping")
    begin, end = (0, 0, -top, -left), (0, 0, -bottom, -right)
    return Made(ops.Pad(begin, end), shape=_input_shape(call, place))


def _pairs(call: Call, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """One amount, one an axis, or (begin, end) an axis."""
    value = call.value(name)
    rows = value if isinstance(value, tuple) else (value, value)
    pairs = [row if isinstance(row, tuple) else (row, row) for row in rows]
    if len(pairs) != 2 or any(
        len(pair) != 2 or not all(isinstance(n, int) and n >= 0 for n in pair) for pair in pairs
    ):
        raise call.not_provable(f"{name} is {value!r}")
    return (pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1])


def _pointwise(operator: ops.Operator) -> Callable[[Call, Place], Made]:
    return lambda call, place: Made(operator, shape=_input_shape(call, place))


def fits(call: Call, place: Place) -> bool:
    """Whether an input has as many spatial axes as the class's name says, or may have them."""
    named = any(letter in _DIGIT for letter in call.name)
    return not named or place.shape is None or place.axes == axes_of(call)


def _concatenate(call: Call, shapes: Sequence[Shape], channels_first: bool) -> Made:
    axis, rank = call.value("axis"), len(shapes[0])
    if not isinstance(axis, int) or not -rank <= axis < rank or axis % rank == 0:
        raise call.not_provable(f"axis is {axis!r}")
    return Made(ops.Concat(axis % rank if channels_first else moved_axis(axis, rank)))


def _join(kind: JoinKind, average: bool = False) -> Merger:
    """Element by element; what has one pixel or channel is repeated."""

    def merge(call: Call, shapes: Sequence[Shape], channels_first: bool) -> Made:
        repeats = len(set(shapes)) > 1  # sizes that only the image decides may be 1 on one side
        weights = (1 / len(shapes),) * len(shapes) if average else ()
        return Made(ops.Eltwise(kind, weights, broadcast=repeats))

    return merge


JoinKind: TypeAlias = Literal["sum", "product", "max", "min", "difference"]
Merger: TypeAlias = Callable[[Call, Sequence[Shape], bool], Made]
"""(call, shapes of the inputs, whether Keras has their channels first) -> what is made of it."""

_MERGERS: Final[dict[str, Merger]] = {
    "Concatenate": _concatenate,
    "Add": _join("sum"),
    "Average": _join("sum", average=True),
    "Maximum": _join("max"),
    "Minimum": _join("min"),
    "Multiply": _join("product"),
    "Subtract": _join("difference"),
}

MERGES: Final[dict[str, Merger]] = {
    f"keras.layers.{spelled}": merger
    for name, merger in _MERGERS.items()
    for spelled in (name, name.lower())
}
"""Layers that join tensors, and the functions that make and call them."""

KERAS_MAKERS: Final[dict[str, Maker]] = {
    **{f"Conv{n}DTranspose": conv_transpose for n in (1, 2, 3)},
    "Convolution2DTranspose": conv_transpose,
    "Convolution3DTranspose": conv_transpose,
    **{f"UpSampling{n}D": upsampling for n in (1, 2, 3)},
}

KERAS_OTHERS: Final[dict[str, Maker]] = {
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{
        f"{kind}{n}D": _pool
        for n in (1, 2, 3)
        for kind in ("MaxPooling", "MaxPool", "AveragePooling", "AvgPool")
    },
    "Dense": _dense,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "ZeroPadding2D": _zero_padding,
    "Cropping2D": _cropping,
    # What these compute in detail matters to no rule; that they keep every size does.
    **{
        name: _pointwise(ops.Identity())
        for name in ("BatchNormalization", "Dropout", "Activation", "LeakyReLU", "ReLU", "ELU")
    },
}
