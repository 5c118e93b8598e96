"""UP008 to UP011: code in the file, and blobs that are overwritten, unread or read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.written import NOTHING, Block
from upconv.linter.facts import words
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP008",
    "executable-code",
    severity="warning",
    source="BVLC/caffe python_layer.hpp",
    folds=True,
)
def executable_code(context: Context) -> Iterator[Hit]:
    """Loading the model runs code.

    What it finds:
        Pickles that call anything but what holds tensors and plain values, and Lambda layers with
        their marshalled code. Of Caffe: Python layers, of any phase: Caffe imports python_param's
        module and runs its class. One that only brings data, or is a loss, is an info: what the net
        computes is checked and converted all the same.

    Why it is bad:
        Loading the net runs code that is not in the file, from whatever directory comes first in
        PYTHONPATH. Nobody else can run the net: no converter knows what the layer computes.

    Example:
        layer { name: "data" type: "Python" top: "data" top: "label"
          python_param { module: "voc_layers" layer: "VOCSegDataLayer" } }

    Use instead:
        An Input layer in the deploy net; layers that Caffe has for what is computed in between.

    Fix safety:
        There is no fix.

    References:
        BVLC/caffe include/caffe/layers/python_layer.hpp
    """
    yield from context.notices("UP008")
    mentioned = context.source is not None and "python" in context.source.text.lower()
    for block in context.blocks if mentioned else ():
        if _text(block, "type").upper() == "PYTHON":
            given = next(reversed(block.blocks("python_param")), NOTHING)
            module, name = _text(given, "module"), _text(given, "layer")
            what = f"class '{name}' of the Python module '{module}'" if module else "a Python class"
            apart = not block.has("bottom") or _is_loss(block)
            behind = "" if apart else ", and nothing behind it is checked"
            yield Hit(
                f"building this net makes Caffe run {what}{behind}",
                "read that module before you run the net; `upconv` never runs it",
                where=block.span,
                severity="info" if apart else None,
                kind="python",
                layer_name=_text(block, "name"),
            )


def _is_loss(block: Block) -> bool:
    """Whether Caffe's training starts from what the layer computes."""
    return any(text.strip("0.") for text in block.texts("loss_weight"))


def _text(block: Block, name: str) -> str:
    return "".join(block.texts(name)[-1:])


_OVERWRITES: Final[dict[type, str]] = {
    ops.Conv: "it writes while it still reads",
    ops.ConvTranspose: "it writes while it still reads",
    ops.Pool: "it writes while it still reads",
    ops.GlobalPool: "its output has another size",
    ops.Linear: "its output has another size",
    ops.Crop: "its output has another size",
    ops.Concat: "its output has another size",
    ops.Resize: "its output has another size",
    ops.Unpool: "its output has another size",
    ops.WindowUnpool: "its output has another size",
    ops.Lrn: "it needs its input after it has begun to write",
    ops.ArgMax: "its output has another size",
    ops.Tile: "its output has another size",
    ops.Permute: "it writes while it still reads",
    ops.Reshape: "Caffe refuses it",
    ops.Flatten: "Caffe refuses it",
}
"""Operators that cannot write over what they read, and why."""


@rule("UP009", "in-place-impossible", severity="error", source="BVLC/caffe eltwise_layer.cpp")
def in_place_impossible(context: Context) -> Iterator[Hit]:
    """A layer writes over the blob it reads, and cannot.

    What it finds:
        Layers whose top is one of their bottoms, although they need the bottom while they write:
        convolutions, poolings, LRN, what changes a size, and an Eltwise sum, which Caffe starts by
        setting its top to zero.

    Why it is bad:
        Caffe checks it for few layers only. The others run, and compute something else: the sum
        lacks the blob that was overwritten.

    Example:
        layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "a" }

    Use instead:
        layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }

    Fix safety:
        There is no fix: layers behind it name the blob.

    References:
        BVLC/caffe src/caffe/layers/{eltwise,lrn,pooling}_layer.cpp (Forward_cpu)
    """
    yield from context.in_each(_overwritten)


def _overwritten(layer: Layer) -> Iterator[Hit]:
    why = _why_not_in_place(layer)
    for blob in _blobs(layer, "top") & _blobs(layer, "bottom") if why else ():
        yield Hit(
            f"the layer writes over '{blob}', which it reads: {why}",
            "give it a top of its own",
            layer,
        )


def _why_not_in_place(layer: Layer) -> str:
    op = layer.operator
    if isinstance(op, ops.Eltwise):
        return "Caffe sets the top to zero before it adds" if op.kind == "sum" else ""
    if isinstance(op, ops.Concat) and len(layer.inputs) == 1:
        return ""
    return _OVERWRITES.get(type(op), "")


def _blobs(layer: Layer, field: str) -> set[str]:
    """The blobs' names as the file has them; empty where it is misspelt, which UP001 reports."""
    try:
        return set(words.node_of(layer).strs(field))
    except UnreadableError:
        return set()


_HEADS: Final = (
    ops.Conv,
    ops.Linear,
    ops.Softmax,
    ops.Sigmoid,
    ops.Tanh,
    ops.ArgMax,
    ops.Unknown,
    ops.Resize,
    ops.Reshape,
    ops.Flatten,
    ops.Permute,
    ops.Slice,
    ops.L2Normalize,
)
"""What networks end with; a dead end of another kind has been forgotten."""


_FEW_OUTPUTS: Final = 3
"""A net with more outputs has them on purpose: detection heads, a tour of features."""


@rule("UP010", "dead-end", severity="info", source="BVLC/caffe net.cpp", frameworks=("caffe",))
def dead_end(context: Context) -> Iterator[Hit]:
    """Nothing reads what a layer in the middle of the net computes.

    What it finds:
        In Caffe, whose nets do not declare their outputs: tops that no layer reads, of layers that
        nets do not end with (crops, poolings, merges, activations), where the net has one or two
        other outputs. Outputs of one kind and one scale are taken for heads beside each other. A
        convolution or another usual last layer is reported where the net has one other output only,
        and that is of another scale.

    Why it is bad:
        It is computed for nothing and becomes an output of the net, which converters keep. Often a
        bottom was renamed and its old blob forgotten: a skip connection that is not connected.

    Example:
        layer { name: "crop" type: "Crop" bottom: "score_pool4" bottom: "up" top: "cropped" }
        layer { name: "fuse" type: "Eltwise" bottom: "up" bottom: "up2" top: "fuse" }

    Use instead:
        layer { name: "fuse" type: "Eltwise" bottom: "up" bottom: "cropped" top: "fuse" }

    Fix safety:
        There is no fix: the layer or its reader may be what is wrong.

    References:
        BVLC/caffe src/caffe/net.cpp, Net::Init ("This network produces output")
    """
    if not 2 <= len(context.net.outputs) <= _FEW_OUTPUTS:
        return
    last = context.net.layers[-1] if context.net.layers else None
    for value in context.net.outputs:
        made = context.producers.get(value)
        if made is None or made is last or len(made.outputs) > 1 or _is_read(context, value):
            continue
        if _is_left_over(context, made):
            yield Hit(
                f"nothing reads '{value}', so it is an output of the net, beside "
                f"{_others(context, value)}",
                "connect it, or delete the layer",
                made,
            )


def _is_read(context: Context, value: str) -> bool:
    """Whether any layer of the file reads the blob: losses and other phases count."""
    return value.split("@", maxsplit=1)[0] in context.read_blobs


def _is_left_over(context: Context, made: Layer) -> bool:
    """Whether an unread layer does not look like one head of several."""
    if not isinstance(made.operator, _HEADS):
        return _alone(context, made)
    scales = [_scale(context, value) for value in context.net.outputs]
    return len(scales) == 2 and None not in scales and scales[0] != scales[1]


def _alone(context: Context, made: Layer) -> bool:
    """Whether no other output is made by a layer of the same kind at the same scale."""
    mine = _scale(context, made.outputs[0])
    others = [context.producers.get(v) for v in context.net.outputs if v not in made.outputs]
    return not any(
        other is not None
        and type(other.operator) is type(made.operator)
        and _scale(context, other.outputs[0]) == mine
        for other in others
    )


def _scale(context: Context, value: str) -> list[Fraction] | None:
    place = context.coordinates.places.get(value)
    return [one.scale for one in place.maps] if place is not None else None


def _others(context: Context, value: str) -> str:
    others = [repr(name) for name in context.net.outputs if name != value]
    return ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")


@rule("UP011", "same-input-twice", severity="warning", source="BVLC/caffe eltwise_layer.cpp")
def same_input_twice(context: Context) -> Iterator[Hit]:
    """A merge reads one blob twice.

    What it finds:
        Eltwise sums and maxima, and Concats, with the same bottom more than once. A product of a
        blob with itself (a square) is accepted; a Concat is an info, since it may repeat channels
        on purpose.

    Why it is bad:
        x + x is 2x, max(x, x) is x: usually the second branch was meant.

    Example:
        layer { name: "fuse" type: "Eltwise" bottom: "up" bottom: "up" top: "fuse" }

    Use instead:
        layer { name: "fuse" type: "Eltwise" bottom: "up" bottom: "skip" top: "fuse" }

    Fix safety:
        There is no fix: only the author knows which blob was meant.

    References:
        BVLC/caffe src/caffe/layers/eltwise_layer.cpp
    """
    for layer in context.of(ops.Eltwise, ops.Concat):
        op = layer.operator
        if isinstance(op, ops.Eltwise) and op.kind == "product":
            continue
        times = Counter(layer.inputs)
        again = next((name for name in layer.inputs if times[name] > 1), None)
        if again is not None:
            yield Hit(
                f"the merge reads '{again}' {times[again]} times",
                "name the other branch",
                layer,
                severity="info" if isinstance(op, ops.Concat) else None,
            )
