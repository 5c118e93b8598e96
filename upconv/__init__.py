"""The layers that make feature maps larger: checked, converted to ONNX, and proven equal.

`load`, `check`, `convert`, `inspect`, `verify`, `audit`, `compare`, `probe_make`, `probe_read` and
`from_torch` do what the command line does; see docs/python.md. What stands in `__all__` is the
public interface. Nothing is imported before it is used, so `import upconv` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.converters.ir.errors import (
        AmbiguousError,
        ShapeError,
        UnreadableError,
        UnsupportedError,
        UpconvError,
        UsageError,
    )
    from upconv.converters.ir.model import Model
    from upconv.converters.proof.report import Verification
    from upconv.linter.finding import Finding, Report
    from upconv.service.python.calls import (
        audit,
        check,
        compare,
        convert,
        from_torch,
        inspect,
        load,
        verify,
    )
    from upconv.service.python.probes import probe_make, probe_read
    from upconv.service.reports.result import AuditResult, ModelComparison
    from upconv.service.work.conversion import Conversion
    from upconv.service.work.inspection import Inspection
    from upconv.service.work.probing import ProbeReading

    __version__: str

__all__ = [
    "AmbiguousError",
    "AuditResult",
    "Conversion",
    "Finding",
    "Inspection",
    "Model",
    "ModelComparison",
    "ProbeReading",
    "Report",
    "ShapeError",
    "UnreadableError",
    "UnsupportedError",
    "UpconvError",
    "UsageError",
    "Verification",
    "__version__",
    "audit",
    "check",
    "compare",
    "convert",
    "from_torch",
    "inspect",
    "load",
    "probe_make",
    "probe_read",
    "verify",
]

_HOMES = {
    "AmbiguousError": "converters.ir.errors",
    "AuditResult": "service.reports.result",
    "Conversion": "service.work.conversion",
    "Finding": "linter.finding",
    "Inspection": "service.work.inspection",
    "Model": "converters.ir.model",
    "ModelComparison": "service.reports.result",
    "ProbeReading": "service.work.probing",
    "Report": "linter.finding",
    "ShapeError": "converters.ir.errors",
    "UnreadableError": "converters.ir.errors",
    "UnsupportedError": "converters.ir.errors",
    "UpconvError": "converters.ir.errors",
    "UsageError": "converters.ir.errors",
    "Verification": "converters.proof.report",
    "audit": "service.python.calls",
    "check": "service.python.calls",
    "compare": "service.python.calls",
    "convert": "service.python.calls",
    "from_torch": "service.python.calls",
    "inspect": "service.python.calls",
    "load": "service.python.calls",
    "probe_make": "service.python.probes",
    "probe_read": "service.python.probes",
    "verify": "service.python.calls",
}
"""Name -> the module that has it."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("upconv")
    elif name in _HOMES:
        value = getattr(import_module(f"upconv.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'upconv' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
