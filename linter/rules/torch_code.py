"""UP320 to UP324, UP326 and UP327: what PyTorch code says of its upsampling layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.written import Call
from upconv.linter.facts import words
from upconv.linter.facts.calls import calls, resizing
from upconv.linter.finding import Fix
from upconv.linter.fixing.code_edits import add_argument, rename
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP320",
    "not-read",
    severity="info",
    source="Python language reference, 4.2",
    formats=("python",),
    folds=True,
)
def not_read(context: Context) -> Iterator[Hit]:
    """Upsampling calls whose arguments the file alone does not decide.

    What it finds:
        How many calls of Python source could not be read, and why: arguments that are parameters,
        attributes, or computed. It is one finding a file.

    Why it is bad:
        It is not: these calls are not checked, and "no findings" does not speak of them.

    Example:
        self.up = nn.ConvTranspose2d(channels, channels, kernel_size, stride)

    Use instead:
        Check the exported model (.pt2) too, in which every number stands.

    Fix safety:
        There is no fix.

    References:
        the Python language reference, Naming and binding
    """
    yield from context.notices("UP320")


_ALIGNABLE: Final = frozenset({"linear", "bilinear", "bicubic", "trilinear"})
"""The modes that align_corners has a meaning in."""


@rule(
    "UP321",
    "align-corners-default",
    severity="info",
    source="pytorch/pytorch PR 5927",
    folds=True,
    formats=("python", "pytorch"),
)
def align_corners_default(context: Context) -> Iterator[Hit]:
    """A linear interpolation does not say whether corners are aligned.

    What it finds:
        nn.Upsample and F.interpolate in mode linear, bilinear, bicubic or trilinear without
        align_corners.

    Why it is bad:
        The default was True up to PyTorch 0.3 and is False since 0.4. Whoever ports the model, or
        loads weights that were trained with the other one, has to guess; values differ everywhere
        but in the middle.

    Example:
        F.interpolate(x, scale_factor=2, mode="bilinear")

    Use instead:
        F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    Fix safety:
        Safe: False is what PyTorch 0.4 and later take.

    References:
        pytorch/pytorch torch/nn/functional.py (interpolate); kazuto1011/deeplab-pytorch issue 37
    """
    for layer, call in resizing(context):
        if call.probably("mode") not in _ALIGNABLE or not call.complete:
            continue
        if not call.writes("align_corners"):
            yield Hit(
                f"mode {call.value('mode')!r} without align_corners, which is then False",
                "write align_corners=False, or True where the weights were trained with it",
                layer,
                fix=Fix("safe", (add_argument(call, "align_corners=False"),)),
                kind="default",
            )


_SUCCESSORS: Final[dict[str, tuple[str, str]]] = {
    "upsample": ("interpolate", ""),
    "upsample_nearest": ("interpolate", ""),
    "upsample_bilinear": ("interpolate", 'mode="bilinear", align_corners=True'),
    "UpsamplingNearest2d": ("Upsample", ""),
    "UpsamplingBilinear2d": ("Upsample", 'mode="bilinear", align_corners=True'),
}
"""Deprecated name -> the one to use, and the arguments that make it the same."""


@rule(
    "UP322",
    "deprecated-call",
    severity="warning",
    source="torch/nn/functional.py",
    folds=True,
    formats=("python", "pytorch"),
)
def deprecated_call(context: Context) -> Iterator[Hit]:
    """An upsampling function or class that PyTorch has deprecated.

    What it finds:
        F.upsample, F.upsample_nearest, F.upsample_bilinear, nn.UpsamplingNearest2d and
        nn.UpsamplingBilinear2d.

    Why it is bad:
        They will go. And the bilinear ones align corners, unlike F.interpolate: whoever replaces
        them by name alone changes the result.

    Example:
        F.upsample_bilinear(x, scale_factor=2)

    Use instead:
        F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)

    Fix safety:
        Safe: it writes what the deprecated call does.

    References:
        pytorch/pytorch torch/nn/functional.py, torch/nn/modules/upsampling.py
    """
    for layer, call in calls(context, "pytorch"):
        if call.name in _SUCCESSORS:
            name, arguments = _SUCCESSORS[call.name]
            more = f" with {arguments}" if arguments else ""
            yield Hit(
                f"{call.name} is deprecated",
                f"use {name}{more}",
                layer,
                fix=_renamed(call, name, arguments),
            )


def _renamed(call: Call, name: str, arguments: str) -> Fix | None:
    renamed = rename(call, name)
    if renamed is None or not call.complete or call.problem:
        return None
    return Fix("safe", (renamed, add_argument(call, arguments)) if arguments else (renamed,))


@rule(
    "UP323",
    "fractional-scale-factor",
    severity="warning",
    source="torch/nn/functional.py",
    folds=True,
    formats=("python", "pytorch"),
)
def fractional_scale_factor(context: Context) -> Iterator[Hit]:
    """A scale factor that is no whole number stays in the coordinates.

    What it finds:
        nn.Upsample and F.interpolate with a fractional scale_factor, without align_corners and
        without recompute_scale_factor.

    Why it is bad:
        The output has floor(in * factor) pixels, but its pixels are placed by the factor itself,
        not by the ratio of the sizes. Other frameworks, and a port that passes the size, place them
        by the ratio: the result drifts by up to a pixel at the far end. A factor such as 0.5 or
        0.25 drifts only where it does not divide the size, and is an info.

    Example:
        F.interpolate(x, scale_factor=1.3, mode="bilinear", align_corners=False)

    Use instead:
        F.interpolate(x, scale_factor=1.3, mode="bilinear", align_corners=False,
                      recompute_scale_factor=True)

    Fix safety:
        Unsafe: the numbers change where in * factor is not whole.

    References:
        pytorch/pytorch torch/nn/functional.py (interpolate, recompute_scale_factor)
    """
    for layer, call in resizing(context):
        if not call.complete or call.probably("align_corners") is True:
            continue
        factor = call.probably("scale_factor")
        settled = call.writes("recompute_scale_factor")
        if settled or not _is_fractional(factor):
            continue
        recomputes = call.takes("recompute_scale_factor")
        edit = add_argument(call, "recompute_scale_factor=True")
        divisors = _divisors(factor)
        exception = f" (unless they are multiples of {_listed(divisors)})" if divisors else ""
        yield Hit(
            f"scale_factor {factor!r} places pixels by the factor, not by the ratio of the sizes"
            f"{exception}",
            "pass the size, or recompute_scale_factor=True" if recomputes else "pass the size",
            layer,
            call.span_of("scale_factor"),
            severity="info" if divisors else None,
            fix=Fix("unsafe", (edit,)) if recomputes else None,
        )


def _items(factor: Any) -> tuple[Any, ...]:
    return factor if isinstance(factor, tuple) else (factor,)


def _is_fractional(factor: Any) -> bool:
    return any(isinstance(one, float) and one != int(one) for one in _items(factor))


def _listed(numbers: tuple[int, ...]) -> str:
    return " and ".join(map(str, dict.fromkeys(numbers)))


def _divisors(factor: Any) -> tuple[int, ...]:
    """n of the factors 1/n, where every fractional one is such; else ().

    >>> _divisors(0.25), _divisors((1, 0.5)), _divisors(1.5)
    ((4,), (2,), ())
    """
    fractional = [one for one in _items(factor) if one != int(one)]
    whole = all(one > 0 and (1 / one).is_integer() for one in fractional)
    return tuple(int(1 / one) for one in fractional) if whole else ()


@rule(
    "UP324",
    "output-padding-beyond-stride",
    severity="warning",
    source="onnxruntime ConvTranspose",
    formats=("python", "pytorch"),
)
def output_padding_beyond_stride(context: Context) -> Iterator[Hit]:
    """output_padding that PyTorch takes and runtimes refuse.

    What it finds:
        Transposed convolutions with stride <= output_padding < dilation on an axis. Where it is not
        smaller than either, PyTorch refuses it too (UP109).

    Why it is bad:
        onnxruntime refuses to load such a node, and so do other runtimes; torch.onnx exports it all
        the same. `upconv convert` writes a Pad for it.

    Example:
        nn.ConvTranspose2d(8, 8, 3, stride=2, output_padding=2, dilation=3)

    Use instead:
        output_padding smaller than the stride, and a Pad behind where that is meant

    Fix safety:
        There is no fix: sizes behind the layer depend on it.

    References:
        onnxruntime core/providers/cpu/nn/conv_transpose_attributes.h
    """
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        for extra, stride, dilation in zip(op.output_padding, op.stride, op.dilation, strict=True):
            if stride <= extra < dilation:
                yield Hit(
                    f"output_padding {extra} is not smaller than stride {stride}: onnxruntime "
                    "refuses it",
                    f"use at most {stride - 1}, and pad the output where more is meant",
                    layer,
                    words.span_of(layer, "output_padding"),
                )
                break


@rule(
    "UP326",
    "antialias-by-factor",
    severity="info",
    source="pytorch/pytorch torch.onnx",
    formats=("python", "pytorch"),
)
def antialias_by_factor(context: Context) -> Iterator[Hit]:
    """An antialiased interpolation by a fractional factor exports to wrong values.

    What it finds:
        F.interpolate with antialias and a fractional scale_factor.

    Why it is bad:
        torch.onnx exports it without a word, and runtimes compute other values: the width of the
        filter and the places of the pixels both follow the factor in PyTorch, and the ratio of the
        sizes elsewhere.

    Example:
        F.interpolate(x, scale_factor=0.3, mode="bilinear", antialias=True)

    Use instead:
        F.interpolate(x, size=(h, w), mode="bilinear", antialias=True)

    Fix safety:
        There is no fix: the size depends on the input.

    References:
        pytorch/pytorch aten/src/ATen/native/cpu/UpSampleKernel.cpp; ONNX Resize (antialias)
    """
    for layer, call in resizing(context):
        if call.probably("antialias") and _is_fractional(call.probably("scale_factor")):
            yield Hit(
                "antialias with a fractional scale_factor is exported to other values",
                "pass the size",
                layer,
                call.span_of("antialias"),
            )


@rule(
    "UP327",
    "pixel-shuffle-start",
    severity="info",
    source="Aitken et al. 2017, ICNR",
    status="preview",
    formats=("python",),
    folds=True,
)
def pixel_shuffle_start(context: Context) -> Iterator[Hit]:
    """A pixel shuffle starts from a checkerboard.

    What it finds:
        nn.PixelShuffle and F.pixel_shuffle in code that does not speak of ICNR. It is off unless
        --select names it: UP327.

    Why it is bad:
        The convolution before it fills the pixels of a block by kernels that start at random and
        apart from each other, which is a checkerboard of the factor's period. It can be trained
        away, and often is not entirely.

    Example:
        nn.Sequential(nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2))

    Use instead:
        Start the convolution by ICNR: one kernel for all pixels of a block.

    Fix safety:
        There is no fix: the net must be trained again.

    References:
        Aitken, Ledig, Theis et al. 2017, Checkerboard artifact free sub-pixel convolution
    """
    text = context.source.text if context.source is not None else ""
    if "icnr" in text.lower():
        return
    for layer, call in calls(context, "pytorch"):
        if call.name in ("PixelShuffle", "pixel_shuffle"):
            yield Hit(
                "the pixels of a block start apart from each other, which is a checkerboard",
                "start the convolution before it by ICNR",
                layer,
            )
