"""What the page needs to work out its numbers anew: steps, conditions, sets, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from upconv.converters.audit.size_sets import SizeSet
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.shapes import Shape
from upconv.service.reports.html.arithmetic import Steps, TooManyStepsError
from upconv.service.reports.result import AuditResult
from upconv.service.reports.words import printable

LARGEST: Final = 150_000
"""Characters of the JSON; a page without it shows numbers of one size."""

LONGEST: Final = 160
"""Characters of a condition."""

MOST_LISTED: Final = 5_000
"""Numbers of a set."""


class Numbers:
    """The steps to all sizes that a page shows. `open`: whether it can work them out."""

    def __init__(self, result: AuditResult, box_of: Mapping[str, int]) -> None:
        self._result = result
        self._steps = Steps()
        self._marks: dict[Shape, str] = {}
        self.record: dict[str, Any] = {}
        try:
            self.record = self._whole(box_of)
            self.open = len(self.json) <= LARGEST
        except TooManyStepsError:
            self.open = False
        if not self.open:
            self.record = {}

    @property
    def json(self) -> str:
        """As a script element may hold it: nothing in it ends the element."""
        text = json.dumps(self.record, separators=(",", ":"))
        return text.replace("<", "\\u003c").replace("&", "\\u0026")

    def mark(self, shape: Shape | None) -> str:
        """The attribute from which a page fills in the size of this shape."""
        if not self.open or shape is None or len(shape) < 3:
            return ""
        if shape[2:] not in self._marks:
            try:
                steps = ",".join(str(self._steps.of(size)) for size in shape[2:])
            except TooManyStepsError:
                return ""
            self._marks[shape[2:]] = f' data-s="{steps}"'
        return self._marks[shape[2:]]

    def _whole(self, box_of: Mapping[str, int]) -> dict[str, Any]:
        audit = self._result.audit
        rows = {layer.name: index for index, layer in enumerate(audit.model.layers)}
        for shape in audit.shapes.values():
            for size in (shape or ())[2:]:
                self._steps.of(size)
        letters = [axis.axis for axis in audit.found.axes if axis.axis not in NO_SIZES]
        return {
            "steps": self._steps.table,
            "letters": letters,
            "at": dict(audit.at),
            "whole": all(axis.whole for axis in audit.found.axes),
            "tied": bool(audit.found.coupled),
            "sets": {
                axis.axis: _set(axis.runs or axis.known)
                for axis in audit.found.axes
                if axis.axis in letters
            },
            "outputs": self._outputs(),
            "conditions": [
                {
                    "layer": printable(one.layer.name),
                    "box": box_of.get(one.layer.name, -1),
                    "row": rows.get(one.layer.name, -1),
                    "text": printable(str(one)[:LONGEST]),
                    "any": [[r.kind, self._steps.of(r.difference)] for r in one.any_of],
                }
                for one in audit.found.conditions
            ],
        }

    def _outputs(self) -> list[Any]:
        audit = self._result.audit
        pairs = ((name, audit.shapes.get(name)) for name in audit.model.outputs[:4])
        return [
            [printable(name), [self._steps.of(size) for size in shape[2:]]]
            for name, shape in pairs
            if shape is not None and len(shape) > 2
        ]


def _set(sizes: SizeSet) -> dict[str, Any]:
    if len(sizes.rests) + len(sizes.exceptions) > MOST_LISTED:
        raise TooManyStepsError
    return {
        "from": sizes.start,
        "modulus": sizes.modulus,
        "rests": list(sizes.rests),
        "exceptions": list(sizes.exceptions),
    }
