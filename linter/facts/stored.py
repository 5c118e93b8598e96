"""What the stored weights of a layer are: zeros, the bilinear kernel, or something else."""

from __future__ import annotations

from struct import unpack
from typing import TYPE_CHECKING

from upconv.converters.ir.geometry import BILINEAR_TOLERANCE, bilinear_taps
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight

if TYPE_CHECKING:
    from upconv.converters.ir.kernels import Bilinear


@record(frozen=True, slots=True)
class Stored:
    """The verdict on one weight."""

    zero: bool = False
    bilinear: Bilinear = ""


def is_zero(weight: Weight) -> bool:
    """Whether every stored value is 0; reads no further than the first that is not.

    Looks at bytes, so it needs no numpy: a float32 is 0 where no bit but its sign is set.
    """
    if weight.data is None:
        return False
    clear = bytes(range(256)).replace(b"\x80", b"\x00")
    for chunk in weight.data.chunks(1 << 16):
        data = bytes(chunk)
        planes = (data[0::4], data[1::4], data[2::4], data[3::4].translate(clear))
        if any(plane.strip(b"\0") for plane in planes):
            return False
    return True


def stored_kernel(layer: Layer) -> Stored:
    """Judge the stored weight of a transposed convolution, (C_in, C_out/groups, k...)."""
    weight = layer.weights["weight"]
    if is_zero(weight):
        return Stored(zero=True)
    assert isinstance(layer.operator, ConvTranspose)
    shape = weight.shape or ()
    if len(shape) != 4 or shape[2] != shape[3] or not _may_be_bilinear(weight, shape[3]):
        return Stored()
    from upconv.converters.ir.kernels import bilinear_form

    return Stored(bilinear=bilinear_form(weight.array(), layer.operator.groups))


def _may_be_bilinear(weight: Weight, size: int) -> bool:
    """Whether the kernel of the first pair of channels begins as the bilinear one: every form of
    bilinear weights has it there. Learned weights are told by it without numpy."""
    assert weight.data is not None
    taps, double = bilinear_taps(size)
    data = bytes(next(iter(weight.data.chunks(4 * size)), b""))
    values = unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4])
    wanted = (taps[0] * tap / double**2 for tap in taps)
    near = 2 * BILINEAR_TOLERANCE
    return all(abs(value - want) <= near for value, want in zip(values, wanted, strict=False))
