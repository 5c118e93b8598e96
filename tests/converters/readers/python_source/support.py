"""Models read from code that stands in a test."""

from __future__ import annotations

from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.python_source.call import PythonFile
from upconv.converters.readers.python_source.reader import read_python_source

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
