"""Convolutions, poolings, and what undoes them, with explicit pads whatever the file says."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any, Final, Literal

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, is_constant
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.same_padding import same_padding
from upconv.converters.readers.onnx.entries import Entry, Places
from upconv.converters.readers.onnx.lowering import Call, lowers

_AUTO: Final = ("SAME_UPPER", "SAME_LOWER", "VALID")
CLIPS_SINCE: Final = 22
"""The opset that says in words which windows at the end are left out."""


@record(frozen=True, slots=True)
class Window:
    """A node's attributes, one number per spatial axis."""

    kernel: ops.Ints
    stride: ops.Ints
    dilation: ops.Ints
    begin: ops.Ints
    end: ops.Ints
    auto_pad: str

    @property
    def settings(self) -> list[tuple[int, int, int]]:
        return list(zip(self.kernel, self.stride, self.dilation, strict=True))


def window_of(call: Call, kernel: Sequence[int]) -> Window:
    """Strides, dilations and pads; pads are 0 where auto_pad stands for them."""
    axes = len(kernel)
    if not 1 <= axes <= 3:
        raise call.unsupported(f"windows over {axes} axes")
    stride, dilation = call.per_axis("strides", axes, 1), call.per_axis("dilations", axes, 1)
    if min(*kernel, *stride, *dilation) < 1:
        raise call.invalid(f"kernel {tuple(kernel)}, strides {stride}, dilations {dilation}")
    auto_pad = call.word("auto_pad", "NOTSET", *_AUTO)
    pads = call.per_axis("pads", 2 * axes, 0) if auto_pad == "NOTSET" else (0,) * (2 * axes)
    return Window(tuple(kernel), stride, dilation, pads[:axes], pads[axes:], auto_pad)


def padded(call: Call, x: str, window: Window, fill: float) -> tuple[str, ops.Ints, ops.Ints]:
    """(input, pads_begin, pads_end) of a window that moves over its input. Where SAME's begin
    changes with an open size, a Pad stands in front."""
    if not window.auto_pad.startswith("SAME"):
        return x, window.begin, window.end
    sizes = (call.work.shapes.get(x) or (None,) * (len(window.kernel) + 2))[2:]
    same = same_padding(x, sizes, window.settings, fill)
    if window.auto_pad == "SAME_UPPER":
        if same.pad is not None:
            x = call.step(same.pad, [x], "same")
        return x, same.begin, same.end
    if not all(isinstance(size, int) for size in sizes):
        raise call.unsupported("auto_pad SAME_LOWER with an open size", "give sizes with --input")
    pairs = [geometry.same_pads(n, *one) for n, one in zip(sizes, window.settings, strict=True)]
    return x, tuple(end for _, end in pairs), tuple(begin for begin, _ in pairs)


def _kernel(call: Call, what: str) -> ops.Ints:
    """The spatial sizes of a stored weight, which kernel_shape must repeat."""
    shape = call.known(1, what).shape
    if len(shape) < 3 or 0 in shape:
        raise call.invalid(f"a weight of the shape {shape}")
    stated = call.ints("kernel_shape")
    if stated is not None and stated != shape[2:]:
        raise call.invalid(f"its kernel_shape is {stated}, its weight's {shape[2:]}")
    return shape[2:]


@lowers("Conv")
def _conv(call: Call) -> Entry:
    kernel = _kernel(call, "weight")
    window, shape = window_of(call, kernel), call.known(1, "weight").shape
    x, begin, end = padded(call, call.value(), window, 0.0)
    operator = ops.Conv(
        shape[0],
        kernel,
        window.stride,
        window.dilation,
        begin,
        end,
        groups=call.integer("group", 1),
    )
    return call.emit(operator, [x], _weights(call))


def _weights(call: Call) -> dict[str, Weight]:
    found = {"weight": call.weight(1, "weight")}
    return {**found, "bias": call.weight(2, "bias")} if call.has(2) else found


@lowers("ConvTranspose")
def _conv_transpose(call: Call) -> Entry:
    """auto_pad and output_shape become the pads that the specification's formula gives; what else
    is written of pads does not count then."""
    kernel = _kernel(call, "weight")
    axes, window = len(kernel), window_of(call, kernel)
    extra, groups = call.per_axis("output_padding", axes, 0), call.integer("group", 1)
    x = call.value()
    begin, end = _transposed_pads(call, x, window, extra)
    operator = ops.ConvTranspose(
        call.known(1, "weight").shape[1] * groups,
        kernel,
        window.stride,
        window.dilation,
        begin,
        end,
        extra,
        groups,
    )
    return call.emit(operator, [x], _weights(call))


def _transposed_pads(
    call: Call, x: str, window: Window, extra: ops.Ints
) -> tuple[ops.Ints, ops.Ints]:
    axes, wanted = len(window.kernel), call.ints("output_shape")
    if not wanted and not window.auto_pad.startswith("SAME"):
        return window.begin, window.end
    if wanted and len(wanted) != axes:
        raise call.invalid(f"its output_shape has {len(wanted)} numbers for {axes} spatial axes")
    sizes = call.shape(x)[2:]
    targets: tuple[Size, ...] = wanted or tuple(
        n * s for n, s in zip(sizes, window.stride, strict=True)
    )
    pairs: list[tuple[Any, Any]] = []
    for n, target, one, more in zip(sizes, targets, window.settings, extra, strict=True):
        full = geometry.full_size(n, *one) + more
        upper = window.auto_pad == "SAME_UPPER"
        pairs.append(geometry.onnx_transposed_pads(full, target, upper=upper))
    known = [pair for pair in pairs if is_constant(*pair)]
    if len(known) < len(pairs):
        raise call.unsupported(
            "an output_shape that is fixed while the input's size is open",
            hint="give the input's size with --input",
        )
    return tuple(begin for begin, _ in known), tuple(end for _, end in known)


# Pooling


def _pool(call: Call, x: str, kind: Literal["max", "average"], fill: float) -> tuple[str, ops.Pool]:
    kernel = call.ints("kernel_shape")
    if kernel is None:
        raise call.invalid(f"{call.node.op} without its kernel_shape")
    window = window_of(call, kernel)
    ceils = call.flag("ceil_mode")
    counts = kind == "average" and call.flag("count_include_pad")
    has_open = kind == "average" and window.auto_pad.startswith("SAME") and not counts
    before = x
    x, begin, end = padded(call, x, window, fill)
    if has_open and x != before:
        raise call.unsupported("an average with auto_pad and an open size", "give --input")
    operator = ops.Pool(
        kind,
        window.kernel,
        window.stride,
        window.dilation,
        begin,
        end,
        "ceil" if ceils else "floor",
        "always" if ceils else "never",
        counts,
    )
    _require_decided(call, x, operator)
    return x, operator


def _require_decided(call: Call, x: str, op: ops.Pool) -> None:
    """Raise where an older opset's formula gives a window that lies wholly in the padding: its
    words keep it and today's runtimes leave it out."""
    if op.rounding == "floor" or call.opset >= CLIPS_SINCE:
        return
    for n, *one in zip(
        (call.work.shapes.get(x) or ())[2:],
        *(op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end),
        strict=False,
    ):
        sizes = [geometry.pool_size(n, *one, rounding="ceil", clip=c) for c in (True, False)]
        if isinstance(n, int) and sizes[0] != sizes[1]:
            raise call.unsupported(
                f"ceil_mode gives {sizes[0]} or {sizes[1]} windows: opsets before {CLIPS_SINCE} "
                "do not say whether one that begins in the padding counts"
            )


@lowers("MaxPool")
def _max_pool(call: Call) -> tuple[Entry, ...]:
    """Its indices, which count through the whole tensor, are places in each plane here."""
    pooled = call.value()
    x, operator = _pool(call, pooled, "max", -inf)
    if len(call.outputs) < 2:
        return (call.emit(operator, [x]),)
    if call.flag("storage_order") or x != pooled:
        raise call.unsupported("indices that count by columns, or of an input with auto_pad")
    names = (call.outputs[0], f"{call.outputs[0]}/places")
    values, _ = call.emit_many(operator, [x], names)
    return values, Places(call.work.layers[-1].name, pooled)


@lowers("AveragePool")
def _average_pool(call: Call) -> Entry:
    x, operator = _pool(call, call.value(), "average", 0.0)
    return call.emit(operator, [x])


@lowers("LpPool")
def _lp_pool(call: Call) -> Entry:
    """The root of a sum of powers is that of a mean, times the window's size."""
    p = call.integer("p", 2) if call.opset > 1 else call.number("p", 2.0)
    sized = call.step(ops.Abs(), [call.value()], "abs")
    powers = call.step(ops.Power(float(p)), [sized], "power")
    x, operator = _pool(call, powers, "average", 0.0)
    if operator.rounding == "ceil":
        raise call.unsupported("a norm over windows that may be cut (ceil_mode)")
    fields = {**{f: getattr(operator, f) for f in _POOL_FIELDS}, "count_padding": True}
    mean = call.step(ops.Pool(**fields), [x], "mean")
    return call.emit(ops.Power(1 / p, float(prod(operator.kernel))), [mean])


_POOL_FIELDS: Final = (
    *("kind", "kernel", "stride", "dilation", "pads_begin", "pads_end", "rounding", "clip"),
    "count_padding",
)


@lowers("GlobalMaxPool", "GlobalAveragePool")
def _global_pool(call: Call) -> Entry:
    kind: Literal["max", "average"] = "max" if call.node.op == "GlobalMaxPool" else "average"
    return call.emit(ops.GlobalPool(kind), [call.value()])
