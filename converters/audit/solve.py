"""Transposed convolutions that take an axis from one size to another: all of them, simplest first.

A layer is said by its kernel, stride, dilation, and how many pixels are cut at both ends of what
its kernels cover (`geometry.full_size`). What frameworks call pad and output_padding, `same` and
`valid`, are ways to say the cuts; every layer is kept that one of them can say in its own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, Literal, get_args

from upconv.converters.ir.alignment import convolution_map
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.geometry import (
    bilinear_kernel_size,
    bilinear_pad,
    bilinear_taps,
    conv_transpose_size,
    effective_kernel,
    full_size,
    keras_transposed_size,
    target_pads,
)
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.records import record

LARGEST: Final = 1 << 20
"""The largest size that is solved for."""

WIDEST: Final = 4
"""How many strides wide a kernel is at most, unless the user names one."""

Padding = Literal["same", "valid"]


@record(frozen=True, slots=True)
class Wanted:
    """What the user already knows of a layer; None where it is free. `pad` is cut at both ends."""

    kernel: int | None = None
    stride: int | None = None
    dilation: int | None = None
    pad: int | None = None
    output_padding: int | None = None


@record(frozen=True, slots=True)
class Answer:
    """One transposed convolution along an axis of `size` pixels.

    `begin` and `end` pixels are cut; a negative end is output padding.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def operator(self) -> ConvTranspose:
        """It as an operator, with one channel."""
        return ConvTranspose(
            out_channels=1,
            kernel=(self.kernel,),
            stride=(self.stride,),
            dilation=(self.dilation,),
            pads_begin=(self.begin,),
            pads_end=(max(self.end, 0),),
            output_padding=(max(-self.end, 0),),
        )

    @property
    def output(self) -> int:
        size: int = conv_transpose_size(
            self.size, self.kernel, self.stride, self.dilation, self.begin, self.end
        )
        return size

    @property
    def extent(self) -> int:
        return effective_kernel(self.kernel, self.dilation)

    @property
    def multiplies(self) -> bool:
        """Whether the output is `stride` times the input for every size."""
        return self.extent - self.begin - self.end == self.stride

    @property
    def shift(self) -> Fraction:
        """How far its pixels lie off those of edges that coincide, in pixels of the output."""
        lies = convolution_map(self.operator, 0)
        return (lies.shift - (lies.scale - 1) / 2) * self.stride

    @property
    def uneven(self) -> bool:
        """Whether some output pixels get more kernel taps than others (a checkerboard, learned)."""
        return self.kernel % self.stride != 0 and self.stride > 1

    @property
    def holes(self) -> bool:
        """Whether some output pixels get nothing but the bias."""
        return self.extent < self.stride

    @property
    def difficulty(self) -> tuple[int | bool | Fraction, ...]:
        """What makes a layer harder to say or to trust; the least is the simplest."""
        asymmetric = self.begin != self.end
        return (
            self.holes,
            not self.multiplies and self.output % self.size == 0,
            asymmetric,
            self.dilation,
            abs(self.shift),
            self.uneven,
            self.kernel,
            self.begin,
            self.stride,
        )


def solve(size: int, output: int, wanted: Wanted | None = None) -> list[Answer]:
    """Every transposed convolution that takes `size` pixels to `output`, simplest first.

    Free kernels are up to WIDEST strides wide and not dilated, and cuts together are smaller than
    the kernel, so that no pixel of the input is cut away. Raises UsageError for sizes and settings
    that no layer has.

    >>> [(a.kernel, a.stride, a.begin, a.end) for a in solve(16, 32)][:4]
    [(2, 2, 0, 0), (4, 2, 1, 1), (6, 2, 2, 2), (8, 2, 3, 3)]
    """
    known = wanted or Wanted()
    _require_sensible(size, output, known)
    found = {
        answer
        for stride in _strides(size, output, known)
        for kernel in _kernels(size, output, stride, known)
        for answer in _answers(size, output, kernel, stride, known)
    }
    return sorted(found, key=lambda one: one.difficulty)


def _require_sensible(size: int, output: int, known: Wanted) -> None:
    least = {"kernel": 1, "stride": 1, "dilation": 1, "pad": 0, "output_padding": 0}
    given = {name: getattr(known, name) for name in least}
    given |= {"input": size, "output": output}
    for name, value in given.items():
        if value is not None and not least.get(name, 1) <= value <= LARGEST:
            raise UsageError(
                f"{name} {value} is no size", hint=f"give {least.get(name, 1)} to {LARGEST}"
            )


def _strides(size: int, output: int, known: Wanted) -> range | tuple[int, ...]:
    """Strides that leave something for the kernel: stride*(size-1) < output."""
    if known.stride is not None:
        return (known.stride,)
    if size == 1:
        return (1,)  # the stride moves nothing
    most = (output - 1) // (size - 1)
    # a kernel of WIDEST strides and output padding make stride*(size-1) + (WIDEST+1)*stride - 1
    least = 1 if known.kernel is not None else -(-(output + 1) // (size + WIDEST))
    return range(max(least, 1), most + 1)


def _kernels(size: int, output: int, stride: int, known: Wanted) -> range | tuple[int, ...]:
    if known.kernel is not None:
        return (known.kernel,)
    return range(1, max(WIDEST * stride, output if size == 1 else 0) + 1)


def _answers(size: int, output: int, kernel: int, stride: int, known: Wanted) -> Iterator[Answer]:
    dilation = known.dilation or 1
    for begin, end in _cuts(size, output, kernel, stride, dilation, known):
        answer = Answer(size, kernel, stride, dilation, begin, end)
        if begin + end < answer.extent:
            assert answer.output == output
            yield answer


def _cuts(
    size: int, output: int, kernel: int, stride: int, dilation: int, known: Wanted
) -> Iterator[tuple[int, int]]:
    """The cuts that frameworks can say: torch's pad and output_padding (Caffe's where it is 0),
    and Keras' `same` and `valid`, which the user asks for by naming neither."""
    extras = (
        range(max(stride, dilation)) if known.output_padding is None else (known.output_padding,)
    )
    whole: int = full_size(size, kernel, stride, dilation) - output
    for extra in extras:
        twice = whole + extra
        pad = known.pad if known.pad is not None else twice // 2
        if 2 * pad == twice and pad >= 0 and extra < max(stride, dilation):
            yield pad, pad - extra
    if known.pad is None and known.output_padding is None and 1 in (stride, dilation):
        for padding in get_args(Padding):
            if keras_output(size, kernel, stride, dilation, padding) == output:
                yield keras_cuts(size, kernel, stride, dilation, padding)


def keras_output(size: int, kernel: int, stride: int, dilation: int, padding: Padding) -> int:
    """The size that Keras' layer without output_padding makes."""
    found: int = keras_transposed_size(size, kernel, stride, dilation, padding)
    return found


def keras_cuts(
    size: int, kernel: int, stride: int, dilation: int, padding: Padding
) -> tuple[int, int]:
    """(begin, end) that Keras' layer without output_padding cuts; a negative end is added."""
    whole = full_size(size, kernel, stride, dilation)
    out = keras_output(size, kernel, stride, dilation, padding)
    begin, end, extra = target_pads(whole, out, padding)
    return begin, end - extra


@record(frozen=True, slots=True)
class BilinearLayer:
    """The interpolation convention for a factor: kernel, pad, and one axis of the kernel as whole
    numbers over a denominator."""

    factor: int
    kernel: int
    pad: int
    taps: tuple[int, ...]
    denominator: int


def bilinear_layer(factor: int) -> BilinearLayer:
    """The bilinear layer that multiplies sizes by a whole factor.

    >>> bilinear_layer(2).taps, bilinear_layer(2).denominator
    ((1, 3, 3, 1), 4)
    """
    kernel = bilinear_kernel_size(factor)
    taps, denominator = bilinear_taps(kernel)
    return BilinearLayer(factor, kernel, bilinear_pad(factor), taps, denominator)
