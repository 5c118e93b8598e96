"""UP105, UP106, UP115, UP116: whether pixels that meet lie at the same place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from upconv.converters.audit.misaligned import crop_misalignments, extent, merge_misalignments
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import AxisMap
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.open_sizes import SPATIAL
from upconv.converters.ir.places import PixelMap
from upconv.converters.ir.shapes import provably_differ, text_of
from upconv.linter.facts import words
from upconv.linter.facts.upstream import behind
from upconv.linter.finding import Severity
from upconv.linter.fixing.crop_remedies import crop_offset
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule("UP105", "crop-off-alignment", severity="error", source="BVLC/caffe coord_map.py")
def crop_off_alignment(context: Context) -> Iterator[Hit]:
    """A Crop's offset does not align its input with its reference.

    What it finds:
        Crops whose offset is not the one that follows from the kernels, strides and pads on both
        branches since they parted. The finding gives the right one. Half a pixel that no whole
        offset can mend is an info; inputs of different scale, which no offset aligns, are said.
        Where learned upsampling lies on the way, which may have made up for it, it is a warning.
        A Crop without crop_param, which some forks align by themselves, is UP307's.

    Why it is bad:
        Scores are added to, or compared with, pixels that lie elsewhere: FCN's offset of 31
        forgotten moves the whole segmentation by 31 pixels. Nothing fails; it is only worse.

    Example:
        layer { name: "score" type: "Crop" bottom: "upscore8" bottom: "data" top: "score"
          crop_param { axis: 2 offset: 0 } }

    Use instead:
        layer { name: "score" type: "Crop" bottom: "upscore8" bottom: "data" top: "score"
          crop_param { axis: 2 offset: 31 } }

    Fix safety:
        Unsafe: the numbers change.

    References:
        BVLC/caffe python/caffe/coord_map.py (crop_params); shelhamer/fcn.berkeleyvision.org
    """
    open_to_forks = {n.error.layer for n in context.net.notices if n.kind == "fork-dialect"}
    for off in crop_misalignments(context.coordinates, context.open_inference.shapes):
        if off.layer.name in open_to_forks:
            continue  # a fork's Crop may align by itself: UP307 asks
        severity: Severity | None = "info" if off.small else None
        if off.kind == "scale":
            yield Hit(off.message, off.help, off.layer, severity=severity)
            continue
        span, fix = words.span_of(off.layer, "offset"), crop_offset(context, off.layer)
        hit = Hit(off.message, off.help, off.layer, span, severity=severity, fix=fix)
        yield _milder_where_learned(context, off.layer, hit)


def _milder_where_learned(context: Context, layer: Layer, hit: Hit) -> Hit:
    """A trained upsampling can have learned a shift within its kernel."""
    if hit.severity == "info" or not _passes_learned(context, layer):
        return hit
    message = f"{hit.message} (learned upsampling on the way may have made up for it)"
    return replace(hit, message=message, severity="warning")


def _passes_learned(context: Context, layer: Layer) -> bool:
    """Whether a learned transposed convolution lies on the way to any input."""
    return any(
        isinstance(made.operator, ops.ConvTranspose) and context.intent(made).kind == "learned"
        for made in behind(context, layer)
    )


def _passes_free(context: Context, layer: Layer) -> bool:
    """Whether training could place what meets here: learned upsampling, or a Resize between
    pooled context and features, lies on the way."""
    resized = any(isinstance(made.operator, ops.Resize) for made in behind(context, layer))
    return resized or _passes_learned(context, layer)


_WIDE: Final = 5
"""Pixels along each axis from which on a pooling window gathers context, and is no step down."""


def _joins_pooled_context(context: Context, layer: Layer) -> bool:
    """Whether one of the inputs is a pyramid's: widely pooled, and resized back."""
    makers = [context.producers.get(value) for value in layer.inputs]
    return any(
        isinstance(made.operator, ops.Resize) and _is_pooled(context, made)
        for made in makers
        if made is not None
    )


def _is_pooled(context: Context, layer: Layer) -> bool:
    return any(
        isinstance(made.operator, ops.GlobalPool)
        or (isinstance(made.operator, ops.Pool) and min(made.operator.kernel) >= _WIDE)
        for made in behind(context, layer)
    )


@rule("UP106", "misaligned-merge", severity="warning", source="BVLC/caffe coord_map.py", folds=True)
def misaligned_merge(context: Context) -> Iterator[Hit]:
    """Branches that lie at different places are added or concatenated.

    What it finds:
        In nets that upsample: Eltwise and Concat layers whose inputs have one size, but whose
        pixels lie at different places of the layer where the branches parted, or are of different
        scale. Context that was pooled over wide windows and is resized back (pyramid pooling) has
        another scale by design, and is no finding. Less than a pixel is an info, and so is what
        learned upsampling or a resize on the way may have been trained with, or what only odd sizes
        of the input show. A Crop that is off is reported by itself (UP105), not again at the merges
        behind it.

    Why it is bad:
        Fine detail is added next to where it belongs. The usual causes are a pad that keeps the
        size but not the place, and a crop that is centred where it should be aligned.

    Example:
        a pooling 2/2 and upsampling 4/2/0, cut to size at 0, added to what the pooling read

    Use instead:
        Kernels and pads that put both at one place (4/2/1 upsampling behind 2/2 pooling), or a Crop
        with the aligned offset.

    Fix safety:
        There is no fix: either branch may be the one to change.

    References:
        BVLC/caffe python/caffe/coord_map.py; Long, Shelhamer, Darrell 2015
    """
    if not context.upsamples:
        return
    shapes = context.open_inference.shapes
    told: set[str] = set()
    for index, (side, coordinates) in enumerate(context.placements):
        for off in merge_misalignments(context.net, coordinates, shapes):
            pooled = off.kind == "scale" and _joins_pooled_context(context, off.layer)
            if off.layer.name in told or pooled:
                continue
            told.add(off.layer.name)
            message = f"{off.message}{_at(side)}"
            if off.small or _passes_free(context, off.layer):
                # what no whole offset mends, or training may have made up for: once a file
                kind = "less than a pixel" if off.small else off.kind
                yield Hit(message, off.help, off.layer, severity="info", kind=kind)
            elif index > 0:
                yield Hit(message, off.help, off.layer, severity="info", kind="odd sizes")
            else:
                yield Hit(message, off.help, off.layer)


def _at(side: int | None) -> str:
    """The input's size that a message holds for."""
    return "" if side is None else f" (with an input of {side} pixels along each open axis)"


@rule("UP115", "crop-cuts-channels", severity="warning", source="BVLC/caffe crop_layer.cpp")
def crop_cuts_channels(context: Context) -> Iterator[Hit]:
    """A Crop that starts at the channels throws some of them away.

    What it finds:
        Crops with axis 0 or 1 whose reference has fewer channels (or a smaller batch) than the
        input.

    Why it is bad:
        With data as the reference, 21 class scores become 3. Caffe does it without a word.

    Example:
        layer { name: "score" type: "Crop" bottom: "upscore" bottom: "data" top: "score"
          crop_param { axis: 1 offset: 0 } }      # upscore has 21 channels, data 3

    Use instead:
        crop_param { axis: 2 offset: 19 }

    Fix safety:
        There is no fix: the cut may be meant.

    References:
        BVLC/caffe src/caffe/layers/crop_layer.cpp; asiryan/caffe2onnx issue 3
    """
    for layer in context.of(ops.Crop):
        before, after = context.input_shape(layer), context.output_shape(layer)
        has_reference = len(layer.inputs) > 1  # without one it is a slice of the source's own
        if before is None or after is None or len(before) < 3 or not has_reference:
            continue
        for axis, name in ((0, "batch"), (1, "channels")):
            if provably_differ(before[axis], after[axis]):
                yield Hit(
                    f"the crop cuts the {name} from {before[axis]} to {after[axis]}, "
                    f"as '{layer.inputs[1]}' has them",
                    "set axis: 2, so that only height and width are cropped",
                    layer,
                    words.span_of(layer, "axis"),
                )


@rule(
    "UP116",
    "output-not-on-input",
    severity="info",
    source="Ronneberger et al. 2015, U-Net",
    folds=True,
)
def output_not_on_input(context: Context) -> Iterator[Hit]:
    """A dense prediction does not cover its input pixel by pixel.

    What it finds:
        In nets that upsample: outputs of the input's scale, or larger, whose size is not the
        input's times that scale, or which do not lie on the input edge to edge; and a single output
        that is of a smaller scale than the input.

    Why it is bad:
        It is not wrong (a U-Net of unpadded convolutions predicts the middle of its input), but
        whoever lays the output over the image must know the shift and the scale. Where they come
        from a pad that was forgotten or a stride too many, they are a defect.

    Example:
        input 1x3x572x572, output 1x2x388x388: pixel 0 of the output lies at pixel 92 of the input

    Use instead:
        pad: 1 in 3x3 convolutions, or a Crop to the data with the aligned offset.

    Fix safety:
        There is no fix: the size may be meant.

    References:
        Ronneberger, Fischer, Brox 2015 (U-Net)
    """
    if not context.upsamples:
        return
    inputs = {entry.name for entry in context.net.inputs}
    for value in context.net.outputs:
        for side, coordinates in context.placements if value in context.producers else ():
            place = coordinates.places.get(value)
            if place is None or place.root not in inputs:
                continue
            text = _middle(context, value, place) or _off_input(context, value, place)
            if text:
                help_text = "mind it when laying the output over the input, or change pads and "
                help_text += "strides"
                yield Hit(f"{text}{_at(side)}", help_text, context.producers[value])
                break


def _middle(context: Context, value: str, place: PixelMap) -> str:
    """What is said of an output of the input's scale which has as much of the input before as
    behind it, or goes beyond it alike; "" of others."""
    shapes = context.open_inference.shapes
    ours, theirs = shapes.get(value), shapes.get(place.root)
    if ours is None or theirs is None or len(ours) != len(theirs) or ours[2:] == theirs[2:]:
        return ""
    pairs = zip(ours[2:], theirs[2:], place.maps, strict=True)
    centred = all(
        isinstance(out, int)
        and isinstance(whole, int)
        and out > 0
        and one == AxisMap(shift=Fraction(whole - out, 2))
        for out, whole, one in pairs
    )
    shifts = [one.shift for one in place.maps]
    if not centred or min(shifts) < 0 < max(shifts):
        return ""
    what = "is the middle of" if max(shifts) > 0 else "goes beyond the borders of"
    return (
        f"the output '{value}' {what} the input: {text_of(ours[2:])} of {text_of(theirs[2:])}, its "
        f"pixel 0 lies at {_list_of(shifts)} of '{place.root}'"
    )


def _off_input(context: Context, value: str, place: PixelMap) -> str:
    shapes = context.open_inference.shapes
    ours, theirs = shapes.get(value), shapes.get(place.root)
    if (
        ours is None
        or theirs is None
        or len(ours) not in SPATIAL
        or {1}
        in (
            set(ours[2:]),
            set(theirs[2:]),
        )
    ):
        return ""  # a score of the whole image, or an image made of a vector
    size = f"the output '{value}' is {text_of(ours[2:])}, the input {text_of(theirs[2:])}"
    scale = max(one.scale for one in place.maps)
    if scale > 1:
        single = len(context.net.outputs) == 1
        return f"{size}: a pixel of it is {extent(scale)} of '{place.root}'" if single else ""
    shifts = [one.shift for one in place.maps]
    edges = [(one.scale - 1) / 2 for one in place.maps]
    pairs = zip(ours[2:], theirs[2:], place.maps, strict=True)
    if any(_other_size(out, whole, one.scale) for out, whole, one in pairs):
        whole = "" if scale.numerator == 1 else f"a pixel of it is {extent(scale)}, and "
        return f"{size}: {whole}its pixel 0 lies at {_list_of(shifts)} of '{place.root}'"
    if shifts == edges:
        return ""
    lies = f"its pixel 0 lies at {_list_of(shifts)} of '{place.root}'"
    return f"{size}, but {lies}" + ("" if scale == 1 else f", and not at {_list_of(edges)}")


def _other_size(out: Size, whole: Size, scale: Fraction) -> bool:
    """Whether an output is provably not its input's size over the scale."""
    return provably_differ(out * scale.numerator, whole * scale.denominator)


def _list_of(shifts: list[Fraction]) -> str:
    texts = list(dict.fromkeys(map(str, shifts)))
    return f"pixel {texts[0]}" if len(texts) == 1 else f"({', '.join(map(str, shifts))})"
