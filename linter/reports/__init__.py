"""Reports: functions from a Report to text. `FORMATS` maps `--format` names to them.

A format's module is imported when it is asked for: a check at a terminal needs one of seven.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from upconv.linter.finding import Report

Reporter = Callable[[Report], str]


def _from(module: str, name: str) -> Reporter:
    def reporter(report: Report) -> str:
        function: Reporter = getattr(import_module(f"upconv.linter.reports.{module}"), name)
        return function(report)

    return reporter


FORMATS: Final[dict[str, Reporter]] = {
    "text": _from("text", "text"),
    "concise": _from("concise", "concise"),
    "json": _from("json_report", "json_report"),
    "sarif": _from("sarif", "sarif"),
    "github": _from("github", "github"),
    "gitlab": _from("gitlab", "gitlab"),
    "junit": _from("junit", "junit"),
}

__all__ = ["FORMATS", "Reporter"]
