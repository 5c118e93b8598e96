"""UP103: what meets at a merge does not fit, and which layer made the difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import Shape, text_of
from upconv.linter.facts.terms import terms_of
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule("UP103", "merge-mismatch", severity="error", source="BVLC/caffe eltwise_layer.cpp")
def merge_mismatch(context: Context) -> Iterator[Hit]:
    """The inputs of a merge have different sizes or channels.

    What it finds:
        Eltwise, Concat, Scale and Unpooling layers whose inputs do not fit each other. The finding
        names the layer that lost or gained the pixel, and gives the arithmetic of both branches
        from the place where they parted.

    Why it is bad:
        Caffe aborts when it builds the net. The usual cause is a pooling, which rounds up, on an
        odd size: 75 -> 38, and the upsampling by 2 makes 76 of it.

    Example:
        pool3: ceil((75-2)/2)+1 = 38; upscore: 2*(38-1)+4-2*1 = 76; merged with pool2's 75

    Use instead:
        Crop the larger input to the smaller one (a Crop layer with the aligned offset), or feed an
        input size that every pooling divides.

    Fix safety:
        There is no fix: a Crop needs the offset that aligns both branches.

    References:
        BVLC/caffe src/caffe/layers/{eltwise,concat}_layer.cpp; Long, Shelhamer, Darrell 2015
    """
    for layer, error in context.contradictions("merge"):
        yield _explained(context, layer, error) or Hit(error.message, _CROP, layer)


_UNPOOL = "make '{0}' {2}, as '{1}' has it (a mask's numbers count pixels, so it cannot be cropped)"
_CROP = "crop the larger input, or change a layer so that both fit"


def _explained(context: Context, layer: Layer, error: ShapeError) -> Hit | None:
    """The first input that does not fit the first one, and why."""
    from upconv.converters.audit.blame import differing_inputs, mismatch

    found = differing_inputs(context, layer)
    if found is None:
        return None
    names, shapes, axes = found
    if axes[0] == 1:
        return _channels(context, layer, names, shapes)
    differing = mismatch(context, layer)
    assert differing is not None
    if isinstance(layer.operator, ops.Unpool):
        return Hit(str(differing), _UNPOOL.format(*names, text_of(shapes[1][2:])), layer)
    return Hit(str(differing), _next_step(layer, names, differing.difference), layer)


def _channels(
    context: Context, layer: Layer, names: tuple[str, str], shapes: tuple[Shape, Shape]
) -> Hit:
    terms = terms_of(layer)
    made = [
        f"'{name}' has {shape[1]} ({_channel_maker(context, name, shape[1])})"
        for name, shape in zip(names, shapes, strict=True)
    ]
    return Hit(
        f"channels differ at the merge: {' and '.join(made)}",
        f"give both branches the same {terms.out_channels}, or merge them with {terms.join}",
        layer,
    )


def _channel_maker(context: Context, value: str, channels: Size) -> str:
    """The layer that decided a value's number of channels."""
    while value in context.producers:
        layer = context.producers[value]
        if isinstance(layer.operator, ops.Conv | ops.ConvTranspose):
            return f"from {terms_of(layer).out_channels} of '{layer.name}'"
        before = context.inference.shapes.get(layer.inputs[0]) if layer.inputs else None
        if before is None or len(before) < 2 or before[1] != channels:
            return f"from '{layer.name}'"
        value = layer.inputs[0]
    return f"from the input '{value}'"


def _next_step(layer: Layer, names: tuple[str, str], difference: Size) -> str:
    if not isinstance(difference, int):
        return _CROP
    larger, smaller = names if difference > 0 else names[::-1]
    return (
        f"crop '{larger}' by {abs(difference)} to '{smaller}' with {terms_of(layer).crop}, or feed "
        "a size that every stride divides"
    )
