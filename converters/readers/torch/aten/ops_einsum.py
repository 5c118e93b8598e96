"""Sums over letters (einsum), as matrix products of two tensors at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers

DOTS: Final = "..."


@dataclass(frozen=True, slots=True)
class Term:
    """A value and the letters of its axes."""

    value: str
    letters: str


@lowers("einsum.default")
def _einsum(call: AtenCall) -> None:
    """From left to right: what only the two next tensors share, and the result lacks, is summed in
    their product; what one has alone is summed before."""
    terms, result = _parsed(call)
    sizes = {c: like(t.value, i) for t in terms for i, c in enumerate(t.letters)}
    first, *others = terms
    for index, other in enumerate(others):
        needed = {*result}.union(*(term.letters for term in others[index + 1 :]))
        left = _summed(call, first, needed.union(other.letters), f"left{index}")
        right = _summed(call, other, needed.union(left.letters), f"right{index}")
        first = _product(call, left, right, needed, sizes, str(index))
    first = _summed(call, first, {*result}, "sums")
    if sorted(first.letters) != sorted(result):
        raise UnsupportedError(f"the sum '{call.get('equation'):.40}' repeats a tensor")
    order = tuple(first.letters.index(c) for c in result)
    call.emit(ops.Permute(order) if order else ops.Identity(), [first.value])


def _parsed(call: AtenCall) -> tuple[list[Term], str]:
    """The tensors with their letters, dots spelt out, and the letters of the result."""
    equation, tensors = call.get("equation").replace(" ", ""), call.get("tensors")
    written, arrow, result = equation.partition("->")
    words, ranks = written.split(","), [call.rank(one) for one in tensors]
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
    values = [call.value(one) for one in tensors]
    return [Term(value, word) for value, word in zip(values, words, strict=True)], result


def _require_plain(equation: str, words: Sequence[str]) -> None:
    if any(not {*word} <= {*ascii_letters} for word in words):
        raise UnsupportedError(f"the sum '{equation:.40}'")
    if any(len({*word}) < len(word) for word in words):
        raise UnsupportedError(f"the sum '{equation:.40}' takes a diagonal")


def _summed(call: AtenCall, term: Term, needed: set[str], what: str) -> Term:
    """The term without the letters that nothing else has: they go to the end and are summed."""
    kept = [c for c in term.letters if c in needed]
    gone = len(term.letters) - len(kept)
    if not gone:
        return term
    value = _ordered(call, term, [*kept, *(c for c in term.letters if c not in needed)], what)
    total = call.step(ops.Reduce("sum", len(kept)), [value], f"{what}_sum")
    return Term(total, "".join(kept))


def _product(
    call: AtenCall, left: Term, right: Term, needed: set[str], sizes: Mapping[str, Size], what: str
) -> Term:
    """Shared letters in front, the summed ones inside, each one's own outside."""
    both = [c for c in left.letters if c in right.letters]
    shared, inner = [c for c in both if c in needed], [c for c in both if c not in needed]
    rows = [c for c in left.letters if c not in right.letters]
    columns = [c for c in right.letters if c not in left.letters]
    x = _grouped(call, left, (shared, rows, inner), f"left{what}")
    y = _grouped(call, right, (shared, inner, columns), f"right{what}")
    product = call.step(ops.MatMul(), [x, y], f"product{what}")
    apart = tuple(sizes[c] for c in rows + columns)
    product = call.step(ops.Reshape(apart, len(shared), 2), [product], f"apart{what}")
    return Term(product, "".join(shared + rows + columns))


def _ordered(call: AtenCall, term: Term, letters: Sequence[str], what: str) -> str:
    order = tuple(term.letters.index(c) for c in letters)
    if order == tuple(range(len(order))):
        return term.value
    return call.step(ops.Permute(order), [term.value], f"{what}_order")


def _grouped(
    call: AtenCall, term: Term, groups: tuple[list[str], list[str], list[str]], what: str
) -> str:
    """The axes ordered as the groups say, the last two groups each made one axis."""
    value = _ordered(call, term, [c for group in groups for c in group], what)
    at = len(groups[0])
    for group in groups[1:]:
        if not group:
            value = call.step(ops.Reshape((1,), at, 0), [value], f"{what}_axis{at}")
        elif len(group) > 1:
            joined = ops.Flatten(at, at + len(group) - 1)
            value = call.step(joined, [value], f"{what}_joined{at}")
        at += 1
    return value
