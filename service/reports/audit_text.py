"""An audit, and a comparison, as text that fits on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from upconv.converters.audit.at_sizes import AtSizes
from upconv.converters.audit.audited import Audit, AxisAudit
from upconv.converters.audit.explained import loss_text, reason_of, sized
from upconv.converters.audit.size_sets import NONE
from upconv.converters.ir.model import ModelInput
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.shapes import Shape
from upconv.service.reports.result import AuditResult, ModelComparison
from upconv.service.reports.words import (
    asked_text,
    grouped,
    image_text,
    joined,
    printable,
    range_text,
    verdict,
)

Row = tuple[str, str]

SHOWN: Final = 4
"""Failures and misalignments that are shown before the rest is counted."""

LONGEST: Final = 400
"""Characters of a line; arithmetic through a deep net has no end."""


def audit_text(result: AuditResult) -> str:
    """The verdict, and rows that say why."""
    audit = result.audit
    head = [_title(audit), *read_as(audit), "", verdict(audit), ""]
    rows = [*asked_rows(result), *_rows(audit)]
    lines = [*head, *_table(rows)]
    if result.comparison is not None:
        lines += ["", *_comparison(result.comparison)]
    return _screen(lines)


def comparison_text(comparison: ModelComparison) -> str:
    """What differs between two models, a line each."""
    return _screen(_comparison(comparison))


def _screen(lines: Sequence[str]) -> str:
    """Lines as a terminal may be shown them, none without end."""
    return "\n".join(_cut(printable(line)).rstrip() for line in lines)


def _cut(line: str) -> str:
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}"


def _title(audit: Audit) -> str:
    model = audit.model
    count = f"{len(model.layers)} layer{'' if len(model.layers) == 1 else 's'}"
    return f"{model.path or model.name}: {model.framework}, {count}"


def read_as(audit: Audit) -> Iterator[str]:
    """What goes in, and the sizes that the file has where letters stand for them."""
    for entry, lettered in audit.freed:
        written, read = shape_text(entry.shape), shape_text(lettered.shape)
        yield f"{entry.name} is {written} in the file, read as {read}"
    freed = {entry.name for entry, _ in audit.freed}
    rest = [entry for entry in audit.model.inputs if entry.name not in freed]
    if rest:
        yield "; ".join(map(_input, rest))
    if audit.kept:
        yield f"its sizes stay as the file has them: {audit.kept}"


def _input(entry: ModelInput) -> str:
    return f"{entry.name} is {shape_text(entry.shape)}"


def shape_text(shape: Shape | None) -> str:
    """`1x3xHx(floor(H/2))`."""
    return "of unknown shape" if shape is None else "x".join(map(_size, shape)) or "a scalar"


def _size(size: object) -> str:
    text = str(size)
    return text if text.isalnum() else f"({text})"


def _table(rows: Sequence[Row]) -> list[str]:
    width = max((len(label) for label, _ in rows), default=0)
    return [f"  {label:{width}}  {told}" for label, told in rows]


def _rows(audit: Audit) -> Iterator[Row]:
    if audit.refused is not None:
        layer = audit.refused.layer
        at = sized(audit.model, {})
        yield "fails", f"'{layer.name}': {reason_of(at, layer) or f'it needs {audit.refused}'}"
    for group in grouped(audit.axes):
        yield from _of_group(group)
    for one in audit.found.coupled:
        yield "tied axes", f"{one} ('{one.layer.name}' asks for it)"
    for name in audit.model.outputs[:SHOWN]:
        yield "output", f"{name} is {shape_text(audit.shapes.get(name))}"
    yield from _of_alignment(audit)
    yield from (("engines", str(one)) for one in audit.readings)


def _of_group(group: Sequence[AxisAudit]) -> Iterator[Row]:
    first, sizes = group[0], group[0].sizes
    rules = [(one.sizes.runs or one.sizes.known).rule(one.letter) for one in group]
    same = sizes.runs is not None and sizes.runs == sizes.same_size
    large = same and first.letter not in NO_SIZES
    tail = ", and the output is as large as the input" if large else ""
    yield "runs", f"{joined(rules)}{tail}" if sizes.runs is not None else f"? {sizes.because}"
    if sizes.same_size not in (None, NONE) and not same and first.letter not in NO_SIZES:
        told = joined([(one.sizes.same_size or NONE).rule(one.letter) for one in group])
        yield "as large", f"{told} (the output is as large as the input)"
    if first.why:
        yield "why", first.why
    if first.lost_by is not None:
        yield "lost by", f"{loss_text(first.lost_by)}, for a typical size that does not fit"
    yield from _failures(first)


def _failures(axis: AxisAudit) -> Iterator[Row]:
    """Those that come again and again before those of sizes that are too small."""
    ordered = sorted(axis.failures, key=lambda one: one.failure.sizes.is_finite)
    for one in ordered[:SHOWN]:
        again = "" if one.failure.sizes.is_finite else " and again"
        yield "first fails", f"{axis.letter} = {one.size}{again}: '{one.layer}': {one.reason}"
    more = len(ordered) - SHOWN
    if more > 0:
        yield "", f"{more} more layer{' is' if more == 1 else 's are'} the first to fail elsewhere"


def _of_alignment(audit: Audit) -> Iterator[Row]:
    judged = [one.verdict for one in audit.merges]
    if judged:
        counts = ((judged.count("aligned"), "aligned"), (judged.count("off"), "off"))
        told = [f"{count} {word}" for count, word in counts if count]
        unknown = judged.count("unknown")
        told += [f"{unknown} not judged"] if unknown else []
        yield "merges", ", ".join(told)
    for off in audit.misaligned[:SHOWN]:
        yield "misaligned", f"'{off.layer.name}': {off.message}. {off.help.capitalize()}"
    more = len(audit.misaligned) - SHOWN
    if more > 0:
        yield "", f"{more} more are misaligned"


def asked_rows(result: AuditResult) -> Iterator[Row]:
    """What the sizes that were asked for do: (sizes, told)."""
    if result.at is not None:
        yield from _of_one_image(result.at)
        return
    told: dict[tuple[str, str], list[str]] = {}
    for asked in result.sizes:
        told.setdefault((range_text(asked.asked), asked_text(asked)), []).append(asked.letter)
    for (given, text), letters in told.items():
        yield f"{joined(letters)} = {given}", text


def _of_one_image(at: AtSizes) -> Iterator[Row]:
    label = image_text(at.sizes)
    if at.runs is False:
        place = f"'{at.layer.name}': " if at.layer is not None else ""
        yield label, f"does not run: {place}{at.reason}"
        yield from (("", str(change)) for change in at.changes)
        return
    told = [f"{name} is {shape_text(shape)}" for name, shape in at.outputs.items()]
    word = "runs" if at.runs else "runs, as far as is known"
    yield label, f"{word}: {', '.join(told[:SHOWN])}"


def _comparison(comparison: ModelComparison) -> list[str]:
    left, right = comparison.left.model, comparison.right.model
    lines = [f"A is {left.path or left.name}", f"B is {right.path or right.name}"]
    found = comparison.found
    changing = [one for one in found.differences if one.changes_numbers]
    other = [one for one in found.differences if not one.changes_numbers]
    bits = "bit for bit" if found.bit_equal else "but for rounding"
    matched = "1 layer matches" if found.matched == 1 else f"{found.matched} layers match"
    if not changing:
        lines += [f"They mean the same: {matched}, weights {bits}."]
    else:
        count = "One thing differs" if len(changing) == 1 else f"{len(changing)} things differ"
        lines += [f"{count} ({matched}):"]
    lines += [f"  {one}" for one in changing]
    lines += [f"  (changes no number) {one}" for one in other]
    return lines
