"""UP404, 405, 408, 410: sizes of an ONNX file that are not what they seem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.model import Layer
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_ONNX = ("onnx",)


@rule(
    "UP404",
    "noisy-scale",
    severity="warning",
    source="onnx/onnx Resize (floor of size times scale)",
    frameworks=_ONNX,
    folds=True,
)
def noisy_scale(context: Context) -> Iterator[Hit]:
    """A Resize by a scale that is nearly the one that is meant, and gives another size.

    What it finds:
        Scales of Resize and Upsample that differ from a ratio of small numbers by less than
        0.00001 of it, where a size of the input gets another output size than the ratio would give
        it. A size that the file fixes is judged alone.

    Why it is bad:
        The size is rounded down: 9 pixels by 0.3333333 are 2, and 5 by 1.9999999 are 9. The merge
        behind it fails for some images, or a row is lost without a word. Such numbers come from a
        quotient that was computed in float32 when the model was exported.

    Example:
        Resize(x, "", [1, 1, 0.3333333, 0.3333333])

    Use instead:
        sizes that are computed from the input's shape, or the scale as float32 has it, 0.33333334

    Fix safety:
        There is no fix: the sizes that change may be what the rest of the net expects.

    References:
        onnx/onnx docs/Operators.md, Resize
    """
    yield from context.notices("UP404")


@rule(
    "UP405",
    "baked-size",
    severity="warning",
    source="pytorch/pytorch torch.onnx (traced shapes)",
    frameworks=_ONNX,
    folds=True,
)
def baked_size(context: Context) -> Iterator[Hit]:
    """A node writes one size into a net whose inputs may have any.

    What it finds:
        In ONNX files with open input sizes: Resize, MaxUnpool, Reshape and Expand nodes whose input
        follows the net's input and whose output has fixed numbers in these places. A Resize of an
        input of the net itself, which may be meant, is left out.

    Why it is bad:
        The file says that it takes any size, and works for the one that it was exported with: other
        images make the next merge fail, or come out stretched, without a word.

    Example:
        Resize(x, "", "", [1, 64, 56, 56]) in a net of the input 1x3xHxW

    Use instead:
        Sizes that are computed from a shape: export with x.shape[2:] kept as tensors
        (torch.onnx.export with dynamo), or with a scale_factor.

    Fix safety:
        There is no fix: which size is meant, the file does not say.

    References:
        pytorch/pytorch docs, torch.onnx, Avoid taking sizes out of tensors
    """
    if not any(not isinstance(n, int) for e in context.net.inputs for n in (e.shape or ())[1:]):
        return
    fed = {entry.name for entry in context.net.inputs}
    for layer in context.of(ops.Resize, ops.Unpool, ops.Reshape, ops.Expand):
        said = "" if layer.inputs[0] in fed else _baked(context, layer)
        if said:
            yield Hit(
                f"'{layer.name}' makes {said} of a size that follows the input's",
                "export it with sizes that are computed from the input's shape",
                layer,
                kind=layer.operator.__class__.__name__,
            )


def _baked(context: Context, layer: Layer) -> str:
    """The numbers that stand where a size followed the input's."""
    before, after = context.input_shape(layer), context.output_shape(layer)
    if before is None or after is None:
        return ""
    if isinstance(layer.operator, ops.Reshape):
        was, now = multiply(before), multiply(after)
        return "" if isinstance(was, int) or not isinstance(now, int) else _text(after)
    if len(before) != len(after):
        return ""
    fixed = [b for a, b in zip(before, after, strict=True) if not isinstance(a, int)
             and isinstance(b, int)]  # fmt: skip
    return _text(fixed)


def _text(sizes: Iterable[Size]) -> str:
    return "x".join(map(str, sizes))


@rule(
    "UP408",
    "unpool-size-undecided",
    severity="warning",
    source="onnx/onnx MaxUnpool; measured with onnxruntime",
    frameworks=_ONNX,
)
def unpool_size_undecided(context: Context) -> Iterator[Hit]:
    """A MaxUnpool makes another size than its places count through.

    What it finds:
        MaxUnpool without output_shape behind a pooling that rounded down, and with an output_shape
        that is not the size before the pooling.

    Why it is bad:
        The places are numbers of pixels of the plane that was pooled. In a plane of another size
        they fall elsewhere: index 5 of 5x5 is the pixel (1, 0), of 4x4 the pixel (1, 1).
        ONNX's own test counts through the one size and onnxruntime through the other.

    Example:
        MaxPool(kernel 2, strides 2) of 5x5, and MaxUnpool(kernel 2, strides 2), which makes 4x4

    Use instead:
        kernel_shape = size - (n - 1) * stride, here 3, which gives 5x5 without output_shape; or
        ScatterElements into zeros of the shape before the pooling

    Fix safety:
        There is no fix: which plane is meant, the file does not say.

    References:
        onnx/onnx docs/Operators.md, MaxUnpool; onnxruntime core/providers/cpu/nn/unpool.cc
    """
    yield from context.notices("UP408")


@rule(
    "UP410",
    "unkept-letters",
    severity="info",
    source="torch.onnx (dynamic_axes)",
    frameworks=_ONNX,
)
def unkept_letters(context: Context) -> Iterator[Hit]:
    """One name stands for two sizes that are not always equal.

    What it finds:
        Open sizes of outputs, and of values whose shape the file states, that have the name of an
        input's size, or of each other's, and that the nodes make differently for some input.

    Why it is bad:
        Who allocates the output by its name gets a buffer of the wrong size, and engines that infer
        shapes by names plan with it. dynamic_axes takes any word, and checks none.

    Example:
        torch.onnx.export(..., dynamic_axes={"x": {2: "H"}, "y": {2: "H"}}), where y is half as high

    Use instead:
        A name of its own for the output's size, or none.

    Fix safety:
        There is no fix: the name may be right, and the net one pixel off.

    References:
        onnx/onnx docs/IR.md, Static tensor shapes
    """
    yield from context.notices("UP410")
