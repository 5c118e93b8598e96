"""The rules: all of them, one by its name, and one as JSON."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.errors import UsageError

if TYPE_CHECKING:
    from upconv.linter.rule import Rule


def all_rules() -> list[Rule]:
    """Every rule, those of plugins among them, by code."""
    from upconv.linter import rules as _rules  # noqa: F401  (importing them registers them)
    from upconv.linter.rule import RULES
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    return sorted(RULES.values(), key=lambda rule: rule.code)


class UnknownRuleError(UsageError):
    """There is no such rule."""


def find_rule(text: str) -> Rule:
    """The rule of that code or name.

    Raises UnknownRuleError, naming close ones, where there is none.
    """
    rules = all_rules()
    for rule in rules:
        if text.upper() == rule.code or text.lower() == rule.name:
            return rule
    known = [word for rule in rules for word in (rule.code, rule.name)]
    close = get_close_matches(text.upper(), known, 3) or get_close_matches(text.lower(), known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`upconv rule` lists them"
    raise UnknownRuleError(f"there is no rule '{text}'", hint=hint)


def rule_record(rule: Rule) -> dict[str, Any]:
    """A rule and its page as JSON has them."""
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "status": rule.status,
        "source": rule.source,
        "fixes": list(rule.fixes),
        "formats": list(rule.where),
        "summary": rule.summary,
        "sections": rule.sections,
    }
