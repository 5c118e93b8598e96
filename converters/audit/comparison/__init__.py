"""Two models compared by meaning: names, order and form of no account."""

from __future__ import annotations

from upconv.converters.audit.comparison.compare import Comparison, compare
from upconv.converters.audit.comparison.differences import Difference

__all__ = ["Comparison", "Difference", "compare"]
