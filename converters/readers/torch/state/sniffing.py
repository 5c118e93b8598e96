"""PyTorch's files told by their first bytes."""

from __future__ import annotations

import re
from typing import Final

from upconv.converters.ir.patterns import pattern

ZIP: Final = b"PK\x03\x04"
PICKLE: Final = b"\x80"
SNIFFED: Final = 1 << 16
"""How many bytes of a file tell it."""

_MEMBERS: Final = (
    b"data.pkl",
    b"/version",
    b"constants.pkl",
    b"/code/",
    b"/data/weights/",
    b"/models/",
    b"serialized_exported_program.json",
)
_TENSOR_FIRST: Final = pattern(rb"PK\x03\x04.{26}[^/\0]+/(?:data|constants)/\d", re.DOTALL)
"""A TorchScript archive begins with its first tensor, which may hide every other name."""


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so is an archive of PyTorch's, of weights or of a program."""
    named = _TENSOR_FIRST.match(head) is not None or any(name in head for name in _MEMBERS)
    return head.startswith(ZIP) and named


def is_safetensors(head: bytes) -> bool:
    """Whether a file begins with the length of a header below 4 GiB, and JSON."""
    return head[4:9] == b"\0\0\0\0{"
