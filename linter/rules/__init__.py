"""Every rule, one module a family. Importing this package registers them."""

from __future__ import annotations

from linter.rules import bilinear, file, geometry, merges, porting, weights

__all__ = ["bilinear", "file", "geometry", "merges", "porting", "weights"]
