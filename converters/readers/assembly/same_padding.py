"""TensorFlow's SAME padding of convolutions and poolings, for every reader whose source has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.geometry import fixed_same_pads, same_pads
from upconv.converters.ir.operators import Crop, Eltwise, Operator, Pad, Pool, Power
from upconv.converters.ir.records import record

Setting: TypeAlias = tuple[int, int, int]
"""(kernel, stride, dilation) of one axis."""
Emit: TypeAlias = Callable[[Operator, Sequence[str], str], str]
"""(operator, inputs, suffix) -> the name of the output of a layer that is appended."""


@record(frozen=True, slots=True)
class SamePads:
    """What SAME means for each spatial axis: amounts that are part of the operator, and where the
    begin changes with a size that is open, a Pad in front of it."""

    begin: tuple[int, ...]
    end: tuple[int, ...]
    pad: Pad | None = None


def same_padding(
    name: str, sizes: Sequence[Size | None], settings: Sequence[Setting], fill: float
) -> SamePads:
    """The padding of the tensor `name`, whose spatial `sizes` are None where unknown; what the
    Pad adds has the value `fill`.

    >>> same_padding("x", (7, None), ((3, 2, 1), (3, 1, 1)), 0.0)
    SamePads(begin=(1, 1), end=(1, 1), pad=None)
    """
    known = [amounts(*pair) for pair in zip(sizes, settings, strict=True)]
    begin = tuple(pair[0] if pair else 0 for pair in known)
    end = tuple(pair[1] if pair else 0 for pair in known)
    if None not in known:
        return SamePads(begin, end)
    open_axes = [axis for axis, pair in enumerate(known) if pair is None]
    return SamePads(begin, end, _pad(name, settings, open_axes, fill))


def amounts(size: Size | None, setting: Setting) -> tuple[int, int] | None:
    """(begin, end) of SAME along one axis, None where an open size decides."""
    if isinstance(size, int):
        begin, end = same_pads(size, *setting)
        return begin, end
    return fixed_same_pads(*setting)


def _pad(name: str, settings: Sequence[Setting], axes: Sequence[int], fill: float) -> Pad:
    begin: list[Size] = [0] * (len(settings) + 2)
    end: list[Size] = list(begin)
    for axis in axes:
        begin[axis + 2], end[axis + 2] = same_pads(like(name, axis + 2), *settings[axis])
    return Pad(tuple(begin), tuple(end), value=fill)


def average_inside(
    emit: Emit,
    name: str,
    sizes: Sequence[Size | None],
    settings: Sequence[Setting],
    pool: Callable[[tuple[int, ...], tuple[int, ...]], Pool],
) -> str:
    """An average pooling with SAME padding, which leaves the padding out; `pool` makes it from
    (pads_begin, pads_end).

    Where an open size decides the padding: the average of each window with zeros around, over that
    of ones with zeros around, which is the part of the window that lies inside.
    """
    same = same_padding(name, sizes, settings, 0.0)
    operator = pool(same.begin, same.end)
    if same.pad is None:
        return emit(operator, [name], "")
    ones = emit(Power(power=0.0), [emit(Crop(1, (0,), (1,)), [name], "channel")], "ones")
    means = []
    for x, suffix in ((name, "sum"), (ones, "inside")):
        pad = same_padding(x, sizes, settings, 0.0).pad
        assert pad is not None, "the sizes are the same"
        means.append(emit(operator, [emit(pad, [x], f"{suffix}/same")], suffix))
    return emit(Eltwise("quotient", broadcast=True), means, "")
