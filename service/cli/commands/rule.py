"""`upconv rule`: the rules and their pages."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from upconv.converters.ir.errors import UsageError
from upconv.service.cli.rule_options import rule_words

if TYPE_CHECKING:
    from upconv.linter.rule import Rule


@click.command()
@click.argument("code", required=False, shell_complete=rule_words)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def command(code: str | None, format_: str) -> int:
    """Show the page of a rule, by its CODE or name, or list all rules.

    A line has code, severity, how safe the fixes are that --fix makes (- where there are none), the
    formats in which it finds something, name and summary.

    \b
    Examples:
      upconv rule                                   all of them, a line each
      upconv rule UP201
      upconv rule bilinear-kernel-size
      upconv rule --format json
    """
    from upconv.linter.running.plugins import load_plugins

    load_plugins()
    chosen = [find_rule(code)] if code else all_rules()
    if format_ == "json":
        click.echo(json.dumps([_record(rule) for rule in chosen], indent=2))
    elif code:
        rule = chosen[0]
        click.echo(f"{rule.code} {rule.name} ({rule.severity})\n\n{rule.page}")
    else:
        for rule in chosen:
            click.echo(_row(rule))
    return 0


def all_rules() -> list[Rule]:
    """Every rule, by code."""
    from upconv.linter import rules as _rules  # noqa: F401  (importing them registers them)
    from upconv.linter.rule import RULES

    return sorted(RULES.values(), key=lambda rule: rule.code)


def find_rule(text: str) -> Rule:
    """The rule of that code or name.

    Raises UsageError, naming close ones, where there is none.
    """
    rules = all_rules()
    for rule in rules:
        if text.upper() == rule.code or text.lower() == rule.name:
            return rule
    known = [word for rule in rules for word in (rule.code, rule.name)]
    close = get_close_matches(text.upper(), known, 3) or get_close_matches(text.lower(), known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`upconv rule` lists them"
    raise UsageError(f"there is no rule '{text}'", hint=hint)


def _row(rule: Rule) -> str:
    fixes, where = "/".join(rule.fixes) or "-", ",".join(rule.where) or "all"
    return f"{rule.code}  {rule.severity:7}  {fixes:11} {where:16} {rule.name:28} {rule.summary}"


def _record(rule: Rule) -> dict[str, Any]:
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
