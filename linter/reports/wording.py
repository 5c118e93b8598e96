"""How a finding is told in a sentence, the same in every report."""

from __future__ import annotations

from linter.finding import Finding


def told(finding: Finding) -> str:
    """Whose fault, and what is wrong: "layer 'up': pad is 0"."""
    layer = f"layer '{finding.layer}': " if finding.layer else ""
    return layer + finding.message


def told_with_help(finding: Finding) -> str:
    """The same, and the next step on a line of its own."""
    return told(finding) + (f"\nhelp: {finding.help}" if finding.help else "")
