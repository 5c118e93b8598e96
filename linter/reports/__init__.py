"""Reports: functions from a Report to text. `FORMATS` maps `--format` names to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from linter.finding import Report
from linter.reports.concise import concise
from linter.reports.github import github
from linter.reports.gitlab import gitlab
from linter.reports.json_report import json_report
from linter.reports.junit import junit
from linter.reports.sarif import sarif
from linter.reports.text import text

Reporter = Callable[[Report], str]

FORMATS: Final[dict[str, Reporter]] = {
    "text": text,
    "concise": concise,
    "json": json_report,
    "sarif": sarif,
    "github": github,
    "gitlab": gitlab,
    "junit": junit,
}

__all__ = [
    "FORMATS",
    "Reporter",
    "concise",
    "github",
    "gitlab",
    "json_report",
    "junit",
    "sarif",
    "text",
]
