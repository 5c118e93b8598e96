"""The types and shapes that a file states for its values, and whether its nodes keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size, Symbol, evaluate, leaves, symbol
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Model, Notice, NoticeKind, Shape
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import text_of
from upconv.converters.readers.assembly.element_types import DType
from upconv.converters.readers.onnx.messages import Message
from upconv.converters.readers.onnx.tensors import dtype_of

Sizes: TypeAlias = tuple[int | str | None, ...]


@record(frozen=True, slots=True)
class Declared:
    """A value as the file declares it; `sizes` are numbers, letters, or None where open."""

    name: str
    dtype: DType
    sizes: Sizes | None


@record(frozen=True, slots=True)
class Stated:
    """A value's sizes as the file states them, and as its nodes make them."""

    name: str
    sizes: Sizes
    shape: Shape


def declared(value: Message) -> Declared:
    """A ValueInfoProto; one that is no tensor has no shape and no type."""
    kind = value.message("type", "type")
    tensor = kind.message("tensor_type", "tensor type") if kind is not None else None
    if tensor is None:
        return Declared(value.text("name"), dtype_of(0), None)
    dtype = dtype_of(tensor.integer("elem_type"))
    shape = tensor.message("shape", "shape")
    sizes = None if shape is None else tuple(_size(dim) for dim in shape.messages("dim", "dim"))
    return Declared(value.text("name"), dtype, sizes)


def _size(dim: Message) -> int | str | None:
    """A number, a letter, or nothing; numbers below 1 are written for open sizes."""
    if dim.has("dim_value") and (number := dim.integer("dim_value")) > 0:
        return number
    letter = dim.text("dim_param")
    return None if letter in _NAMELESS else letter


_NAMELESS: Final = ("", "?", "-1", "None", "none")
"""What exporters write for an open size that they have no name for."""


_MOST_OUTPUTS: Final = 64
"""Of a model, whose letters are looked at: each costs a few hundred evaluations."""

_TRIED: Final = range(33, 97)
"""Sizes of inputs on which two formulas are compared: every rest of the strides that nets have."""


def broken_promises(
    model: Model,
    leaving: Sequence[Declared],
    between: Sequence[Declared],
    shapes: Mapping[str, Shape | None],
) -> Iterator[Notice]:
    """The first value whose nodes make another shape than the file says, and each output with a
    letter that stands for another size, which is not equal for all inputs, too."""
    makers = {value: layer.name for layer in model.layers for value in layer.outputs}

    def known(told: Sequence[Declared]) -> Iterator[Stated]:
        for one in told:
            shape = shapes.get(one.name) if one.name in makers else None
            if shape is not None and one.sizes is not None:
                yield Stated(one.name, one.sizes, shape)

    def notice(kind: NoticeKind, name: str, message: str) -> Notice:
        error = UpconvError(message, path=model.path, layer=makers[name])
        return Notice(kind, error, harmless=True)

    for one in known((*leaving, *between)):
        if _contradicts(one):
            written, made = "x".join(str(n or "?") for n in one.sizes), text_of(one.shape)
            text = f"the file says that '{one.name}' is {written}, its nodes make {made}"
            yield notice("declared-shape", one.name, text)
            break
    for name, text in _unkept(known(leaving[:_MOST_OUTPUTS]), _letters(model)):
        yield notice("unkept-letters", name, text)


def _unkept(stated: Iterator[Stated], of_inputs: Mapping[str, Size]) -> Iterator[tuple[str, str]]:
    """(value, what is wrong) of the first letter of each that two sizes have."""
    promised = dict(of_inputs)
    for one in stated:
        for letter, size in zip(one.sizes, one.shape, strict=False):
            if not isinstance(letter, str):
                continue
            if why := _unequal(promised.setdefault(letter, size), size):
                other = "the input" if letter in of_inputs else "another output"
                yield (
                    one.name,
                    f"'{one.name}' has a size called {letter}, as {other}: it is {size}{why}",
                )
                break


def _letters(model: Model) -> dict[str, Size]:
    """The letters of the inputs' sizes."""
    sizes = (size for entry in model.inputs for size in entry.shape or ())
    return {str(leaf): symbol(str(leaf)) for size in sizes for leaf in leaves(size)}


def _contradicts(one: Stated) -> bool:
    """A shape without sizes is what exporters wrote where they did not know one."""
    if len(one.sizes) != len(one.shape):
        return bool(one.sizes)
    both = zip(one.sizes, one.shape, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in both)


def _unequal(promised: Size, size: Size) -> str:
    """An input of which two sizes differ, in words; "" where they seem to be one."""
    if promised == size:
        return ""
    names = leaves(promised) | leaves(size)
    if not all(isinstance(leaf, Symbol) for leaf in names):
        return ""
    for n in _TRIED:
        feeds = {str(leaf): n + 64 * at for at, leaf in enumerate(sorted(names, key=str))}
        wanted, made = evaluate(promised, feeds), evaluate(size, feeds)
        if wanted != made:
            shown = ", ".join(f"{name} {value}" for name, value in feeds.items())
            return f", which for {shown} is {made} and not {wanted}"
    return ""
