"""What a rule is: a documented generator with a code, registered by one decorator.

A rule's docstring is its page. The first line says the smell in one sentence, then come the
sections of `HEADINGS`, each title on a line of its own followed by a colon. Both are checked when
the rule is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.linter.finding import Safety, Severity
from upconv.linter.hit import Hit

if TYPE_CHECKING:
    from upconv.linter.context import Context

__all__ = ["HEADINGS", "RULES", "Check", "Hit", "Rule", "Stage", "Status", "rule"]

HEADINGS: Final = (
    "What it finds",
    "Why it is bad",
    "Example",
    "Use instead",
    "Fix safety",
    "References",
)

Stage: TypeAlias = Literal["model", "closing"]
"""When a rule runs: on files that hold a model, or on every file, after all others."""

Status: TypeAlias = Literal["preview", "stable", "deprecated", "removed"]
"""What is a preview is off unless its whole code is selected."""


Check: TypeAlias = "Callable[[Context], Iterable[Hit]]"


@record(frozen=True, slots=True)
class Rule:
    """One rule. `source` cites where it comes from: a Caffe file, a paper, a thread.

    `frameworks` are those whose layers it judges; none means all. `formats` are those in whose
    files it can find anything, where these are fewer. What it finds again and again in a file is
    one finding with its count where it `folds`.
    """

    code: str
    name: str
    severity: Severity
    source: str
    check: Check
    stage: Stage = "model"
    status: Status = "stable"
    frameworks: tuple[str, ...] = ()
    folds: bool = False
    formats: tuple[str, ...] = ()

    def kind(self, hit: Hit) -> str | None:
        """What hits of one file have in common that are told as one; None where none are."""
        return (hit.kind or hit.message) if self.folds else None

    def concerns(self, hit: Hit) -> bool:
        """Whether a hit's layer is of a framework that the rule speaks of."""
        framework = hit.layer.origin.framework if hit.layer else ""
        return not self.frameworks or framework in ("", *self.frameworks)

    @property
    def where(self) -> tuple[str, ...]:
        """The formats, or the frameworks, that it concerns; none means all."""
        return self.formats or self.frameworks

    @property
    def fixes(self) -> tuple[Safety, ...]:
        """How safe its fixes are; none where it has none. The page says when they are."""
        said = self.sections["Fix safety"]
        return tuple(level for word, level in _LEVELS.items() if re.search(rf"\b{word}\b", said))

    @property
    def page(self) -> str:
        """The docstring, without its indentation."""
        return cleandoc(self.check.__doc__ or "")

    @property
    def summary(self) -> str:
        """The page's first paragraph, on one line."""
        return " ".join(self.page.split("\n\n", 1)[0].split())

    @property
    def sections(self) -> dict[str, str]:
        """Heading -> text, in the order of HEADINGS."""
        parts = _HEADING.split(self.page)[1:]
        return {parts[at]: cleandoc(parts[at + 1]) for at in range(0, len(parts), 2)}


_LEVELS: Final[dict[str, Safety]] = {"Safe": "safe", "Unsafe": "unsafe"}

_HEADING: Final = pattern(rf"^({'|'.join(HEADINGS)}):[ ]*$", re.MULTILINE)
_CODE: Final = pattern(r"[A-Z]{2,8}[0-9]{3,4}")
_NAME: Final = pattern(r"[a-z0-9]+(-[a-z0-9]+)*")

RULES: dict[str, Rule] = {}
"""Code -> rule, filled as `upconv.linter.rules` is imported."""


def rule(  # noqa: PLR0913  (keywords, one a field)
    code: str,
    name: str,
    *,
    severity: Severity,
    source: str,
    stage: Stage = "model",
    status: Status = "stable",
    frameworks: tuple[str, ...] = (),
    folds: bool = False,
    formats: tuple[str, ...] = (),
) -> Callable[[Check], Check]:
    """Decorator: the generator is the rule of that code.

    Raises ValueError for a code or name that is malformed or taken, and for a page that lacks a
    heading.
    """

    def enter(check: Check) -> Check:
        made = Rule(code, name, severity, source, check, stage, status, frameworks, folds, formats)
        problem = next(_problems(made), "")
        if problem:
            raise ValueError(f"rule {code} ({name}): {problem}")
        RULES[code] = made
        return check

    return enter


def _problems(made: Rule) -> Iterator[str]:
    if not _CODE.fullmatch(made.code):
        yield "a code is capitals and three digits, as in UP201"
    if not _NAME.fullmatch(made.name):
        yield "a name is lower-case words with hyphens"
    if made.code in RULES:
        yield f"the code belongs to {RULES[made.code].name}"
    if any(other.name == made.name for other in RULES.values()):
        yield "the name is taken"
    if not made.source:
        yield "a rule cites its source"
    page = made.check.__doc__ or ""
    for heading in HEADINGS:
        if f"\n    {heading}:\n" not in page:
            yield f"its page has no heading '{heading}:'"
