"""Datatypes and dataspaces: what a value is, and how many there are (IV.A.2.b and d)."""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.records import record
from upconv.converters.readers.files.hdf5.store import Store

_FIXED, _FLOAT, _STRING, _ENUM, _VARIABLE = 0, 1, 3, 8, 9
_NAMES: Final = (
    "whole numbers", "numbers", "times", "texts", "bit fields", "opaque values", "compounds",
    "references", "choices", "values of any length", "arrays",
)  # fmt: skip
_MOST_AXES: Final = 32
_LARGEST: Final = 1 << 48

_FLOATS: Final[dict[tuple[int, ...], str]] = {
    (2, 10, 5, 0, 10, 15): "f2",
    (4, 23, 8, 0, 23, 127): "f4",
    (8, 52, 11, 0, 52, 1023): "f8",
    (2, 7, 8, 0, 7, 127): "bfloat16",
}
"""(bytes, place and width of the exponent, of the mantissa, bias) -> NumPy's name."""


@record(frozen=True, slots=True)
class Datatype:
    """`dtype` is NumPy's name of a number ("" where it is none), `bfloat16` beside them; `text` is
    "fixed" or "variable" for texts; `what` names it in messages."""

    size: int
    dtype: str = ""
    text: str = ""
    what: str = "values"


def datatype(store: Store, at: int) -> Datatype:
    """The datatype whose message begins at a place."""
    first = store.number(at, 1)
    kind, version = first & 15, first >> 4
    if version not in (1, 2, 3, 4, 5) or kind >= len(_NAMES):
        store.fail(f"a datatype of class {kind}, version {version}", at)
    bits = store.number(at + 1, 3)
    size = store.number(at + 4, 4)
    order = ">" if bits & 1 else "<"
    what = _NAMES[kind]
    if kind == _FIXED:
        return Datatype(size, _whole(store, at, size, order, bool(bits & 8)), "", what)
    if kind == _FLOAT:
        return Datatype(size, _float(store, at, size, order), "", what)
    if kind == _STRING:
        return Datatype(size, "", "fixed", what)
    if kind == _ENUM:  # h5py's truth values are a choice of two
        return Datatype(size, datatype(store, at + 8).dtype if bits & 0xFFFF == 2 else "", "", what)
    if kind == _VARIABLE and bits & 15 == 1:
        return Datatype(size, "", "variable", "texts")
    return Datatype(size, "", "", what)


def _whole(store: Store, at: int, size: int, order: str, signed: bool) -> str:
    offset, precision = store.number(at + 8, 2), store.number(at + 10, 2)
    if size not in (1, 2, 4, 8) or offset or precision != 8 * size:
        return ""
    return f"{'|' if size == 1 else order}{'i' if signed else 'u'}{size}"


def _float(store: Store, at: int, size: int, order: str) -> str:
    fields = (size, *(store.number(at + place, 1) for place in (12, 13, 14, 15)))
    name = _FLOATS.get((*fields, store.number(at + 16, 4)))
    if name is None or (name == "bfloat16" and order == ">"):
        return ""
    return name if name == "bfloat16" else order + name


def dataspace(store: Store, at: int) -> tuple[int, ...] | None:
    """The shape in a dataspace message, () for a scalar; None where there are no values at all."""
    version = store.version(at, 1, 2)
    axes = store.number(at + 1, 1)
    if version == 2 and store.number(at + 3, 1) == 2:
        return None
    if axes > _MOST_AXES:
        store.fail(f"values of {axes} axes", at)
    first = at + (8 if version == 1 else 4)
    sizes = tuple(store.length(first + index * store.length_size) for index in range(axes))
    if max(sizes, default=0) > _LARGEST:
        store.fail(f"values of {max(sizes)} in a row", at)
    return sizes
