"""The words of an audit that its text and its page share: the verdict, rules, costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from upconv.converters.audit.audited import Audit, AxisAudit
from upconv.converters.audit.input_sizes import AxisSizes
from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.operators import UPSAMPLING
from upconv.service.reports.result import AskedSizes

LISTED: Final = 6
"""How many names or numbers are listed before the rest is counted."""


def verdict(audit: Audit) -> str:
    """What a reader ought to know first, in one or two sentences."""
    return " ".join([*_of_sizes(audit), *_of_alignment(audit)])


def sizes_in_brief(audit: Audit) -> str:
    """Which sizes run, as few words as there can be: `H % 32 == 0 and W % 32 == 0`."""
    images = [one for one in audit.axes if one.letter not in NO_SIZES]
    if not images:
        return "those in the file" if audit.refused is None else "none"
    rules = [(one.sizes.runs or one.sizes.known).rule(one.letter) for one in images]
    told = " and ".join(f"({rule})" if " or " in rule else rule for rule in rules)
    return told + (", and more is asked" if audit.found.coupled else "")


def _of_sizes(audit: Audit) -> Iterator[str]:
    if not audit.axes:
        yield _fixed(audit)
        return
    if any(one.sizes.known == NONE for one in audit.axes):
        yield "It runs at no size."
        return
    for group in grouped(audit.axes):
        yield _of_group(group)
    tied = audit.found.coupled
    if tied:
        told = f": {tied[0]}" if len(tied) == 1 else f" by {len(tied)} conditions"
        yield f"Axes are tied{told}."


def _fixed(audit: Audit) -> str:
    """Of a model without an open size: whether it runs, and why it takes no other."""
    if not audit.model.inputs:
        return "It has no input: what it computes is always the same."
    sizes = joined(["x".join(map(str, entry.shape or ())) for entry in audit.model.inputs])
    if audit.refused is not None:
        return f"It does not run at {sizes}: '{audit.refused.layer.name}' fails."
    if audit.kept:
        return f"It takes {sizes} and nothing else: its sizes are fixed in the file."
    return f"It runs at {sizes}. No size of its inputs is open."


def _of_group(group: Sequence[AxisAudit]) -> str:
    """`H and W must be multiples of 16, and the output is as large as the input` is one."""
    names, sizes = joined([one.letter for one in group]), group[0].sizes
    if sizes.runs is None:
        known = "" if sizes.known == EVERY else f"; none but {_ruled(group, sizes.known)}"
        return f"Which sizes run cannot be said for {names}{known}: {sizes.because}."
    return f"{_running(names, group, sizes.runs)}{_as_large(group, sizes)}."


def _running(names: str, group: Sequence[AxisAudit], runs: SizeSet) -> str:
    if runs == EVERY:
        return f"Every {names} runs"
    if is_multiples(runs):
        return (
            f"{names} must be {'multiples' if len(group) > 1 else 'a multiple'} of {runs.modulus}"
        )
    if runs.is_finite and len(runs.exceptions) == 1:
        return f"{names} must be {runs.exceptions[0]}"
    return f"It runs where {_ruled(group, runs)}"


def is_multiples(runs: SizeSet) -> bool:
    """Whether the set is all multiples of a number."""
    whole = runs.rests == (0,) and runs.start == runs.modulus
    return whole and not runs.exceptions and runs.modulus > 1


def _as_large(group: Sequence[AxisAudit], sizes: AxisSizes) -> str:
    if group[0].letter in NO_SIZES:
        return ""
    if sizes.same_size == sizes.runs and sizes.same_size is not None:
        return ", and the output is as large as the input"
    if sizes.same_size is None or sizes.same_size.is_finite:
        return ""  # that a few small sizes come out as large is no use to anyone
    return f", and the output is as large as the input only where {_ruled(group, sizes.same_size)}"


def _ruled(group: Sequence[AxisAudit], sizes: SizeSet) -> str:
    """The rule, once for all letters of a group."""
    if len(group) == 1:
        return sizes.rule(group[0].letter)
    rule = sizes.rule(group[0].letter)
    return f"{rule}, {joined([one.letter for one in group[1:]])} alike"


def grouped(axes: Sequence[AxisAudit]) -> list[list[AxisAudit]]:
    """Axes that have the same sets for the same reasons, together; the batch only where something
    is asked of it."""
    found: dict[object, list[AxisAudit]] = {}
    for one in axes:
        sizes = one.sizes
        if one.letter in NO_SIZES and sizes.runs == EVERY:
            continue
        key = (sizes.known, sizes.runs, sizes.same_size, bool(sizes.because))
        found.setdefault(key, []).append(one)
    return list(found.values())


def _of_alignment(audit: Audit) -> Iterator[str]:
    off = audit.misaligned
    large = [one for one in off if not one.small]
    if large:
        count = "One merge or crop is" if len(large) == 1 else f"{len(large)} merges or crops are"
        yield f"{count} off by a pixel or more: {named([one.layer.name for one in large])}."
    elif off:
        count = "One merge is" if len(off) == 1 else f"{len(off)} merges are"
        yield f"{count} off by less than a pixel: {named([one.layer.name for one in off])}."
    elif audit.merges and upsamples(audit):
        aligned = [one.verdict for one in audit.merges].count("aligned")
        if aligned == len(audit.merges):
            yield "Its one merge is aligned." if aligned == 1 else "All its merges are aligned."
        elif aligned:
            yield f"{aligned} of its {len(audit.merges)} merges are aligned, as far as can be said."


def upsamples(audit: Audit) -> bool:
    """Whether a layer makes feature maps larger."""
    return any(isinstance(layer.operator, UPSAMPLING) for layer in audit.model.layers)


def printable(text: str, also: str = "") -> str:
    """A file's words without what moves a cursor or turns the direction of writing.

    >>> printable("up\x1b[31m\u202e")
    'up?[31m?'
    """
    return "".join(c if c.isprintable() or c in also else "?" for c in text)


def named(names: Sequence[str]) -> str:
    """`'a', 'b'`, and how many more."""
    shown = ", ".join(f"'{name}'" for name in names[:LISTED])
    more = len(names) - LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def joined(words: Sequence[str]) -> str:
    """`H`, `H and W`, `D, H and W`.

    >>> joined(["D", "H", "W"])
    'D, H and W'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def asked_text(asked: AskedSizes) -> str:
    """`51 of the 801 sizes run: 224, 240, 256, 272, 288 ... 1024`."""
    total, running = len(asked.asked), asked.running
    if total == 1:
        return "runs" if running else "does not run"
    if len(running) == total:
        return f"all {total} sizes run"
    if not running:
        return f"none of the {total} sizes runs"
    if len(running) <= LISTED + 1:
        shown = ", ".join(map(str, running))
    else:
        shown = f"{', '.join(map(str, running[: LISTED - 1]))} ... {running[-1]}"
    return f"{len(running)} of the {total} sizes run: {shown}"


def image_text(sizes: Mapping[str, int]) -> str:
    """`640x480`, without the batch."""
    return "x".join(str(size) for letter, size in sizes.items() if letter not in NO_SIZES)


def range_text(asked: range) -> str:
    """`224..1024:32` again."""
    if len(asked) == 1:
        return str(asked[0])
    step = f":{asked.step}" if asked.step > 1 else ""
    return f"{asked[0]}..{asked[-1]}{step}"
