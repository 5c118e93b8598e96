"""Every rule, one module a family. Importing this package fills `RULES`, code -> rule."""

from __future__ import annotations

from linter.rule import RULES
from linter.rules import bilinear, file, geometry, merges, porting, weights

__all__ = ["RULES", "bilinear", "file", "geometry", "merges", "porting", "weights"]
