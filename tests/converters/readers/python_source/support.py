"""Models read from code that stands in a test."""

from __future__ import annotations

from converters.ir import Model
from converters.origin import Source
from converters.readers.options import ReadOptions
from converters.readers.python_source.call import PythonFile
from converters.readers.python_source.reader import read_python_source

TORCH = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
KERAS = "from tensorflow import keras\nfrom tensorflow.keras import layers\n"


def read(code: str, path: str = "net.py") -> Model:
    return read_python_source(Source(path, code), ReadOptions())


def file_of(model: Model) -> PythonFile:
    node = model.origin.node
    assert isinstance(node, PythonFile)
    return node


def reasons(code: str) -> list[str]:
    """Why calls of a piece of code were not read."""
    return [one.reason for one in file_of(read(code)).skipped]
