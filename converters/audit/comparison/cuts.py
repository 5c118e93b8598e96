"""Cuts and margins of images: each way to write them as one."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, Symbol, is_constant, like, substitute
from upconv.converters.ir.model import Layer


def cutting(net: Net, layer: Layer) -> Change | None:
    """Every cut as a Crop; one behind the other on several axes as one."""
    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    y = net.shape(layer.outputs[0]) if layer.outputs else None
    if isinstance(op, ops.Gather) and op.indices and x is not None:
        begin, count = op.indices[0], len(op.indices)
        if list(op.indices) == list(range(begin, begin + count)):
            return Change(replace(layer, operator=ops.Crop(op.axis % len(x), (begin,), (count,))))
    if isinstance(op, ops.StridedSlice) and x and y and 1 in (op.step, y[op.axis]):
        return Change(replace(layer, operator=ops.Crop(op.axis % len(x), (op.start,), (op.size,))))
    first = net.before(layer)
    if isinstance(op, ops.StridedSlice) and first is not None:
        return _behind_a_cut(layer, op, first)
    if not isinstance(op, ops.Crop) or x is None:
        return None
    if first is None:
        return None
    earlier = first.operator
    if not isinstance(earlier, ops.Crop) or earlier.axis % len(x) + len(
        earlier.sizes
    ) != op.axis % len(x):
        return None
    offsets, sizes = (
        tuple(_before_the_cut(size, first, earlier.axis % len(x)) for size in given)
        for given in (op.offsets, op.sizes)
    )
    whole = ops.Crop(earlier.axis, earlier.offsets + offsets, earlier.sizes + sizes)
    inputs = tuple(dict.fromkeys((*first.inputs, *layer.inputs[1:])))
    return Change(replace(layer, operator=whole, inputs=inputs), first)


def _behind_a_cut(layer: Layer, op: ops.StridedSlice, first: Layer) -> Change | None:
    """Every so many entries of a part, as those of the whole."""
    cut = first.operator
    if not isinstance(cut, ops.Crop) or (cut.axis, len(cut.sizes)) != (op.axis, 1):
        return None
    if not is_constant(op.start, op.size, *cut.offsets):
        return None
    whole = replace(op, start=op.start + cut.offsets[0])
    return Change(replace(layer, operator=whole, inputs=first.inputs[:1]), first)


def transposed_margin(net: Net, layer: Layer) -> Change | None:
    """Zeros behind what a transposed convolution without a bias makes, and a cut of that, as its
    own size: its kernel does not reach so far."""
    op, first, y = layer.operator, net.before(layer), net.shape(layer.outputs[0])
    if first is None or not isinstance(first.operator, ops.ConvTranspose) or y is None:
        return None
    made, begin = first.operator, first.operator.pads_begin
    if "bias" in first.weights:
        return None
    if not is_constant(*y):
        return _more_behind(layer, first, made)
    if isinstance(op, ops.Crop) and made.target is not None and op.axis >= 2:
        offsets = [0] * len(begin)
        for axis, offset in enumerate(op.offsets, start=op.axis - 2):
            offsets[axis] = _number(offset) if is_constant(offset) else -1
        if min(offsets) < 0:
            return None
        begin = tuple(a + b for a, b in zip(begin, offsets, strict=True))
    elif not isinstance(op, ops.Pad) or op != ops.Pad((0,) * len(y), (0, 0, *op.end[2:])):
        return None
    whole = replace(made, pads_begin=begin, target=y[2:])
    return Change(replace(first, operator=whole, outputs=layer.outputs), first)


def _more_behind(layer: Layer, first: Layer, made: ops.ConvTranspose) -> Change | None:
    """Zeros behind what a transposed convolution makes, as its output padding."""
    op = layer.operator
    if not isinstance(op, ops.Pad) or made.target is not None or not is_constant(*op.end[2:]):
        return None
    if op != ops.Pad((0,) * len(op.end), (0, 0, *op.end[2:])) or min(map(_number, op.end)) < 0:
        return None
    more = zip(made.output_padding, op.end[2:], strict=True)
    whole = replace(made, output_padding=tuple(known + _number(end) for known, end in more))
    return Change(replace(first, operator=whole, outputs=layer.outputs), first)


def _before_the_cut(size: Size, first: Layer, start: int) -> Size:
    """A size in terms of what a Crop reads, where it is one of what the Crop writes."""
    cut = first.operator
    assert isinstance(cut, ops.Crop)

    def found(leaf: Symbol | Like) -> Size | None:
        if not isinstance(leaf, Like) or leaf.tensor != first.outputs[0]:
            return None
        inside = start <= leaf.axis < start + len(cut.sizes)
        return cut.sizes[leaf.axis - start] if inside else like(first.inputs[0], leaf.axis)

    return substitute(size, found)


def parted(net: Net, layer: Layer) -> Change | None:
    """A margin of less than nothing as a cut, and the margin behind it."""
    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    if not isinstance(op, ops.Pad) or x is None or not is_constant(*op.begin, *op.end):
        return None
    offsets, ends = ([max(-_number(n), 0) for n in given] for given in (op.begin, op.end))
    cut = [axis for axis in range(len(x)) if offsets[axis] or ends[axis]]
    if not cut:
        return None
    kept = range(cut[0], cut[-1] + 1)
    crop = ops.Crop(
        cut[0],
        tuple(offsets[axis] for axis in kept),
        tuple(x[axis] - offsets[axis] - ends[axis] for axis in kept),
    )
    begin, end = (tuple(max(_number(n), 0) for n in given) for given in (op.begin, op.end))
    value = f"{layer.name}/cut"
    return Change(
        replace(layer, operator=replace(op, begin=begin, end=end), inputs=(value,)),
        ahead=(replace(layer, name=value, operator=crop, outputs=(value,)),),
    )


def padding(net: Net, layer: Layer) -> Change | None:
    """Zeros around an image that a convolution would add itself, or lowest values that a maximum
    would pass over."""
    op, first = layer.operator, net.before(layer)
    if first is None or not isinstance(first.operator, ops.Pad) or len(first.inputs) != 1:
        return None
    pad = first.operator
    amounts = (*pad.begin, *pad.end)
    if pad.mode != "constant" or not is_constant(*amounts) or min(map(_number, amounts)) < 0:
        return None
    outside = {*pad.begin[:2], *pad.end[:2]} != {0}
    fits = isinstance(op, ops.Conv) and pad.value == 0
    fits = fits or (isinstance(op, ops.Pool) and op.kind == "max" and pad.value == float("-inf"))
    if outside or not fits:
        return None
    assert isinstance(op, ops.Conv | ops.Pool)
    begin = tuple(a + _number(b) for a, b in zip(op.pads_begin, pad.begin[2:], strict=True))
    end = tuple(a + _number(b) for a, b in zip(op.pads_end, pad.end[2:], strict=True))
    whole = replace(op, pads_begin=begin, pads_end=end)
    return Change(replace(layer, operator=whole, inputs=first.inputs), first)


def _number(size: object) -> int:
    assert isinstance(size, int)
    return size
