"""Arrays of what is known now: numbers, or objects where some depend on the network's input.

An object is a whole number, a size (`dims.Dim`), or on the way to one a float or a `Fraction` of
sizes. Few values are kept without NumPy, and what it does to them as far as Python does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from upconv.converters.ir.dims import Dim, Size
from upconv.converters.ir.errors import UnsupportedError, UpconvError
from upconv.converters.ir.records import record
from upconv.converters.readers.assembly.bounds import excess
from upconv.converters.readers.assembly.folding import few
from upconv.converters.readers.assembly.folding.few import Few, TooHardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "Few | NDArray[Any]"

MAX_VALUES: Final = 1 << 26
"""Elements that folding makes at most."""


class NotFoldableError(UnsupportedError):
    """The result cannot be known now."""


@record(frozen=True, slots=True)
class Fraction:
    """A size over a whole number above 1 that does not divide it for every size."""

    numerator: Dim
    denominator: int


def require_readable(shapes: Iterable[tuple[int, ...]]) -> None:
    """Raise NotFoldableError for tensors that are too large to be read for this."""
    if sum(map(prod, shapes)) > 2 * MAX_VALUES:
        raise NotFoldableError("constants too large to be computed with")


def folded(
    name: str,
    inputs: Sequence[Array],
    compute: Callable[[list[Array]], Array | list[Array]],
    misfit: Callable[[str], UpconvError],
) -> list[Array]:
    """What an operation makes of known arrays.

    Raises NotFoldableError where that cannot be known now, and what `misfit` makes of a reason
    where the inputs do not fit the operation.
    """
    symbolic = any(map(is_symbolic, inputs))
    arrays = [as_objects(array) for array in inputs] if symbolic else list(inputs)
    try:
        made = _computed(arrays, compute)
    except TypeError as error:  # a size that is open where NumPy needs a number
        if symbolic:
            raise NotFoldableError(f"{name} by the input's size") from None
        raise misfit(f"{name} does not fit its constant inputs: {error}") from None
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise misfit(f"{name} does not fit its constant inputs: {error}") from None
    many = made if isinstance(made, list) else [made]
    return [_settled(array, misfit) for array in many]


def _computed(
    arrays: list[Array], compute: Callable[[list[Array]], Array | list[Array]]
) -> Array | list[Array]:
    """Without NumPy where all arrays are of few values and it is not asked for more."""
    if all(isinstance(array, Few) for array in arrays):
        try:
            return compute(arrays)
        except TooHardError:
            pass
    import numpy as np

    with np.errstate(all="ignore"):
        return compute([np.asarray(array) for array in arrays])


def by_either(
    name: Literal["broadcast_to", "concatenate", "where"], arrays: Sequence[Array], *rest: Any
) -> Array:
    """One of NumPy's functions that `few` has too; only "concatenate" takes the arrays as one."""
    given = [list(arrays)] if name == "concatenate" else arrays
    if all(isinstance(array, Few) for array in arrays):
        try:
            made: Array = getattr(few, name)(*given, *rest)
        except TooHardError:
            pass
        else:
            return made
    import numpy as np

    found: Array = getattr(np, name)(*given, *rest)
    return found


def _settled(array: Array, misfit: Callable[[str], UpconvError]) -> Array:
    """The array, of plain numbers where it can be."""
    require_small(array.size)
    if not is_symbolic(array):
        return array
    items = array.reshape(-1).tolist()
    for item in items:
        size = item.numerator if isinstance(item, Fraction) else item
        if isinstance(size, int | Dim) and (problem := excess(size)):
            number = isinstance(size, int)
            raise misfit(f"computes {problem}") if number else NotFoldableError(problem)
    if all(isinstance(item, int) for item in items):
        return whole(items).reshape(array.shape)
    return array


def require_small(*sizes: int) -> None:
    """Raise NotFoldableError for an array of so many values that nothing is computed with it."""
    if prod(sizes) > MAX_VALUES:
        raise NotFoldableError(f"constants that make {prod(sizes)} values")


def is_symbolic(array: Array) -> bool:
    """Whether an array holds objects."""
    return array.dtype.kind == "O"


def objects(items: Sequence[Any]) -> Array:
    """A one-dimensional array of objects."""
    return listed(items, "O")


def whole(items: Sequence[int]) -> Array:
    """A one-dimensional array of whole numbers."""
    return listed(items, "i8")


def listed(items: Sequence[Any], code: str) -> Array:
    """A one-dimensional array of a type by NumPy's name."""
    if len(items) <= few.MOST:
        return few.made(items, (len(items),), code)
    import numpy as np

    made = np.empty(len(items), code)
    made[:] = items
    return made


def as_objects(array: Array) -> Array:
    """Plain Python numbers, which sizes can be added to; whole floats become integers."""
    if is_symbolic(array):
        return array
    items = [
        int(item) if isinstance(item, float) and item.is_integer() else item
        for item in array.reshape(-1).tolist()
    ]
    return objects(items).reshape(array.shape)


def of_sizes(sizes: Sequence[Size]) -> Array:
    """Sizes as a one-dimensional array, of plain numbers where all are known."""
    if all(isinstance(size, int) for size in sizes):
        return whole([size for size in sizes if isinstance(size, int)])
    return objects(sizes)


def shape_of(sizes: Array) -> tuple[int, ...]:
    """The shape that an array of sizes says, of a tensor that is small enough to be made.

    Raises NotFoldableError where it is not, or depends on the network's input.
    """
    found = sizes.reshape(-1).tolist()
    if not all(isinstance(size, int) for size in found):
        raise NotFoldableError("a tensor as large as the input")
    require_small(*found)
    return tuple(found)
