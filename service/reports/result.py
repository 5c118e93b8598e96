"""What an audit, and a comparison, left to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.audit.at_sizes import AtSizes
from upconv.converters.audit.audited import Audit
from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from upconv.converters.audit.comparison import Comparison, Difference
    from upconv.linter.finding import FileReport


@record(frozen=True, slots=True)
class AskedSizes:
    """Sizes of one axis that were asked for, and those of them that run."""

    letter: str
    asked: range
    running: tuple[int, ...]


@record(frozen=True, slots=True)
class ModelComparison:
    """Two models, A and B, compared by meaning."""

    left: Audit
    right: Audit
    found: Comparison

    @property
    def same(self) -> bool:
        """Whether nothing differs that changes numbers."""
        return self.found.same

    @property
    def differences(self) -> tuple[Difference, ...]:
        return self.found.differences

    def __bool__(self) -> bool:
        return self.same

    def __repr__(self) -> str:
        count = len(self.differences)
        told = "the same" if self.same else f"{count} difference{'' if count == 1 else 's'}"
        return f"<Comparison {_called(self.left)!r} and {_called(self.right)!r}: {told}>"

    def __str__(self) -> str:
        return _drawn("audit_text", "comparison_text", self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return _drawn("html.page", "comparison_notebook", self)


@record(frozen=True, slots=True)
class AuditResult:
    """An audit with what was asked besides: sizes, one image (`at`), another model (`against`),
    the linter's findings, and a proof as `upconv convert --report` writes it.

    `command` is how the model is named on a command line.
    """

    audit: Audit
    command: str = ""
    sizes: tuple[AskedSizes, ...] = ()
    at: AtSizes | None = None
    comparison: ModelComparison | None = None
    findings: FileReport | None = None
    proof: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """Whether all sizes that were asked for run, and nothing differs that changes numbers."""
        runs = self.audit.refused is None and (self.at is None or self.at.runs is not False)
        all_run = all(len(one.running) == len(one.asked) for one in self.sizes)
        return runs and all_run and (self.comparison is None or self.comparison.same)

    def rules(self) -> Iterator[tuple[str, str]]:
        """(letter, rule of the sizes that run) of each axis, as `H % 16 == 0`."""
        for axis in self.audit.found.axes:
            yield axis.axis, (axis.runs or axis.known).rule(axis.axis)

    def __repr__(self) -> str:
        rules = ", ".join(rule for _, rule in self.rules()) or "no open sizes"
        return f"<Audit {_called(self.audit)!r}: {rules}>"

    def __str__(self) -> str:
        return _drawn("audit_text", "audit_text", self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the report, in a frame of its own."""
        return _drawn("html.page", "audit_notebook", self)


def _called(audit: Audit) -> str:
    return audit.model.name or Path(audit.model.path).name


def _drawn(module: str, name: str, what: object) -> str:
    """What a report makes of it; it is found when it is asked for, since reports are made of
    results."""
    draw: Callable[[object], str] = getattr(import_module(f"upconv.service.reports.{module}"), name)
    return draw(what)
