"""A text that is being written, looked at again and again: what is found in it, and its sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.origin import Source
from upconv.converters.ir.records import record
from upconv.converters.readers.formats import is_candidate_text
from upconv.linter.context import Context
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import CheckOptions, check_source, relative_path
from upconv.linter.running.plugins import load_plugins

if TYPE_CHECKING:
    from upconv.converters.ir.dims import Size
    from upconv.converters.ir.source import Pieces
    from upconv.linter.finding import Finding
    from upconv.linter.running.baseline import Baseline

Inputs = Mapping[str, "tuple[Size, ...]"]


@record(frozen=True, slots=True)
class Look:
    """What a look at a text found. `report` has new findings only where there is a baseline.

    `context` is what the rules looked at, None where no model could be read. `options` are those
    of the check.
    """

    report: FileReport
    options: CheckOptions
    source: Source
    context: Context | None
    known: Baseline | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.report.findings

    def check(self, source: Source) -> FileReport:
        """Another text, checked as this one was."""
        again = check_source(source, self.options, named=False)
        return self.known.split(again)[0] if self.known else again


def look(
    source: Source,
    options: CheckOptions,
    known: Baseline | None = None,
    alive: Callable[[], None] = lambda: None,
    pieces: Pieces | None = None,
) -> Look:
    """Check a text as a search of its folder would, which passes over what is no model. `alive` is
    called now and then, and ends the look by raising what is no Exception. `pieces` are what was
    read of the text before; the contexts of looks before this one that had them are then of no use.

    Raises UsageError where the options name what does not exist.
    """
    load_plugins()
    if not is_candidate_text(source):
        return Look(_passed_over(source, options), options, source, None, known)
    seen: list[Context] = []

    def step(context: Context) -> None:
        if not seen:
            seen.append(context)
        alive()

    read = source if pieces is None else pieces.version(source, alive)
    report = check_source(read, options, step, named=False)
    context = seen[0] if seen and seen[0].model is not None else None
    return Look(known.split(report)[0] if known else report, options, source, context, known)


def _passed_over(source: Source, options: CheckOptions) -> FileReport:
    return FileReport(relative_path(source.path, options.root), "", "skipped", "no model")


def at_inputs(look: Look, inputs: Inputs) -> Context | None:
    """The text's model with other sizes of its inputs; None where it has none, or they do not fit.

    Of an input whose name is "" the spatial sizes are those of every input with as many.
    """
    from upconv.converters.readers.formats import open_text

    if look.context is None or not inputs:
        return look.context
    named = _named(inputs, look.context)
    options = replace(look.options.read, inputs={**look.options.read.inputs, **named})
    try:
        model = open_text(look.source, options)
    except UpconvError:
        return None
    return Context(look.source.path, look.source, model)


def _named(inputs: Inputs, context: Context) -> Inputs:
    """Input -> its whole shape, where only spatial sizes are said."""
    spatial = inputs.get("")
    if spatial is None:
        return inputs
    found = {}
    for entry in context.net.inputs:
        shape = entry.shape or (1, 3, *spatial)
        if len(shape) == len(spatial) + 2:
            found[entry.name] = (*shape[:2], *spatial)
    return found


_WEIGHTS: Final = (
    (".prototxt", "{stem}.caffemodel"),
    ("-symbol.json", "{stem}-[0-9][0-9][0-9][0-9].params"),
    (".json", "{stem}.weights.h5"),
    (".json", "{stem}.h5"),
)
"""What a model's file ends in -> how its weights are called beside it, the last of them by name."""


def weights_beside(path: str) -> str:
    """The weights that lie beside a model's file under its name; "" where none do.

    Raises OSError where the folder cannot be read.
    """
    from glob import escape

    file = Path(path)
    for ending, pattern in _WEIGHTS:
        if file.name.endswith(ending):
            name = pattern.format(stem=escape(file.name.removesuffix(ending)))
            found = sorted(file.parent.glob(name))
            if found:
                return str(found[-1])
    return ""


def with_weights(before: Look, weights: str, alive: Callable[[], None] = lambda: None) -> Look:
    """The same text with its trained weights, whose values rules ask for."""
    options = replace(before.options, read=replace(before.options.read, weights=weights))
    return look(before.source, options, before.known, alive)
