"""Models read from code that stands in a test."""

from __future__ import annotations

from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.python_source.reader import read_python_source

TORCH = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
KERAS = "from tensorflow import keras\nfrom tensorflow.keras import layers\n"


def read(code: str, path: str = "net.py") -> Model:
    return read_python_source(Source(path, code), ReadOptions())


def reasons(code: str) -> list[str]:
    """Why calls of a piece of code were not read: what the notice of them says."""
    return [one.error.message for one in read(code).notices if one.kind == "unread-calls"]
