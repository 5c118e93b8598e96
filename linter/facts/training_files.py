"""What lies beside a net and trains it: the solver that names it, and the code that runs that.

Both are the companions that the reader of nets names; they are read as text, and nothing in them
runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.files.opening import open_regular

MAX_BYTES: Final = 1 << 18
"""What is read of a file: solvers and scripts are shorter."""

_RUNS: Final = pattern(r"\bget_solver\b|\bSGDSolver\b|\bAdamSolver\b|\bcaffe(?:\.bin)? train\b")
_FILLS: Final = pattern(
    r"surgery|\.params\b|copy_from|\bset_blobs?\b|caffemodel|weights|snapshot|solverstate|bilinear",
    re.IGNORECASE,
)
"""Words of code that fills a net's weights, or starts from trained ones."""


def untouched_by(net: str, beside: Iterable[str]) -> str:
    """The name of the solver that trains a net which no code beside it fills; "" where there is
    none, or no code that runs it, so that nothing can be said."""
    texts = {path: _text(path) for path in beside}
    names = re.compile(
        rf"""(?m)^[ \t]*+(?:train_)?net\s*:\s*["'](?:[^"'\n]*/)?{re.escape(_base(net))}["']"""
    )
    solver = next((path for path, text in texts.items() if names.search(text)), None)
    code = [text for path, text in texts.items() if not path.endswith(".prototxt")]
    runs = any(_RUNS.search(text) for text in code)
    if solver is None or not runs or any(_FILLS.search(text) for text in code):
        return ""
    return _base(solver)


def _base(path: str) -> str:
    return os.path.basename(path)


def _text(path: str) -> str:
    try:
        with open_regular(path) as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
