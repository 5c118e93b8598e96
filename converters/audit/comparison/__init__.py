"""Two models compared by meaning: names, order and form of no account."""

from __future__ import annotations

from upconv.converters.audit.comparison.compare import Comparison, Read, compare, compare_files
from upconv.converters.audit.comparison.differences import Difference

__all__ = ["Comparison", "Difference", "Read", "compare", "compare_files"]
