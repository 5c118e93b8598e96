"""The shapes of what ATen's views, parts and joins give, which their calls alone decide.

Sizes are in the symbols of the graph's inputs. What a layer decides (a convolution, a pooling) is
not here: its shape function says it once it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any, Final, TypeAlias

from upconv.converters.ir.dims import Dim, Size, ceil_div, multiply
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.least import larger
from upconv.converters.ir.model import Shape
from upconv.converters.readers.torch.aten.calls import MAX_AXES, TensorRef
from upconv.converters.readers.torch.aten.ops_boxes import bounded, first_of

MAX_PARTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments by name, and the shapes of tensors."""

    values: Mapping[str, Any]
    shape_of: Callable[[TensorRef], Shape]

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def shape(self, name: str = "self") -> Shape:
        """The shape of a tensor; UnsupportedError where it is not known."""
        reference = self.values.get(name)
        if not isinstance(reference, TensorRef):
            raise UnsupportedError(f"its {name} is no tensor of known shape")
        return self.shape_of(reference)

    def integer(self, name: str, default: int) -> int:
        value = self.get(name, default)
        if not isinstance(value, int):
            raise UnsupportedError(f"its {name} is not a fixed integer")
        return value

    def axis(self, rank: int, name: str = "dim", default: int = 0) -> int:
        """An axis from the front; UnsupportedError where there is none such."""
        axis = self.integer(name, default)
        if not -rank <= axis < rank:
            raise UnsupportedError(f"it works along axis {axis} of a tensor with {rank} axes")
        return axis % rank

    def sizes(self, name: str = "size") -> list[Size]:
        return list(self.get(name, []))

    def axes(self, name: str) -> list[int]:
        """The axes of the first tensor that are named, from the front."""
        given, rank = self.get(name, []), max(len(self.shape()), 1)
        named = given if isinstance(given, list) else [given]
        if not all(isinstance(axis, int) and -rank <= axis < rank for axis in named):
            raise UnsupportedError(f"it works along axes that a tensor with {rank} axes has not")
        return [axis % rank for axis in named]

    def shapes(self, references: Sequence[Any]) -> list[Shape]:
        """The shapes of tensors in a list."""
        if not all(isinstance(one, TensorRef) for one in references):
            raise UnsupportedError("one of its tensors is a number")
        return [self.shape_of(one) for one in references]


Rule: TypeAlias = Callable[[Arguments], list[Shape]]


def _view(call: Arguments, name: str) -> list[Shape]:
    return [tuple(_inferred(call.sizes(name), call.shape()))]


def _inferred(sizes: Sequence[Size], before: Sequence[Size]) -> list[Size]:
    """-1 is what the other sizes leave over."""
    unknown = [index for index, size in enumerate(sizes) if size == -1]
    if not unknown:
        return list(sizes)
    known = [size for index, size in enumerate(sizes) if index != unknown[0]]
    left = list(before)
    for size in before:
        if size in known:
            known.remove(size)
            left.remove(size)
    if 0 in known:
        raise UnsupportedError("it leaves a size open beside one of 0")
    size = multiply(left) // multiply(known)
    return [size if index == unknown[0] else one for index, one in enumerate(sizes)]


def _flatten(call: Arguments) -> list[Shape]:
    shape = call.shape()
    rank = max(len(shape), 1)
    first = call.axis(rank, "start_dim", 0)
    last = call.axis(rank, "end_dim", -1)
    return [(*shape[:first], multiply(shape[first : last + 1]), *shape[last + 1 :])]


def _unflatten(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    parts = _inferred(call.sizes("sizes"), shape[axis : axis + 1])
    return [(*shape[:axis], *parts, *shape[axis + 1 :])]


def _slice(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    size = shape[axis]
    first = first_of(call.get("start"), size)
    length = larger(bounded(call.get("end"), size, size) - first, 0)
    step = call.integer("step", 1)
    if step < 1:
        raise UnsupportedError(f"its step is {step}")
    return [_with(shape, axis, length if step == 1 else ceil_div(length, step))]


def _with(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _select(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    return [(*shape[:axis], *shape[axis + 1 :])]


def _narrow(call: Arguments) -> list[Shape]:
    shape = call.shape()
    return [_with(shape, call.axis(len(shape)), call.get("length", 0))]


def _parts(call: Arguments, length: Callable[[int], int]) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    size = shape[axis]
    if not isinstance(size, int) or size < 1:
        raise UnsupportedError("it cuts an axis into parts whose number follows its size")
    each = max(length(size), 1)
    if size // each > MAX_PARTS:
        raise UnsupportedError(f"it cuts an axis into more than {MAX_PARTS} parts")
    starts = range(0, size, each)
    return [_with(shape, axis, min(each, size - start)) for start in starts]


def _chunk(call: Arguments) -> list[Shape]:
    chunks = max(call.integer("chunks", 1), 1)
    return _parts(call, lambda size: -(-size // chunks))


def _split(call: Arguments) -> list[Shape]:
    return _parts(call, lambda size: call.integer("split_size", 1))


def _split_sizes(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    sizes = call.sizes("split_sizes") or call.sizes("split_size")
    if len(sizes) > MAX_PARTS:
        raise UnsupportedError(f"it cuts an axis into more than {MAX_PARTS} parts")
    return [_with(shape, axis, size) for size in sizes]


def _unbind(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    return [(*shape[:axis], *shape[axis + 1 :])] * len(_parts(call, lambda size: 1))


def _expand(call: Arguments) -> list[Shape]:
    wanted = call.sizes() if call.get("other") is None else list(call.shape("other"))
    if len(wanted) < len(call.shape()):
        raise UnsupportedError(f"it expands a tensor to {len(wanted)} axes")
    before = (-1,) * (len(wanted) - len(call.shape())) + call.shape()
    return [tuple(own if size == -1 else size for size, own in zip(wanted, before, strict=True))]


def _stack(call: Arguments) -> list[Shape]:
    tensors = call.get("tensors", [])
    shape = next(iter(call.shapes(tensors[:1])), ())
    axis = call.axis(len(shape) + 1)
    return [(*shape[:axis], len(tensors), *shape[axis:])]


def _cat(call: Arguments) -> list[Shape]:
    """As long as all tensors together; those of one axis and no value count for nothing."""
    shapes = [shape for shape in call.shapes(call.get("tensors", [])) if shape != (0,)]
    if not shapes:
        return [(0,)]
    axis = call.axis(len(shapes[0]))
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise UnsupportedError("it joins tensors of different numbers of axes")
    return [_with(shapes[0], axis, sum((shape[axis] for shape in shapes), start=0))]


def _repeat(call: Arguments) -> list[Shape]:
    counts, shape = call.sizes("repeats") or call.sizes("dims"), call.shape()
    rank = max(len(counts), len(shape))
    pairs = zip(_aligned(counts, rank), _aligned(shape, rank), strict=True)
    return [tuple(count * size for count, size in pairs)]


def _aligned(sizes: Sequence[Size], rank: int) -> Shape:
    """Sizes at the last axis, of 1 in front."""
    return (1,) * (rank - len(sizes)) + tuple(sizes)


def _squeeze(call: Arguments) -> list[Shape]:
    shape = call.shape()
    gone = range(len(shape)) if call.get("dim") is None else call.axes("dim")
    return [tuple(n for axis, n in enumerate(shape) if axis not in gone or n != 1)]


def _unsqueeze(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def _transpose(call: Arguments) -> list[Shape]:
    shape = list(call.shape())
    if len(shape) < 2:
        return [tuple(shape)]
    first, second = (call.axis(len(shape), *pair) for pair in (("dim0", 0), ("dim1", -1)))
    shape[first], shape[second] = shape[second], shape[first]
    return [tuple(shape)]


def _permute(call: Arguments) -> list[Shape]:
    shape = call.shape()
    return [tuple(shape[axis] for axis in call.axes("dims")) if shape else ()]


def _selected(call: Arguments) -> list[Shape]:
    shape = call.shape()
    axis = call.axis(len(shape))
    return [(*shape[:axis], multiply(call.shape("index")), *shape[axis + 1 :])]


def _indexed(call: Arguments) -> list[Shape]:
    """Indices beside each other take the place of their axes; others come to the front."""
    shape, given = call.shape(), call.get("indices", [])
    axes = [axis for axis, one in enumerate(given) if one is not None]
    if not axes or len(given) > len(shape):
        raise UnsupportedError("it picks along no axis")
    picked = broadcast(call.shapes([given[axis] for axis in axes]))
    front = axes[0] if axes[-1] - axes[0] < len(axes) else 0
    rest = [size for axis, size in enumerate(shape) if axis not in axes]
    return [(*rest[:front], *picked, *rest[front:])]


def _product(left: str, right: str) -> Rule:
    def rule(call: Arguments) -> list[Shape]:
        a, b = call.shape(left), call.shape(right)
        return [(*a[:-1], *(b[:-2] if len(a) < 3 else ()), *b[-1:])] if len(b) > 1 else [a[:-1]]

    return rule


def _like(call: Arguments) -> list[Shape]:
    return [call.shape("self" if "self" in call.values else "input")]


def _made(call: Arguments) -> list[Shape]:
    return [tuple(call.sizes())]


def _counted(call: Arguments) -> list[Shape]:
    start, end, step = (call.get(*pair) for pair in (("start", 0), ("end", 0), ("step", 1)))
    if not all(isinstance(one, int | float | Dim) for one in (start, end, step)) or step == 0:
        raise UnsupportedError("it counts to what is no number")
    if not any(isinstance(one, Dim) for one in (start, end, step)):
        return [(_count((end - start) / step),)]
    if not isinstance(step, int) or step < 1 or float in (type(start), type(end)):
        raise UnsupportedError("it counts to an open size in steps that are no positive integers")
    return [(larger(ceil_div(end - start, step), 0),)]


def _count(steps: float) -> int:
    if not isfinite(steps):
        raise UnsupportedError("it counts for ever")
    return max(ceil(steps), 0)


def _mesh(call: Arguments) -> list[Shape]:
    """Every tensor as long as all of them together; "xy" swaps the first two axes."""
    lengths = [multiply(shape) for shape in call.shapes(call.get("tensors", []))]
    if call.get("indexing", "ij") == "xy":
        lengths[:2] = lengths[:2][::-1]
    if len(lengths) > MAX_AXES:
        raise UnsupportedError(f"it makes tensors of {len(lengths)} axes")
    return [tuple(lengths)] * len(lengths)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that tensors have together, aligned at the last axis."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [_aligned(shape, rank) for shape in shapes]
    return tuple(next((n for n in axis if n != 1), 1) for axis in zip(*padded, strict=True))


_RULES: Final[Mapping[str, Rule]] = {
    "view.default _unsafe_view.default": lambda call: _view(call, "size"),
    "reshape.default": lambda call: _view(call, "shape"),
    "flatten.using_ints": _flatten,
    "unflatten.int": _unflatten,
    "slice.Tensor": _slice,
    "select.int": _select,
    "narrow.default narrow.Tensor": _narrow,
    "chunk.default": _chunk,
    "split.Tensor": _split,
    "split_with_sizes.default": _split_sizes,
    "unbind.int": _unbind,
    "expand.default expand_as.default": _expand,
    "cat.default concat.default": _cat,
    "repeat.default tile.default": _repeat,
    "stack.default": _stack,
    "squeeze.default squeeze.dim squeeze.dims": _squeeze,
    "unsqueeze.default": _unsqueeze,
    "batch_norm.default instance_norm.default": _like,
    "dropout.default dropout_.default feature_dropout.default alpha_dropout.default": _like,
    "to.dtype to.device to.dtype_layout to.other _to_copy.default type_as.default": _like,
    "transpose.int t.default numpy_T.default": _transpose,
    "permute.default": _permute,
    "mm.default": _product("self", "mat2"),
    "mv.default": _product("self", "vec"),
    "dot.default": lambda call: [()],
    "vdot.default": lambda call: [()],
    "matmul.default": _product("self", "other"),
    "_weight_norm.default": lambda call: [call.shape("v")],
    "zeros.default ones.default full.default": _made,
    "new_zeros.default new_ones.default new_full.default": _made,
    "empty.memory_format new_empty.default": _made,
    "zeros_like.default ones_like.default full_like.default": _like,
    "index_select.default": _selected,
    "index.Tensor index.Tensor_hacked_twin": _indexed,
    "meshgrid.default meshgrid.indexing": _mesh,
    "embedding.default": lambda call: [(*call.shape("indices"), *call.shape("weight")[1:])],
    "outer.default": lambda call: [(*call.shape(), *call.shape("vec2"))],
    "linspace.default": lambda call: [(call.integer("steps", 0),)],
    "eye.default": lambda call: [(call.integer("n", 0),) * 2],
    "eye.m": lambda call: [(call.integer("n", 0), call.integer("m", 0))],
    "arange.default arange.start arange.start_step": _counted,
}
OUTPUT_SHAPES: Final = {
    f"aten.{name}": rule for names, rule in _RULES.items() for name in names.split()
}
"""ATen's target -> the shapes of its outputs."""
