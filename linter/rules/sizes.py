"""UP102, UP112, UP113, UP117: sizes that do not belong together, or hold for few inputs only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converters import operators as ops
from converters.dims import evaluate
from converters.geometry import effective_kernel
from converters.ir import Layer
from linter import words
from linter.finding import Severity
from linter.rule import Hit, rule

if TYPE_CHECKING:
    from linter.context import Context
    from linter.size_sweep import AxisRule

_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def _names(axes: int) -> tuple[str, ...]:
    return _AXES.get(axes, tuple(f"axis {index + 2}" for index in range(axes)))


@rule("UP102", "declared-size-differs", severity="error", source="alexgkendall/caffe-segnet")
def declared_size_differs(context: Context) -> Iterator[Hit]:
    """An unpooling's written size is not the size its pooling had.

    What it finds:
        Upsample layers (SegNet) and Unpooling layers (DeconvNet) whose size, as written or as it
        follows from the scale, differs from the input of the pooling that made their mask; and
        Unpooling without a mask whose unpool_size is not stride*(in-1) + kernel.

    Why it is bad:
        The mask holds row*width + column of the pooling's input. In a plane of another width every
        value lands in another row and column; in a smaller one it falls outside. An odd size is the
        usual cause: 45 is pooled to 23, and a scale of 2 makes 46 of it.

    Example:
        upsample_param { scale: 2 }      # data 1x64x23x30, its mask from a pooling of 45x60

    Use instead:
        upsample_param { scale: 2 upsample_h: 45 upsample_w: 60 }

    Fix safety:
        There is no fix: the pooling may be what is wrong.

    References:
        alexgkendall/caffe-segnet src/caffe/layers/upsample_layer.cpp; HyeonwooNoh/DeconvNet
    """
    for layer in context.of(ops.Unpool):
        yield from _unlike_its_pooling(context, layer)
    for layer in context.of(ops.WindowUnpool):
        yield from _unlike_its_windows(context, layer)


def _unlike_its_pooling(context: Context, layer: Layer) -> Iterator[Hit]:
    pooling = context.producers.get(layer.inputs[1])
    if pooling is None or not isinstance(pooling.operator, ops.Pool):
        return
    was, now = context.input_shape(pooling), context.output_shape(layer)
    if was is None or now is None or len(was) != len(now):
        return
    for name, before, after in zip(_names(len(was) - 2), was[2:], now[2:], strict=True):
        if isinstance(before, int) and isinstance(after, int) and before != after:
            yield Hit(
                f"{name} {after} is not the {before} of '{pooling.inputs[0]}', which "
                f"'{pooling.name}' pooled: its mask counts pixels of that plane",
                f"write the size of '{pooling.inputs[0]}': {'x'.join(map(str, was[2:]))}",
                layer,
                severity="warning" if name == "height" and after > before else None,
            )
            return


def _unlike_its_windows(context: Context, layer: Layer) -> Iterator[Hit]:
    op, x = layer.operator, context.input_shape(layer)
    assert isinstance(op, ops.WindowUnpool)
    for index, name in enumerate(_names(len(op.kernel))):
        before, after = (x[index + 2] if x is not None else None), op.size[index]
        if not isinstance(before, int) or not isinstance(after, int):
            continue
        windows = op.stride[index] * (before - 1) + op.kernel[index]
        if windows != after:
            yield Hit(
                f"{name} {after} is not what the windows cover: {op.stride[index]}*({before}-1)"
                f"+{op.kernel[index]} = {windows}",
                f"write {windows}, or change kernel_size and stride",
                layer,
                severity="warning",
            )
            return


@rule("UP112", "fragile-input-size", severity="warning", source="fizyr/keras-retinanet issue 4")
def fragile_input_size(context: Context) -> Iterator[Hit]:
    """The net works for some input sizes only.

    What it finds:
        Nets that upsample, and whose merges or crops fit only where the input's height or width
        follows a rule, H % 32 == 0 say. It is an info where the file gives a size that fits; nets
        with an inner product, which takes one size anyhow, are not judged.

    Why it is bad:
        With another image Caffe aborts. What runs on the training crops fails on the first photo.

    Example:
        five poolings by 2, five upsamplings by 2, and an Eltwise at each level

    Use instead:
        A Crop with the aligned offset in front of each merge, or images padded to a multiple of 32.

    Fix safety:
        There is no fix.

    References:
        fizyr/keras-retinanet issue 4; Long, Shelhamer, Darrell 2015 (pad 100 and Crop)
    """
    from linter.open_sizes import SPATIAL, with_free_sizes
    from linter.size_sweep import axis_rule, conditions

    if not context.upsamples or any(True for _ in context.of(ops.Linear)):
        return
    free = with_free_sizes(_declared(context))
    asked = conditions(free) if free is not None else ()
    found = [rule for axis in ("D", *SPATIAL[4]) if (rule := axis_rule(asked, axis)) is not None]
    if not found:
        return
    first = found[0]
    yield Hit(
        f"only inputs with {' and '.join(map(str, found))} fit: {_failure(first)}",
        "pad images to such a size, or crop the larger branch before each merge",
        first.condition.layer,
        severity=_severity(context, found),
    )


def _declared(context: Context) -> object:
    raise NotImplementedError


def _failure(broken: AxisRule) -> str:
    layer = broken.condition.layer
    off = evaluate(broken.condition.size, {broken.axis: broken.failing})
    what = f"its inputs differ by {abs(off)}" if broken.condition.kind == "equal" else ""
    what = what or f"its input is {abs(off)} too small"
    return f"with {broken.axis} = {broken.failing}, '{layer.name}' fails ({what})"


def _severity(context: Context, found: list[AxisRule]) -> Severity | None:
    return None
