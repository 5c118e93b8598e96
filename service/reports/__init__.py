"""What an audit found, as text, JSON, HTML and pictures: functions from a result to text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from upconv.service.reports.result import AuditResult

FORMATS: Final = {
    "text": ("audit_text", "audit_text"),
    "json": ("audit_json", "audit_json"),
    "html": ("html.page", "audit_page"),
    "model-explorer": ("model_explorer", "model_explorer"),
}
"""Format -> the module and the function that make it."""


def audit_report(result: AuditResult, format_: str) -> str:
    """An audit in one of FORMATS."""
    module, name = FORMATS[format_]
    text: str = getattr(import_module(f"upconv.service.reports.{module}"), name)(result)
    return text
