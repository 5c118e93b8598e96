"""Kernel, stride, pad and dilation of Caffe's layers, read by the rules its source checks.

Convolution and Deconvolution follow base_conv_layer.cpp, Pooling pooling_layer.cpp; they differ
in what they make of a half-given pair of `_h` and `_w` fields.
"""

from __future__ import annotations

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.caffe.lowering import CaffeLayer
from upconv.converters.readers.files.prototxt import Message

Ints = tuple[int, ...]
_SIDES = ("pad_t", "pad_l", "pad_b", "pad_r")


class HalfGivenError(UnreadableError):
    """Of a pair of `_h` and `_w` fields one is missing, and Caffe does not do without."""


@record(frozen=True, slots=True)
class Window:
    """The geometry of a sliding window, one entry per spatial axis."""

    kernel: Ints
    stride: Ints
    pad: Ints
    dilation: Ints
    pad_end: Ints


def uints(layer: CaffeLayer, param: Message, name: str) -> list[int]:
    """All values of a field of unsigned numbers; Caffe cannot parse a negative one."""
    values = []
    for scalar in param.scalars(name):
        value = scalar.as_int()
        if not 0 <= value < 1 << 32:
            raise layer.invalid(f"{name} is {value}, which is no size", where=scalar.span)
        values.append(value)
    return values


def uint(layer: CaffeLayer, param: Message, name: str, default: int) -> int:
    """The value of one field of an unsigned number."""
    values = uints(layer, param, name)
    return values[-1] if values else default


def positive(layer: CaffeLayer, param: Message, name: str, default: int = 0) -> int:
    """The value of a field that must be there (unless it has a default) and at least 1."""
    value = uint(layer, param, name, default)
    if value < 1:
        problem = "must be at least 1" if param.has(name) else "is missing"
        raise layer.invalid(f"{name} {problem}")
    return value


def convolution_axes(layer: CaffeLayer, param: Message) -> int:
    """How many spatial axes a convolution has: its input's, or what its parameters suggest."""
    rank = layer.rank()
    if rank is not None:
        if rank < 3:
            raise layer.invalid(f"needs an input with spatial axes, but its input has {rank} axes")
        return rank - 2
    if layer.blobs and not getattr(layer.blobs[0], "legacy", False):
        return max(len(layer.blobs[0].shape) - 2, 1)
    given = max(len(param.all(name)) for name in ("kernel_size", "stride", "pad", "dilation"))
    return given if given > 1 else 2


def convolution_window(layer: CaffeLayer, param: Message, axes: int) -> Window:
    """The window of a Convolution or Deconvolution (base_conv_layer.cpp, LayerSetUp).

    `pad_h` alone means pad_w 0. Raises UnreadableError where Caffe aborts.
    """
    return _window(layer, param, axes, half_pad=0)


def pooling_window(layer: CaffeLayer, param: Message, axes: int) -> Window:
    """The window of a Pooling (pooling_layer.cpp, LayerSetUp), without the limits of its pad.

    Raises UnreadableError where Caffe aborts.
    """
    return _window(layer, param, axes, half_pad=None)


def _window(layer: CaffeLayer, param: Message, axes: int, half_pad: int | None) -> Window:
    kernel = _pair(layer, param, "kernel_size", "kernel", axes)
    stride = _pair(layer, param, "stride", "stride", axes)
    pad = _pair(layer, param, "pad", "pad", axes, half_pad)
    both = pad or _per_axis(layer, param, "pad", axes, 0)
    begin, end = _pads_of_sides(layer, param, axes) or (both, both)
    window = Window(
        kernel or _per_axis(layer, param, "kernel_size", axes, None),
        stride or _per_axis(layer, param, "stride", axes, 1),
        begin,
        _dilation(layer, param, axes),
        end,
    )
    _require_positive(layer, window.kernel, "kernel")
    _require_positive(layer, window.stride, "stride")
    return window


def _pads_of_sides(layer: CaffeLayer, param: Message, axes: int) -> tuple[Ints, Ints] | None:
    """Synopsys' pads of the four sides, begin and end; None where it gives none.

    Its pad_type 1, TensorFlow's SAME, is refused.
    """
    if uint(layer, param, "pad_type", 0):
        raise layer.unsupported(
            f"pad_type {uint(layer, param, 'pad_type', 0)}: pads that follow the input's size",
            "write them as pad_l, pad_r, pad_t and pad_b",
        )
    top, left, bottom, right = (uint(layer, param, name, 0) for name in _SIDES)
    if not (top or left or bottom or right):
        return None
    if axes != 2:
        raise layer.invalid(f"pad_l and its kin are for 2 spatial axes, but the input has {axes}")
    if any(param.has(name) for name in ("pad", "pad_h", "pad_w")):
        raise layer.invalid("gives both pad and pads of single sides", "keep one of them")
    return (top, left), (bottom, right)


def _dilation(layer: CaffeLayer, param: Message, axes: int) -> Ints:
    """`dilation`, or what forks called it before: `hole` (DeepLab), `kstride` (Greentea)."""
    for name in ("hole", "kstride"):
        pair = _pair(layer, param, name, name, axes)
        if pair is not None:
            return pair
        if param.has(name):
            return _per_axis(layer, param, name, axes, 1)
    return _per_axis(layer, param, "dilation", axes, 1)


def _pair(
    layer: CaffeLayer, param: Message, whole: str, stem: str, axes: int, half: int | None = None
) -> Ints | None:
    """`stem`_h and `stem`_w, None where neither is given; `half` stands for one that is not."""
    names = (f"{stem}_h", f"{stem}_w")
    given = [name for name in names if param.has(name)]
    if not given:
        return None
    if param.has(whole):
        raise layer.invalid(f"gives both {whole} and {given[0]}", f"keep {whole}, or the pair")
    if axes != 2:
        raise layer.invalid(
            f"{given[0]} is for 2 spatial axes, but the input has {axes}", f"repeat {whole}"
        )
    if len(given) == 1 and half is None:
        absent = names[1 - names.index(given[0])]
        raise _half_given(layer, given[0], absent, param)
    height, width = (uint(layer, param, name, half or 0) for name in names)
    return height, width


def _half_given(layer: CaffeLayer, given: str, absent: str, param: Message) -> HalfGivenError:
    value = param.get(given)
    return HalfGivenError(
        f"gives {given} without {absent}, which Caffe takes as 0 and aborts on",
        where=layer.span if value is None else value.span,
        layer=layer.name,
        hint=f"add {absent}",
    )


def _per_axis(layer: CaffeLayer, param: Message, name: str, axes: int, default: int | None) -> Ints:
    values = uints(layer, param, name)
    if not values and default is None:
        raise layer.invalid(f"{name} is missing")
    if len(values) not in (0, 1, axes):
        raise layer.invalid(
            f"{name} is given {len(values)} times for {axes} spatial axes",
            "give it once, or once for each axis",
            where=param.scalars(name)[-1].span,
        )
    if len(values) == axes:
        return tuple(values)
    return (values[0] if values else default or 0,) * axes


def _require_positive(layer: CaffeLayer, sizes: Ints, what: str) -> None:
    if 0 in sizes:
        raise layer.invalid(f"the {what} is {'x'.join(map(str, sizes))}; each must be at least 1")
