"""What conditions may ask of a node: its attributes with defaults filled in, and its sizes.

The words are ONNX's. A node is one of an ONNX file as it is written, or one that `convert` would
write; what is not known of it is left out, and then no condition on it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.records import record
from upconv.converters.ir.written import OnnxNode
from upconv.linter.engines.condition import Fact, Facts

KNOWN: Final[Mapping[str, type]] = {
    "opset": int,
    "part_of": str,
    "axes": int,
    "batch": int,
    "open_size": bool,
    "stores_open_size": bool,
    "auto_pad": str,
    "output_shape": str,
    "kernel": tuple,
    "extent": tuple,
    "stride": tuple,
    "dilation": tuple,
    "group": int,
    "pads_begin": tuple,
    "pads_end": tuple,
    "output_padding": tuple,
    "bias": bool,
    "uneven": bool,
    "padded": bool,
    "beyond": bool,
    "single_channel_groups": bool,
    "normalised": bool,
    "mode": str,
    "coordinates": str,
    "nearest_mode": str,
    "cubic_a": float,
    "antialias": bool,
    "exclude_outside": bool,
    "keep_aspect": bool,
    "names_axes": bool,
    "by_scales": bool,
    "computed_size": bool,
    "fractional": bool,
    "grows": bool,
    "shrinks": bool,
    "whole_ratio": bool,
    "to_one": bool,
    "from_one": bool,
    "padding_mode": str,
    "align_corners": bool,
    "channels": int,
    "names_size": bool,
    "says_rounding": bool,
    "says_coordinates": bool,
    "understood": bool,
}
"""Fact -> its type. `part_of` is the operator that the node says, or helps to say; `axes` counts
the spatial ones; `stores_open_size`: the file stores a shape with letters for what the node makes;
`extent` is the kernel with its dilation; `output_shape` is "none", "spatial" or "full" (N and C
among it); `uneven`: begin and end pads differ, counting those that auto_pad or output_shape stand
for; `beyond`: output_shape asks for so much more than the kernel reaches that the pads at the begin
are negative; `normalised`: a BatchNormalization alone reads it; `computed_size`: the network
computes the size; `fractional`: coordinates by a scale that is not the ratio of the sizes;
`antialias`: and an axis becomes shorter; `understood`: false where the specification leaves two
readings, or anything else keeps the node from having a record."""


@record(frozen=True, slots=True)
class Seen:
    """A node with the layer that it is, or belongs to, and the shapes that are known; `normalised`:
    a BatchNormalization reads what it makes, and nothing else does."""

    node: OnnxNode
    layer: Layer
    shapes: Mapping[str, Shape | None]
    normalised: bool = False

    def text(self, name: str, default: str = "") -> str:
        found = self.node.attribute(name)
        return found if isinstance(found, str) else default

    def number(self, name: str, default: float) -> Any:
        found = self.node.attribute(name)
        return found if isinstance(found, int | float) else default

    def ints(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        found = self.node.attribute(name)
        return tuple(found) if isinstance(found, tuple) and found else default

    def gives(self, index: int) -> bool:
        """Whether an input is there."""
        return len(self.node.inputs) > index and bool(self.node.inputs[index])

    @property
    def x(self) -> Shape | None:
        """The shape of the first input; of an upsampling node by the layer's own name too."""
        own = self.layer.inputs[:1] if self.node.operator in FACTS else ()
        return self._shape((*self.node.inputs[:1], *own))

    @property
    def y(self) -> Shape | None:
        return self._shape((*self.node.outputs[:1], *self.layer.outputs[:1]))

    def _shape(self, names: tuple[str, ...]) -> Shape | None:
        return next((s for n in names if (s := self.shapes.get(n)) is not None), None)


def facts_of(seen: Seen) -> Facts:
    """All that is known of a node."""
    return dict((*_sizes(seen), *FACTS.get(seen.node.operator, _nothing)(seen)))


Pairs: TypeAlias = Iterator[tuple[str, Fact]]


def _nothing(seen: Seen) -> Pairs:
    return iter(())


def _sizes(seen: Seen) -> Pairs:
    yield "opset", seen.node.opset
    yield "part_of", type(seen.layer.operator).__name__
    yield "stores_open_size", seen.node.stores_open_size
    yield "understood", not isinstance(seen.layer.operator, ops.Unknown)
    if seen.x is None:
        return
    yield "axes", len(seen.x) - 2
    yield "open_size", not all(isinstance(size, int) for size in seen.x[2:])
    if seen.x and isinstance(seen.x[0], int):
        yield "batch", seen.x[0]
    if len(seen.x) > 1 and isinstance(seen.x[1], int):
        yield "channels", seen.x[1]


def _conv_transpose(seen: Seen) -> Pairs:
    op = seen.layer.operator
    yield "auto_pad", seen.text("auto_pad", "NOTSET")
    group = seen.number("group", 1)
    yield "group", group
    yield "bias", seen.gives(2)
    yield "normalised", seen.normalised
    axes = _axes_of(seen)
    if axes is None:
        return
    asked = seen.ints("output_shape", ())
    yield "output_shape", "none" if not asked else "spatial" if len(asked) == axes else "full"
    one, none = (1,) * axes, (0,) * axes
    stride, dilation = seen.ints("strides", one), seen.ints("dilations", one)
    kernel = seen.ints("kernel_shape", op.kernel if isinstance(op, ops.ConvTranspose) else ())
    pads = seen.ints("pads", none * 2)
    yield from (("stride", stride), ("dilation", dilation))
    yield from (("pads_begin", pads[:axes]), ("pads_end", pads[axes:]))
    yield "output_padding", seen.ints("output_padding", none)
    if kernel:
        yield "kernel", kernel
        yield "extent", tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=False))
    left_open = bool(asked) or seen.text("auto_pad").startswith("SAME")
    yield from _uneven(op if left_open else None, pads, axes)


def _axes_of(seen: Seen) -> int | None:
    if isinstance(seen.layer.operator, ops.ConvTranspose):
        return len(seen.layer.operator.kernel)
    return len(seen.x) - 2 if seen.x is not None else None


def _uneven(op: Any, pads: tuple[int, ...], axes: int) -> Pairs:
    """From the layer's record, where the node leaves its pads open."""
    begin, end = pads[:axes], pads[axes:]
    if isinstance(op, ops.ConvTranspose) and op.target is None:
        begin, end = op.pads_begin, op.pads_end
    yield "uneven", begin != end
    yield "padded", any(begin + end)
    yield "beyond", op is not None and min(begin, default=0) < 0


def _resize(seen: Seen) -> Pairs:
    old = seen.node.operator == "Upsample" or seen.node.opset < 11
    yield (
        "mode",
        {"bilinear": "linear", "bicubic": "cubic"}.get(mode := seen.text("mode", "nearest"), mode),
    )
    yield (
        "coordinates",
        seen.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"),
    )
    yield "nearest_mode", seen.text("nearest_mode", "floor" if old else "round_prefer_floor")
    yield "cubic_a", round(float(seen.number("cubic_coeff_a", -0.75)), 6)
    yield "exclude_outside", bool(seen.number("exclude_outside", 0))
    yield "says_rounding", seen.node.attribute("nearest_mode") is not None
    yield "says_coordinates", bool(seen.text("coordinate_transformation_mode"))
    policy = seen.text("keep_aspect_ratio_policy", "stretch")
    yield "keep_aspect", policy != "stretch"
    yield "names_axes", seen.node.attribute("axes") is not None
    yield "by_scales", old or (seen.gives(2) and not seen.gives(3))
    op = seen.layer.operator
    if isinstance(op, ops.Resize):
        yield "fractional", op.scale is not None
        yield "computed_size", any(not isinstance(size, int) for size in op.size or ())
    yield from _ratios(seen)


def _ratios(seen: Seen) -> Pairs:
    """Of the sizes that are known, and of a whole factor where they are not."""
    op = seen.layer.operator
    if seen.x is not None:
        yield "from_one", 1 in seen.x[2:]
    pairs = [
        (n, m)
        for n, m in zip((seen.x or ())[2:], (seen.y or ())[2:], strict=False)
        if isinstance(n, int) and isinstance(m, int)
    ]
    if isinstance(op, ops.Resize) and op.factor is not None and not pairs:
        pairs = [(1, factor) for factor in op.factor]
    wants = bool(seen.number("antialias", 0))
    if not pairs:
        yield "antialias", wants
        return
    yield "antialias", wants and any(m < n for n, m in pairs)
    yield "grows", any(m > n for n, m in pairs)
    yield "shrinks", any(m < n for n, m in pairs)
    yield "whole_ratio", all(m % n == 0 for n, m in pairs if n)
    yield "to_one", any(m == 1 and n > 1 for n, m in pairs)


def _grid_sample(seen: Seen) -> Pairs:
    yield "mode", seen.text("mode", "linear" if seen.node.opset >= _RENAMED else "bilinear")
    yield "padding_mode", seen.text("padding_mode", "zeros")
    yield "align_corners", bool(seen.number("align_corners", 0))


_RENAMED: Final = 20
"""The opset since which GridSample's modes are linear and cubic (onnx docs/Changelog.md)."""


def _depth_to_space(seen: Seen) -> Pairs:
    yield "mode", seen.text("mode", "DCR")


def _max_unpool(seen: Seen) -> Pairs:
    yield "names_size", seen.gives(2)


FACTS: Final[Mapping[str, Callable[[Seen], Pairs]]] = {
    "ConvTranspose": _conv_transpose,
    "Resize": _resize,
    "Upsample": _resize,
    "GridSample": _grid_sample,
    "DepthToSpace": _depth_to_space,
    "MaxUnpool": _max_unpool,
}
"""ONNX operator -> what can be asked of it beside its sizes."""
