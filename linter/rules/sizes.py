"""UP102, UP112, UP113, UP117: sizes that do not belong together, or hold for few inputs only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import effective_kernel
from upconv.converters.ir.model import Layer, Model
from upconv.linter.facts import words
from upconv.linter.finding import Severity
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.converters.audit.conditions import Condition
    from upconv.converters.audit.input_sizes import AxisSizes, InputSizes
    from upconv.linter.context import Context

_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def _names(axes: int) -> tuple[str, ...]:
    return _AXES.get(axes, tuple(f"axis {index + 2}" for index in range(axes)))


@rule("UP102", "declared-size-differs", severity="error", source="alexgkendall/caffe-segnet")
def declared_size_differs(context: Context) -> Iterator[Hit]:
    """A written size is not the one that is computed.

    What it finds:
        Upsample layers (SegNet) and Unpooling layers (DeconvNet) whose size, as written or as it
        follows from the scale, differs from the input of the pooling that made their mask; and
        Unpooling without a mask whose unpool_size is not stride*(in-1) + kernel. In files of
        Keras 3 and of ONNX, the first tensor whose shape, as the file says it, is not what its
        layers make.

    Why it is bad:
        Of such a file, some tools go by the layers and some by the shapes: they get two networks,
        or too small a buffer. onnxruntime only logs a warning.
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
    if context.net.framework == "keras":
        yield from _unlike_its_file(context)
    yield from context.notices("UP102")


def _unlike_its_file(context: Context) -> Iterator[Hit]:
    from upconv.linter.facts.saved_shapes import first_contradiction

    found = first_contradiction(context)
    if found is not None:
        yield Hit(
            f"the file says that '{found.value}' is {found.written}, its layers make "
            f"{found.computed} (channels last)",
            "build the model and save it again",
            found.layer,
            found.where,
        )


def _unlike_its_pooling(context: Context, layer: Layer) -> Iterator[Hit]:
    pooling = context.producers.get(layer.inputs[1])
    if pooling is None or not isinstance(pooling.operator, ops.Pool):
        return
    was, now = context.input_shape(pooling), context.output_shape(layer)
    if was is None or now is None or len(was) != len(now):
        return
    differing = [
        (name, before, after)
        for name, before, after in zip(_names(len(was) - 2), was[2:], now[2:], strict=True)
        if isinstance(before, int) and isinstance(after, int) and before != after
    ]
    if differing:
        name, before, after = differing[-1]
        taller = len(differing) == 1 and name == "height" and after > before
        yield Hit(
            f"{name} {after} is not the {before} of '{pooling.inputs[0]}', which "
            f"'{pooling.name}' pooled: its mask counts pixels of that plane",
            f"write the size of '{pooling.inputs[0]}': {'x'.join(map(str, was[2:]))}",
            layer,
            severity="warning" if taller else None,  # a row of zeros is added, nothing moves
        )


def _unlike_its_windows(context: Context, layer: Layer) -> Iterator[Hit]:
    op, x = layer.operator, context.input_shape(layer)
    assert isinstance(op, ops.WindowUnpool)
    if x is None or len(x) != len(op.kernel) + 2:
        return
    for index, name in enumerate(_names(len(op.kernel))):
        before, after = x[index + 2], op.size[index]
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
        follows a rule, H % 32 == 0 say, or where one follows the other, as in nets that run for
        squares only. It is an info where the file gives a size that fits; nets
        with an inner product, which takes one size anyhow, are not judged, nor merges behind a size
        that is written in.

    Why it is bad:
        With another image Caffe aborts, and so does every other framework. What runs on the
        training crops fails on the first photo.

    Example:
        five poolings by 2, five upsamplings by 2, and an Eltwise at each level

    Use instead:
        A Crop with the aligned offset in front of each merge, or images padded to a multiple of 32.

    Fix safety:
        There is no fix.

    References:
        fizyr/keras-retinanet issue 4; Long, Shelhamer, Darrell 2015 (pad 100 and Crop)
    """
    from upconv.converters.ir.open_sizes import with_free_sizes, with_unknown_sizes

    if not context.upsamples or any(True for _ in context.of(ops.Linear)):
        return
    free = with_free_sizes(with_unknown_sizes(context.net))
    if free is None:
        return
    from upconv.converters.audit.input_sizes import input_sizes

    fixed = _behind_fixed(context)
    found = input_sizes(free, lambda one: one.layer.name not in fixed)
    fragile = [axis for axis in found.axes if axis.axis in "DHW" and _repeats(axis)]
    squares = [one for one in found.coupled if _is_spatial(one)]
    asked = [axis.known.rule(axis.axis) for axis in fragile] + [str(one) for one in squares]
    severity = _severity(context, found)
    if found.coupled and not squares and severity != "info":
        yield from _tied_axes(found)
    if asked:
        layer, why = _failure(free, found, fragile[0]) if fragile else (squares[0].layer, "")
        yield Hit(
            f"only inputs with {' and '.join(asked)} fit{why}",
            "pad images to such a size, or crop the larger branch before each merge",
            layer,
            severity=severity,
        )


def _tied_axes(found: InputSizes) -> Iterator[Hit]:
    """Axes that go together in a way that no formula says."""
    from upconv.linter.facts.squares import COUNT, FIRST, tied

    letters = [axis.axis for axis in found.axes if axis.axis in "DHW"]
    one = tied(found.conditions, letters)
    if one is not None:
        example = " and ".join(f"{name} = {size}" for name, size in one.example.items())
        yield Hit(
            f"of inputs with {FIRST} to {FIRST + COUNT - 1} pixels a side only those with {one} "
            f"fit: with {example}, '{one.layer.name}' fails",
            "look for a size that is taken from the other axis",
            one.layer,
        )


def _repeats(axis: AxisSizes) -> bool:
    """Whether some sizes fit however large they are, and some do not; a net for one size, or for
    all that are large enough, is not fragile."""
    return axis.known.modulus > 1


def _is_spatial(condition: Condition) -> bool:
    """Whether a condition is that one side of an image is as long as another, or so often as
    long."""
    from upconv.converters.ir.dims import Dim, Symbol

    (relation, *others) = condition.any_of
    size = relation.difference
    if others or relation.kind != "==" or not isinstance(size, Dim) or len(size.terms) != 2:
        return False
    plain = all(isinstance(atom, Symbol) for atom, _ in size.terms)
    return plain and condition.symbols <= set("DHW")


def _behind_fixed(context: Context) -> set[str]:
    """The layers behind a size that is written in: where it meets another one size fits, as UP306
    says, and no rule of rests holds.

    A program of PyTorch's that is read at one size has numbers where its code computes how much to
    pad or to cut: nothing can be said of other sizes then.
    """
    traced = context.net.framework == "pytorch" and not _open(context)
    values: set[str] = set()
    found: set[str] = set()
    for layer in context.net.layers:
        if not values.isdisjoint(layer.inputs):
            found.add(layer.name)
            values.update(layer.outputs)
        elif _is_fixed(layer, traced):
            values.update(layer.outputs)
    return found


def _is_fixed(layer: Layer, traced: bool) -> bool:
    op = layer.operator
    if isinstance(op, ops.Resize | ops.Unpool | ops.WindowUnpool):
        return any(isinstance(size, int) for size in op.size or ())
    return traced and isinstance(op, ops.Pad | ops.Crop | ops.StridedSlice)


def _open(context: Context) -> bool:
    """Whether an input has a size that is not fixed."""
    return any(not isinstance(size, int) for one in context.net.inputs for size in one.shape or ())


def _failure(model: Model, found: InputSizes, axis: AxisSizes) -> tuple[Layer, str]:
    """A layer that fails, and where: `: with H = 225, 'fuse' fails (its inputs ...)`."""
    from upconv.converters.audit.explained import example_of

    example = example_of(model, found, axis)
    assert example is not None, "a set with a modulus leaves sizes out"
    text = f"with {axis.axis} = {example.size}, '{example.layer.name}' fails ({example.reason})"
    return example.layer, f": {text}"


def _severity(context: Context, found: InputSizes) -> Severity | None:
    """Info where every size the file gives is one that fits."""
    shapes = [entry.shape for entry in context.net.inputs if entry.shape and len(entry.shape) > 2]
    for shape in shapes:
        given = dict(zip(("W", "H", "D"), reversed(shape[2:]), strict=False))
        sizes = {name: size for name, size in given.items() if isinstance(size, int)}
        if len(sizes) < len(given):
            return None
        axes = [axis for axis in found.axes if sizes.get(axis.axis, 1) != 1]
        tied = [one for one in found.coupled if one.symbols <= set(sizes)]
        if not all(sizes[axis.axis] in axis.known for axis in axes):
            return None
        if not all(one.holds(sizes) for one in tied):
            return None
    return "info" if shapes else None


@rule("UP113", "window-outside-input", severity="error", source="BVLC/caffe pooling_layer.cpp")
def window_outside_input(context: Context) -> Iterator[Hit]:
    """A pooling's last window lies outside of its input.

    What it finds:
        Poolings without padding and with a stride larger than the kernel, whose number of windows,
        rounded up, puts the last one behind the input's end. Only sizes that are known are judged.
        A kernel larger than the padded input, which makes one cut window, is a warning; an input
        of one pixel, which is often set at run time, is not judged.

    Why it is bad:
        Caffe drops such a window only where there is padding. Without it, MAX writes -3.4e38 there
        and AVE divides 0 by 0: the last row or column is garbage, and the rest of the net with it.

    Example:
        pooling_param { pool: MAX kernel_size: 1 stride: 3 }      # on 8 pixels: starts 0, 3, 6, 9

    Use instead:
        pooling_param { pool: MAX kernel_size: 1 stride: 3 round_mode: FLOOR }

    Fix safety:
        There is no fix: sizes behind the layer change.

    References:
        BVLC/caffe src/caffe/layers/pooling_layer.cpp (Reshape: clipping only where padded)
    """
    for layer in context.of(ops.Pool):
        x, y = context.input_shape(layer), context.output_shape(layer)
        if x is None or y is None:
            continue
        for index, (before, after) in enumerate(zip(x[2:], y[2:], strict=True)):
            if isinstance(before, int) and isinstance(after, int):
                hit = _window(layer, index, before, after)
                if hit is not None:
                    yield hit
                    break


def _window(layer: Layer, index: int, before: int, after: int) -> Hit | None:
    op = layer.operator
    assert isinstance(op, ops.Pool)
    kernel, stride = op.kernel[index], op.stride[index]
    padded = before + op.pads_begin[index] + op.pads_end[index]
    where = words.span_of(layer, "kernel_size", "kernel_h", "kernel_w", "stride")
    last = (after - 1) * stride
    if after > 1 and last >= before + op.pads_begin[index]:
        garbage = "-FLT_MAX" if op.kind == "max" else "0/0"
        return Hit(
            f"the last of {after} windows starts at {last}, outside of the {before} pixels: "
            f"it holds {garbage}",
            "write round_mode: FLOOR, or a kernel as large as the stride",
            layer,
            where,
        )
    if after == 1 < before and effective_kernel(kernel, op.dilation[index]) > padded:
        return Hit(
            f"the kernel of {kernel} is larger than the padded input of {padded}: "
            "the one window is cut",
            "write global_pooling: true where everything is to be pooled",
            layer,
            where,
            severity="warning",
        )
    return None


@rule("UP117", "pixels-never-read", severity="info", source="BVLC/caffe conv_layer.cpp", folds=True)
def pixels_never_read(context: Context) -> Iterator[Hit]:
    """A layer rounds down and never reads its input's last rows or columns.

    What it finds:
        In nets that upsample: convolutions, and poolings with round_mode FLOOR, whose windows end
        before the input does (its pad not counted). Only sizes that are known are judged, and no
        layer whose stride is larger than its kernel, which skips pixels by design.

    Why it is bad:
        Those pixels do not count, and upsampling by the same stride does not bring the size back:
        75 -> 37 -> 74. Here is where the pixel that is missing at a merge was lost.

    Example:
        convolution_param { num_output: 64 kernel_size: 2 stride: 2 }      # on 75 pixels

    Use instead:
        A size that fits, or a pad, or a pooling that rounds up.

    Fix safety:
        There is no fix: sizes behind the layer change.

    References:
        BVLC/caffe src/caffe/layers/conv_layer.cpp, pooling_layer.cpp
    """
    if not context.upsamples:
        return
    for layer in context.of(ops.Conv, ops.Pool):
        x = context.input_shape(layer)
        spatial = x[2:] if x is not None else ()
        for index, size in enumerate(spatial):
            lost = _unread(layer, index, size) if isinstance(size, int) else 0
            if isinstance(size, int) and lost > 0:
                name = _names(len(spatial))[index]
                yield Hit(
                    f"the last {'pixel' if lost == 1 else f'{lost} pixels'} of {name} {size} "
                    f"{'is' if lost == 1 else 'are'} never read: {_arithmetic(layer, index, size)}",
                    "feed a size that fits, or pad, or round up",
                    layer,
                    kind="unread",
                )
                break


def _unread(layer: Layer, index: int, size: int) -> int:
    """How many pixels of the input lie behind the last window."""
    op = layer.operator
    assert isinstance(op, ops.Conv | ops.Pool)
    extent = effective_kernel(op.kernel[index], op.dilation[index])
    if extent < op.stride[index] or (isinstance(op, ops.Pool) and op.rounding == "ceil"):
        return 0
    span = size + op.pads_begin[index] + op.pads_end[index] - extent
    return span % op.stride[index] - op.pads_end[index] if span >= 0 else 0


def _arithmetic(layer: Layer, index: int, size: int) -> str:
    from upconv.converters.audit.formulas import Axis, formula
    from upconv.converters.ir.geometry import conv_size

    op = layer.operator
    assert isinstance(op, ops.Conv | ops.Pool)
    settings = (op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end)
    after = conv_size(size, *(values[index] for values in settings))
    return formula(layer, Axis(index, size, after))
