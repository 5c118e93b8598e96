"""What a rule yields."""

from __future__ import annotations

from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Span
from upconv.converters.ir.records import record
from upconv.linter.finding import Fix, Severity


@record(frozen=True, slots=True)
class Hit:
    """What a rule yields. The narrower of `where` and the layer's span is shown.

    `severity` overrides the rule's own where a case is milder. `layer_name` names the layer where
    the reader saw it and no Layer record exists. Of a rule that folds, hits of one `kind` are one
    finding; where none is given, those of one message are.
    """

    message: str
    help: str
    layer: Layer | None = None
    where: Span | None = None
    severity: Severity | None = None
    fix: Fix | None = None
    layer_name: str = ""
    kind: str = ""
