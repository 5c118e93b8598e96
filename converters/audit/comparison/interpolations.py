"""A linear interpolation by whole factors that takes zeros outside of the image: a transposed
convolution, written as a Resize, which takes the edge again, and what makes up for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from math import prod
from typing import Final

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, Symbol, evaluate, leaves
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.tensors import Weight, weight_of

SIZES: Final = range(1, 257)
"""Of an input, at which sizes that are written in different ways are held against each other."""


MOST_VALUES: Final = 1 << 22
"""Of the kernels of a layer, which are made."""


def unscaled(net: Net, layer: Layer) -> Change | None:
    """A Resize that says a scale which is that of its sizes, or to be smoothed where nothing
    becomes smaller."""
    op = layer.operator
    if not isinstance(op, ops.Resize):
        return None
    shapes = net.counted(layer)
    if shapes is None:
        return None
    x, y = shapes
    plain = op
    pairs = zip(x[2:], y[2:], op.scale or (), strict=False)
    if op.scale is not None and all(size * scale == out for size, out, scale in pairs):  # type: ignore[operator]
        plain = replace(op, scale=None, size=y[2:])
    grows = all(out >= size for size, out in zip(x[2:], y[2:], strict=True))  # type: ignore[operator]
    if op.antialias and plain.scale is None and grows:
        plain = replace(plain, antialias=False, exclude_outside=True)
    return Change(replace(layer, operator=plain)) if plain != op else None


def enlarged(net: Net, layer: Layer) -> Change | None:
    """A Resize times what the weights of each pixel sum up to where zeros are outside."""
    for index, value in enumerate(layer.inputs):
        resize = net.values.operator(value, ops.Resize)
        factors = _factors(resize, net) if resize is not None else None
        if resize is None or factors is None or not _is_product(layer):
            continue
        out = net.shape(layer.outputs[0])
        if out != net.shape(value) or not _times_border(layer, index, factors, net):
            continue
        pads = tuple(map(bilinear_pad, factors))
        return _transposed(net, layer, resize.inputs[0], factors, (pads, pads))
    return None


def framed(net: Net, layer: Layer) -> Change | None:
    """A part of a Resize of the image with zeros around it, one at its beginnings."""
    op, resize = layer.operator, net.before(layer)
    if not isinstance(op, ops.Crop) or resize is None:
        return None
    factors = _factors(resize, net)
    frame = net.values.operator(resize.inputs[0], ops.Pad)
    out = net.shape(layer.outputs[0])
    if factors is None or frame is None or out is None or op.axis != 2:
        return None
    x = net.shape(frame.inputs[0])
    if x is None or len(op.offsets) != len(factors) or not _is_frame(frame.operator):
        return None
    pads = _pads(x[2:], out[2:], factors, op.offsets)
    return _transposed(net, layer, frame.inputs[0], factors, pads) if pads is not None else None


def _is_frame(op: ops.Operator) -> bool:
    assert isinstance(op, ops.Pad)
    ends = op.end[2:]
    enough = all(isinstance(end, int) and end >= 1 for end in ends)
    return enough and op == ops.Pad((0, 0, *(1,) * len(ends)), (0, 0, *ends))


def _pads(
    sizes: Shape, out: Shape, factors: Sequence[int], offsets: Sequence[Size]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """What a part of the framed interpolation leaves of the whole transposed convolution, whose
    first pixel is the (factor + 1) // 2nd of that; less than nothing at an end adds pixels."""
    begins, ends = [], []
    for size, whole, factor, offset in zip(sizes, out, factors, offsets, strict=True):
        full = factor * (size - 1) + bilinear_kernel_size(factor)
        begin = offset - (factor + 1) // 2
        end = full - begin - whole
        if not isinstance(begin, int) or not isinstance(end, int) or begin < 0:
            return None
        begins.append(begin)
        ends.append(end)
    return tuple(begins), tuple(ends)


def _transposed(
    net: Net,
    layer: Layer,
    image: str,
    factors: Sequence[int],
    pads: tuple[tuple[int, ...], tuple[int, ...]],
) -> Change | None:
    """The layer as a transposed convolution of each channel by the kernel of interpolation."""
    import numpy as np

    from upconv.converters.ir.kernels import linear_kernel

    x = net.shape(image)
    if x is None or not isinstance(channels := x[1], int):
        return None
    kernel = linear_kernel(factors).astype(np.float32)
    begin, end = pads
    op = ops.ConvTranspose(
        channels,
        kernel.shape,
        tuple(factors),
        (1,) * len(factors),
        begin,
        tuple(max(each, 0) for each in end),
        tuple(max(-each, 0) for each in end),
        groups=channels,
    )
    weight = weight_of(np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy())
    made = replace(layer, operator=op, inputs=(image,), weights={"weight": weight})
    return Change(made, computed=True)


def _factors(resize: Layer, net: Net) -> tuple[int, ...] | None:
    """By which whole factors a layer interpolates linearly, pixels being areas, as ONNX's Resize
    and PyTorch's align_corners=False do; None for others."""
    op = resize.operator
    x, y = net.shape(resize.inputs[0]), net.shape(resize.outputs[0])
    if not isinstance(op, ops.Resize) or x is None or y is None or len(x) < 3:
        return None
    if (op.mode, op.coordinate_mode) != ("linear", "half_pixel") or op.exclude_outside:
        return None
    found = op.factor or tuple(map(_ratio, x[2:], y[2:]))
    whole = all(factor > 0 for factor in found) and (op.scale is None or op.scale == found)
    alike = all(size * factor == out for size, factor, out in zip(x[2:], found, y[2:], strict=True))
    values = prod((x[1] if isinstance(x[1], int) else 1, *(2 * factor for factor in found)))
    return tuple(found) if whole and alike and values <= MOST_VALUES else None


def _ratio(size: Size, out: Size) -> int:
    """Of two sizes that are known, where it is a whole number; 0 where not."""
    known = isinstance(size, int) and isinstance(out, int) and size > 0 and out % size == 0
    return out // size if known else 0  # type: ignore[return-value]


def _is_product(layer: Layer) -> bool:
    op = layer.operator
    if isinstance(op, ops.Scale):
        return op.operand == "none" and set(layer.weights) == {"scale"}
    return isinstance(op, ops.Eltwise) and op.kind == "product" and len(layer.inputs) == 2


def _times_border(layer: Layer, index: int, factors: Sequence[int], net: Net) -> bool:
    """Whether a product's other operand is the border of these factors."""
    out = net.shape(layer.outputs[0])
    assert out is not None
    if isinstance(layer.operator, ops.Scale):
        scale = layer.weights["scale"]
        behind = len(out) - layer.operator.axis % len(out) - len(scale.shape or ())
        return _is_border(scale, behind, factors)
    value = layer.inputs[1 - index]
    stored = net.values.operator(value, ops.Constant)
    if stored is not None:  # of one size, as the file may be at others
        return _is_border(stored.weights["value"], 0, factors)
    acting = [axis for axis, factor in enumerate(factors) if factor > 1]
    found: list[int] = []
    return _lines(value, out, factors, net.values, found) and sorted(found) == acting


def _is_border(stored: Weight, behind: int, factors: Sequence[int]) -> bool:
    """Whether a stored tensor, with `behind` axes of 1 after it, is the border at its own size."""
    import numpy as np

    from upconv.converters.ir.kernels import border_line

    shape = (*(stored.shape or ()), *(1,) * behind)
    if not stored.present or any(size != 1 for size in shape[: -len(factors)]):
        return False
    shape = (*(1,) * (len(factors) - len(shape)), *shape[-len(factors) :])
    axes = list(zip(factors, shape, strict=True))
    if any(size < factor or size % factor for factor, size in axes):
        return False
    whole = reduce(np.multiply.outer, (border_line(factor, size) for factor, size in axes))
    return bool(np.allclose(stored.array().reshape(shape), whole, rtol=1e-6, atol=0))


def _lines(
    value: str, out: Shape, factors: Sequence[int], values: Values, found: list[int]
) -> bool:
    """Whether a value is a product of the borders of axes, which are added to `found`: stored, or
    each a line of its sums, as many ones as the size asks for, and its sums the other way around.
    """
    product = values.operator(value, ops.Eltwise)
    if product is not None:
        return _is_product(product) and all(
            _lines(each, out, factors, values, found) for each in product.inputs
        )
    shape = values.shapes.get(value)
    if shape is None or len(shape) > len(factors):
        return False
    shape = (*(1,) * (len(factors) - len(shape)), *shape)
    acting = [axis for axis, size in enumerate(shape) if size != 1]
    alike = all(axis not in found and _agree(shape[axis], out[2 + axis]) for axis in acting)
    found += acting
    stored = values.operator(value, ops.Constant)
    if stored is not None:
        there = [factor if axis in acting else 1 for axis, factor in enumerate(factors)]
        return alike and _is_border(stored.weights["value"], 0, there)
    line = values.operator(values.behind(value, ops.Reshape), ops.Concat)
    if line is None or len(line.inputs) != 3 or len(acting) != 1:
        return False
    return alike and _are_sums(line, factors[acting[0]], values)


def _agree(one: Size, other: Size) -> bool:
    """Whether two sizes are the same, or are at each of many sizes of the input."""
    if one == other:
        return True
    names = {leaf.name for leaf in leaves(one - other) if isinstance(leaf, Symbol)}
    if len(names) != len(leaves(one - other)):
        return False
    return all(
        evaluate(one, dict.fromkeys(names, size)) == evaluate(other, dict.fromkeys(names, size))
        for size in SIZES
    )


def _are_sums(line: Layer, factor: int, values: Values) -> bool:
    from upconv.converters.ir.kernels import border_sums

    sums = border_sums(factor)
    ends = [values.operator(line.inputs[at], ops.Constant) for at in (0, 2)]
    ones = values.operator(line.inputs[1], ops.Expand)
    number = values.operator(ones.inputs[0], ops.Constant) if ones is not None else None
    stored = [one.weights["value"] for one in (*ends, number) if one is not None]
    if len(stored) != 3 or not all(weight.present for weight in stored):
        return False
    arrays = [weight.array() for weight in stored]
    wanted = sums, sums[::-1]
    alike = all(
        array.shape == want.shape and (array == want).all()
        for array, want in zip(arrays, wanted, strict=False)
    )
    return alike and arrays[2].size == 1 and bool((arrays[2] == 1).all())
