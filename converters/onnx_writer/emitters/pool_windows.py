"""Which windows a pooling node computes, and which lie outside of its input and follow after.

Where all sizes are known, end pads say how far the last window reaches, and no rounding mode is
needed. Else `ceil_mode`: runtimes drop a last window that starts outside of input and begin
padding, which some sources keep (Caffe, stride > kernel without padding). No padding may bring
those back: runtimes refuse pads as large as the kernel and fold a Pad node into the pooling.
"""

from __future__ import annotations

from collections.abc import Iterator

from upconv.converters.ir.dims import Size, ceil_div, minimum
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.geometry import effective_kernel, pool_size
from upconv.converters.ir.model import Shape
from upconv.converters.ir.operators import Pool
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class WindowPlan:
    """What a pooling node says, and what must follow it.

    `outside`: per spatial axis, the windows to append. `scaled`: an average's divisor counts pads
    that the source does not have, and a factor mends it. `dropped`: shape inference before opset
    22 does not know that ceil_mode drops windows; a Slice makes the sizes plain.
    """

    pads_end: tuple[int, ...]
    ceil_mode: bool
    outside: tuple[Size, ...]
    scaled: bool = False
    dropped: bool = False


@record(frozen=True, slots=True)
class _Axis:
    size: Size
    out: Size
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def inside(self) -> Size:
        """How many windows start inside of input and begin padding."""
        settled = self.end + self.stride <= effective_kernel(self.kernel, self.dilation)
        if settled and not isinstance(self.out, int):
            return self.out  # the last start is at most stride - 1 behind a full window's
        inside: Size = minimum(self.out, ceil_div(self.size + self.begin, self.stride))
        return inside

    @property
    def reach(self) -> Size:
        """How far the last window inside reaches beyond the input; negative: short of it."""
        extent = effective_kernel(self.kernel, self.dilation)
        return (self.inside - 1) * self.stride + extent - self.begin - self.size

    @property
    def drops(self) -> bool:
        """Whether ceil_mode has a window to drop."""
        window = (self.kernel, self.stride, self.dilation, self.begin, self.end)
        return bool(self.inside != pool_size(self.size, *window, rounding="ceil", clip=False))


def plan_windows(op: Pool, before: Shape, after: Shape) -> WindowPlan:
    """How to say a pooling from the spatial sizes `before` to `after`.

    Raises UnsupportedError where a pad is as large as the kernel.
    """
    axes = list(_axes(op, before, after))
    if any(max(axis.begin, axis.end) >= axis.kernel for axis in axes):
        raise UnsupportedError("runtimes refuse a pooling pad that is not less than the kernel")
    outside = tuple(_appended(op, axis) for axis in axes)
    counts = op.kind == "average" and op.count_padding
    reach = [axis.reach for axis in axes if isinstance(axis.reach, int)]
    fixed = len(reach) == len(axes)
    drops = fixed and any(axis.drops for axis in axes)
    if fixed and all(map(int.__lt__, reach, op.kernel)):
        ends = tuple(max(amount, 0) for amount in reach)
        further = counts and any(map(int.__gt__, reach, op.pads_end))
        if drops or not further:
            return WindowPlan(ends, False, outside, scaled=further or (counts and any(outside)))
    ceil = op.rounding == "ceil"
    scaled = counts and any(size != 0 for size in outside)
    return WindowPlan(op.pads_end, ceil, outside, scaled, dropped=ceil and drops)


def _axes(op: Pool, before: Shape, after: Shape) -> Iterator[_Axis]:
    settings = zip(op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end, strict=True)
    for (size, out), setting in zip(zip(before, after, strict=True), settings, strict=True):
        yield _Axis(size, out, *setting)


def _appended(op: Pool, axis: _Axis) -> Size:
    """Windows that the source keeps though they start outside; 0 for sources that clip them."""
    clips = op.clip == "always" or (op.clip == "if_padded" and any(op.pads_begin + op.pads_end))
    return 0 if clips or op.rounding == "floor" else axis.out - axis.inside
