"""UP305, UP306, UP308 to UP310, UP312: what Caffe does, and a port must do too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.geometry import pool_size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.shapes import Shape
from upconv.linter.facts import words
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP305",
    "fixed-batch",
    severity="info",
    source="BVLC/caffe reshape_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def fixed_batch(context: Context) -> Iterator[Hit]:
    """A Reshape has the batch size written in.

    What it finds:
        Reshape layers that set axis 0 to a number (neither 0, which copies, nor -1).

    Why it is bad:
        The net takes one batch size. With another it aborts, or, where a -1 takes up the rest,
        mixes the images.

    Example:
        reshape_param { shape { dim: 1 dim: 21 dim: -1 } }

    Use instead:
        reshape_param { shape { dim: 0 dim: 21 dim: -1 } }

    Fix safety:
        There is no fix yet.

    References:
        BVLC/caffe src/caffe/layers/reshape_layer.cpp
    """
    for layer in context.of(ops.Reshape):
        op = layer.operator
        assert isinstance(op, ops.Reshape)
        shape = context.input_shape(layer)
        if op.axis == 0 and len(op.dims) > 1 and _keeps_batch(shape, op.dims[0]):
            yield Hit(
                f"the batch size {op.dims[0]} is written into the Reshape",
                "write dim: 0, which copies it",
                layer,
                _first_dim(layer),
                kind="batch",
            )


def _keeps_batch(shape: Shape | None, size: Size) -> bool:
    """Whether a number is the batch: a Reshape may also make another first axis."""
    number = isinstance(size, int) and size > 0
    return number and shape is not None and bool(shape) and shape[0] == size


def _first_dim(layer: Layer) -> Span | None:
    param = words.node_of(layer).message("reshape_param")
    shape = param.message("shape") if param is not None else None
    dims = shape.spans("dim") if shape is not None else []
    return dims[0] if dims else None


@rule(
    "UP306",
    "fixed-size",
    severity="info",
    source="BVLC/caffe issue 1442",
    frameworks=("caffe",),
    folds=True,
)
def fixed_size(context: Context) -> Iterator[Hit]:
    """A layer in an otherwise free net has a size written in.

    What it finds:
        In nets that upsample: resizing and unpooling layers with a written size (height and width,
        upsample_h, unpool_size) and inner products on more than one pixel.

    Why it is bad:
        With an input of another size the net aborts at the next merge, or resizes by another factor
        without a word.

    Example:
        layer { name: "up" type: "Interp" bottom: "x" top: "up"
          interp_param { height: 65 width: 65 } }

    Use instead:
        interp_param { zoom_factor: 8 }, or a second bottom that gives the size

    Fix safety:
        There is no fix: factor or size may be meant.

    References:
        BVLC/caffe issue 1442; DeepLab's interp_layer.cpp
    """
    if not context.upsamples:
        return
    for layer in context.of(ops.Resize, ops.Unpool, ops.WindowUnpool, ops.Linear):
        written = _written_size(context, layer)
        if written:
            yield Hit(
                f"the size {written}",
                "give a factor or a reference blob where the net should take other sizes",
                layer,
                kind=layer.operator.__class__.__name__,
            )


def _written_size(context: Context, layer: Layer) -> str:
    match layer.operator:
        case ops.Resize(size=tuple() as size) | ops.Unpool(size=size) | ops.WindowUnpool(size=size):
            fixed = [part for part in size if isinstance(part, int)]
            return (
                f"{'x'.join(map(str, fixed))} is written in: it does not follow the input's"
                if fixed
                else ""
            )
        case ops.Linear(axis=axis):
            shape = context.input_shape(layer)
            space = shape[2:] if shape is not None and axis == 1 else ()
            if space and any(part != 1 for part in space):
                pixels = "x".join(map(str, space))
                return f"{pixels} is set by the inner product's weights: the net takes no other"
    return ""


@rule(
    "UP308",
    "ceil-pooling",
    severity="info",
    source="BVLC/caffe pooling_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def ceil_pooling(context: Context) -> Iterator[Hit]:
    """A pooling rounds its size up, where most frameworks round down.

    What it finds:
        Poolings whose output is one larger than a framework that rounds down would make it, at the
        sizes the net has. Those where both agree do not count, nor nets that make one answer of the
        whole image and no feature map larger.

    Why it is bad:
        PyTorch, Keras and ONNX round down unless told otherwise. A port without ceil_mode loses a
        row, and every size behind it differs.

    Example:
        pooling_param { pool: MAX kernel_size: 2 stride: 2 }      # 75 -> 38, elsewhere 37

    Use instead:
        ceil_mode=True in PyTorch, ceil_mode 1 in ONNX; with padding check Caffe's clipping too

    Fix safety:
        There is no fix: the file is right for Caffe.

    References:
        BVLC/caffe src/caffe/layers/pooling_layer.cpp; BVLC/caffe issue 1318
    """
    for layer in () if context.classifies else context.of(ops.Pool):
        text = _rounds(context, layer)
        if text:
            help_text = "port it with ceil_mode"
            yield Hit(f"the pooling rounds up: {text}", help_text, layer, kind="ceil")


def _rounds(context: Context, layer: Layer) -> str:
    """Where rounding up makes a difference: the size it gives, and the other."""
    op, x, y = layer.operator, context.input_shape(layer), context.output_shape(layer)
    assert isinstance(op, ops.Pool)
    for index, before in enumerate(x[2:] if x is not None and y is not None else ()):
        after, lower = y[index + 2] if y is not None else None, _rounded_down(op, index, before)
        if isinstance(after, int) and lower and lower != after:
            return f"{before} pixels become {after}, where rounding down makes {lower}"
    return ""


def _rounded_down(op: ops.Pool, index: int, before: object) -> int | None:
    if op.rounding != "ceil" or not isinstance(before, int):
        return None
    size: int = pool_size(
        before,
        op.kernel[index],
        op.stride[index],
        op.dilation[index],
        op.pads_begin[index],
        op.pads_end[index],
        rounding="floor",
        clip=False,
    )
    return size


@rule(
    "UP309",
    "average-counts-padding",
    severity="info",
    source="BVLC/caffe pooling_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def average_counts_padding(context: Context) -> Iterator[Hit]:
    """A padded average pooling divides by the padding too.

    What it finds:
        AVE poolings with a pad. Nets that make one answer of the whole image are not judged.

    Why it is bad:
        Caffe divides by the window clipped to input plus pad, so that zeros of the padding count.
        TensorFlow and Keras divide by the pixels alone: the border comes out brighter there.

    Example:
        pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }

    Use instead:
        count_include_pad=True in PyTorch (its default), count_include_pad 1 in ONNX (not its
        default)

    Fix safety:
        There is no fix: the file is right for Caffe.

    References:
        BVLC/caffe src/caffe/layers/pooling_layer.cpp (Forward_cpu, AVE)
    """
    for layer in () if context.classifies else context.of(ops.Pool):
        if _counts_padding(layer.operator):
            yield Hit(
                "the average counts the padding: at the border it is divided by more than the "
                "pixels that are there",
                "port it with count_include_pad",
                layer,
                words.span_of(layer, "pad", "pad_h", "pad_w"),
            )


def _counts_padding(op: ops.Operator) -> bool:
    if not isinstance(op, ops.Pool) or op.kind != "average":
        return False
    return op.count_padding and any(op.pads_begin)


@rule(
    "UP310",
    "own-normalization",
    severity="info",
    source="BVLC/caffe mvn_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def own_normalization(context: Context) -> Iterator[Hit]:
    """A normalisation that no other framework has in this form.

    What it finds:
        LRN with norm_region WITHIN_CHANNEL, and MVN layers. Nets that make one answer of the whole
        image are not judged.

    Why it is bad:
        WITHIN_CHANNEL sums over pixels of one channel and leaves k unread; ONNX, PyTorch and
        TensorFlow sum across channels only. MVN divides by sqrt(variance) + eps, where others take
        sqrt(variance + eps): at small variances the results differ.

    Example:
        lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }

    Use instead:
        An average pooling of squares for WITHIN_CHANNEL; MVN written out, as `upconv convert` does

    Fix safety:
        There is no fix: the file is right for Caffe.

    References:
        BVLC/caffe src/caffe/layers/lrn_layer.cpp, mvn_layer.cpp
    """
    for layer in () if context.classifies else context.of(ops.Lrn, ops.MeanVarianceNorm):
        op = layer.operator
        if isinstance(op, ops.Lrn) and op.region == "within":
            yield Hit(
                "LRN within channels: other frameworks have it across channels only",
                "write it out when porting",
                layer,
            )
        if isinstance(op, ops.MeanVarianceNorm) and op.normalize_variance:
            yield Hit(
                "MVN divides by sqrt(variance) + eps, other frameworks by sqrt(variance + eps)",
                "keep the order when porting",
                layer,
            )


@rule(
    "UP312",
    "read-before-overwritten",
    severity="warning",
    source="BVLC/caffe insert_splits.cpp",
    frameworks=("caffe",),
)
def read_before_overwritten(context: Context) -> Iterator[Hit]:
    """A blob is read by one layer before another overwrites it in place.

    What it finds:
        Layers that read a blob which a later layer overwrites in place (a ReLU with top = bottom),
        so that the name stands for two things.

    Why it is bad:
        Caffe goes by the order in the file: this layer gets the values from before the activation.
        Tools that go by name connect it behind the activation, and so do most readers.

    Example:
        conv1 -> "c"; pool reads "c"; then a ReLU from "c" to "c"

    Use instead:
        Give the activation a top of its own, or put it in front of the other reader.

    Fix safety:
        There is no fix: either value may be meant.

    References:
        BVLC/caffe src/caffe/util/insert_splits.cpp
    """
    shared = [readers for readers in context.consumers.values() if len(readers) > 1]
    several = {layer.name: layer for readers in shared for layer in readers}
    written = {name: set(map(_blob, layer.outputs)) for name, layer in several.items()}
    overwriters = {
        value: [layer for layer in readers if _blob(value) in written[layer.name]]
        for value, readers in context.consumers.items()
        if len(readers) > 1  # one alone reads what it overwrites
    }
    for layer in several.values():
        for value in layer.inputs:
            blob = _blob(value)
            over = next(iter(overwriters.get(value, ())), None)
            if over is not None and blob not in written[layer.name]:
                yield Hit(
                    f"'{blob}' is read here as it is before '{over.name}' overwrites it in place",
                    f"give '{over.name}' a top of its own, or move it",
                    layer,
                )
                break


def _blob(value: str) -> str:
    """The blob whose value at some time this is."""
    return value.split("@", maxsplit=1)[0]
