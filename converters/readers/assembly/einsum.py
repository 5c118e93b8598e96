"""Sums over letters (einsum), as matrix products of two tensors at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_letters
from typing import Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.records import record

DOTS: Final = "..."


@record(frozen=True, slots=True)
class Term:
    """A value and the letters of its axes."""

    value: str
    letters: str


Emit: TypeAlias = Callable[[Operator, Sequence[str], str], str]
"""Append an operator under a suffix; its output."""


def einsum(
    emit: Emit, equation: str, tensors: Sequence[tuple[str, int]]
) -> tuple[Operator, list[str]]:
    """The last operator of the sum, and its input; `tensors` are (name, rank).

    From left to right: what only the two next tensors share, and the result lacks, is summed in
    their product; what one has alone is summed before.

    Raises UnsupportedError for a diagonal, a repeated tensor and letters that do not fit.
    """
    terms, result = _parsed(equation.replace(" ", ""), tensors)
    sizes = {c: like(t.value, i) for t in terms for i, c in enumerate(t.letters)}
    first, *others = terms
    for index, other in enumerate(others):
        needed = {*result}.union(*(term.letters for term in others[index + 1 :]))
        left = _summed(emit, first, needed.union(other.letters), f"left{index}")
        right = _summed(emit, other, needed.union(left.letters), f"right{index}")
        first = _product(emit, left, right, needed, sizes, str(index))
    first = _summed(emit, first, {*result}, "sums")
    if sorted(first.letters) != sorted(result):
        raise UnsupportedError(f"the sum '{equation:.40}' repeats a tensor")
    order = tuple(first.letters.index(c) for c in result)
    return ops.Permute(order) if order else ops.Identity(), [first.value]


def _parsed(equation: str, tensors: Sequence[tuple[str, int]]) -> tuple[list[Term], str]:
    """The tensors with their letters, dots spelt out, and the letters of the result."""
    written, arrow, result = equation.partition("->")
    words, ranks = written.split(","), [rank for _, rank in tensors]
    if len(words) != len(ranks) or not words:
        raise UnsupportedError(f"the sum '{equation:.40}' over {len(tensors)} tensors")
    if not arrow:
        once = [c for c in sorted({*written} - {*",."}) if written.count(c) == 1]
        result = (DOTS if DOTS in written else "") + "".join(once)
    covered = {n - len(w) + len(DOTS) for w, n in zip(words, ranks, strict=True) if DOTS in w}
    if len(covered) > 1 or min(covered, default=0) < 0:
        raise UnsupportedError(f"the sum '{equation:.40}' repeats a tensor along its dots")
    free = "".join(c for c in ascii_letters if c not in equation)[: max(covered, default=0)]
    words = [word.replace(DOTS, free, 1) for word in words]
    result = result.replace(DOTS, free, 1)
    _require_plain(equation, [*words, result])
    if [*map(len, words)] != ranks:
        raise UnsupportedError(f"the sum '{equation:.40}' over tensors of other ranks")
    pairs = zip(tensors, words, strict=True)
    return [Term(value, word) for (value, _), word in pairs], result


def _require_plain(equation: str, words: Sequence[str]) -> None:
    if any(not {*word} <= {*ascii_letters} for word in words):
        raise UnsupportedError(f"the sum '{equation:.40}'")
    if any(len({*word}) < len(word) for word in words):
        raise UnsupportedError(f"the sum '{equation:.40}' takes a diagonal")


def _summed(emit: Emit, term: Term, needed: set[str], what: str) -> Term:
    """The term without the letters that nothing else has: they go to the end and are summed."""
    kept = [c for c in term.letters if c in needed]
    gone = len(term.letters) - len(kept)
    if not gone:
        return term
    value = _ordered(emit, term, [*kept, *(c for c in term.letters if c not in needed)], what)
    total = emit(ops.Reduce("sum", len(kept)), [value], f"{what}_sum")
    return Term(total, "".join(kept))


def _product(
    emit: Emit, left: Term, right: Term, needed: set[str], sizes: Mapping[str, Size], what: str
) -> Term:
    """Shared letters in front, the summed ones inside, each one's own outside."""
    both = [c for c in left.letters if c in right.letters]
    shared, inner = [c for c in both if c in needed], [c for c in both if c not in needed]
    rows = [c for c in left.letters if c not in right.letters]
    columns = [c for c in right.letters if c not in left.letters]
    x = _grouped(emit, left, (shared, rows, inner), f"left{what}")
    y = _grouped(emit, right, (shared, inner, columns), f"right{what}")
    product = emit(ops.MatMul(), [x, y], f"product{what}")
    apart = tuple(sizes[c] for c in rows + columns)
    product = emit(ops.Reshape(apart, len(shared), 2), [product], f"apart{what}")
    return Term(product, "".join(shared + rows + columns))


def _ordered(emit: Emit, term: Term, letters: Sequence[str], what: str) -> str:
    order = tuple(term.letters.index(c) for c in letters)
    if order == tuple(range(len(order))):
        return term.value
    return emit(ops.Permute(order), [term.value], f"{what}_order")


def _grouped(
    emit: Emit, term: Term, groups: tuple[list[str], list[str], list[str]], what: str
) -> str:
    """The axes ordered as the groups say, the last two groups each made one axis."""
    value = _ordered(emit, term, [c for group in groups for c in group], what)
    at = len(groups[0])
    for group in groups[1:]:
        if not group:
            value = emit(ops.Reshape((1,), at, 0), [value], f"{what}_axis{at}")
        elif len(group) > 1:
            joined = ops.Flatten(at, at + len(group) - 1)
            value = emit(joined, [value], f"{what}_joined{at}")
        at += 1
    return value
