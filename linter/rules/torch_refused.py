"""UP325: calls that PyTorch refuses, when they are made or when they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.readers.python_source.call import REFUSED, Call
from upconv.converters.readers.python_source.torch_layers import MODES
from upconv.linter.facts.calls import antialiases, calls, is_absent, is_present, resizing
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule("UP325", "refused-arguments", severity="error", source="torch/nn/functional.py")
def refused_arguments(context: Context) -> Iterator[Hit]:
    """Arguments of an upsampling call that PyTorch refuses.

    What it finds:
        Arguments that do not exist, or are missing. Kernel sizes, strides, paddings and factors
        that are no whole numbers, out of range, or of another number of axes. Transposed
        convolutions whose groups do not divide their channels, or with another padding_mode than
        zeros. Interpolations with size and scale_factor both, or neither; with align_corners in
        mode nearest or area; with recompute_scale_factor and a size; with antialias in another mode
        than bilinear and bicubic; in a mode that does not exist.

    Why it is bad:
        It raises an error. Most of these modules are built without a word, and fail at the first
        image.

    Example:
        F.interpolate(x, scale_factor=2, mode="nearest", align_corners=False)

    Use instead:
        F.interpolate(x, scale_factor=2, mode="nearest")

    Fix safety:
        There is no fix: either argument may be the wrong one.

    References:
        pytorch/pytorch torch/nn/functional.py (interpolate), torch/nn/modules/conv.py
        (_ConvTransposeNd)
    """
    for layer, call in calls(context, "pytorch"):
        if isinstance(layer.operator, ops.Unknown) and layer.operator.reason.startswith(REFUSED):
            yield _refused(layer, call, layer.operator.reason)
    for layer, call in resizing(context):
        problem, *names = _interpolation_problem(call)
        if problem:
            yield Hit(
                problem, "see the documentation of F.interpolate", layer, call.span_of(*names)
            )


def _refused(layer: Layer, call: Call, reason: str) -> Hit:
    """What the reader found to be refused, at the first argument that it speaks of."""
    words = re.findall(r"\w+", reason)
    place = call.span_of(*(word for word in words if word in call.arguments))
    return Hit(reason, f"see the documentation of {call.path}", layer, place)


_UNALIGNABLE: Final = ("nearest", "nearest-exact", "area")
_ANTIALIASED: Final = frozenset({"bilinear", "bicubic"})


def _interpolation_problem(call: Call) -> tuple[str, ...]:
    """What F.interpolate refuses in a call, and the arguments to point at; "" where it is none."""
    mode = call.probably("mode")
    if isinstance(mode, str) and mode not in MODES and mode != "area":
        return f"there is no mode {mode!r}", "mode"
    if call.complete and is_absent(call, "size") and is_absent(call, "scale_factor"):
        return ("neither size nor scale_factor is given",)
    if is_present(call, "size") and is_present(call, "scale_factor"):
        return "size and scale_factor are both given", "scale_factor"
    if mode in _UNALIGNABLE and is_present(call, "align_corners"):
        return f"align_corners has no meaning in mode {mode!r}", "align_corners"
    if call.probably("recompute_scale_factor") and is_present(call, "size"):
        return "recompute_scale_factor has no meaning with a size", "recompute_scale_factor"
    if isinstance(mode, str) and mode not in _ANTIALIASED and antialiases(call):
        return f"there is no antialias in mode {mode!r}", "antialias"
    return ("",)
