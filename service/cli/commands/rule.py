"""`upconv rule`: the rules and their pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

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
    from upconv.service.work.rules import all_rules, find_rule, rule_record

    chosen = [find_rule(code)] if code else all_rules()
    if format_ == "json":
        click.echo(json.dumps([rule_record(rule) for rule in chosen], indent=2))
    elif code:
        rule = chosen[0]
        click.echo(f"{rule.code} {rule.name} ({rule.severity})\n\n{rule.page}")
    else:
        for rule in chosen:
            click.echo(_row(rule))
    return 0


def _row(rule: Rule) -> str:
    fixes, where = "/".join(rule.fixes) or "-", ",".join(rule.where) or "all"
    return f"{rule.code}  {rule.severity:7}  {fixes:11} {where:16} {rule.name:28} {rule.summary}"
