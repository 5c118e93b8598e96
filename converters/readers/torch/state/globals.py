"""Which globals a file of weights may name, and which of the others run a program's code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Notice
from upconv.converters.readers.torch.state.pickles import Global

_PLAIN: Final = (
    "(?:set|frozenset|list|dict|tuple|int|float|bool|str|bytes|bytearray|complex|slice|range"
    "|object)"
)
SAFE: Final = re.compile(
    rf"(?:builtins|__builtin__)\.{_PLAIN}"
    r"|collections\.(?:OrderedDict|defaultdict|Counter|deque)"
    r"|(?:copy_reg|copyreg)\._reconstructor"
    r"|torch\.(?:\w+Storage|Size|device|dtype|Tensor|Generator)"
    r"|torch\.(?:bool|u?int\d+|q?u?int\d+|float\d+\w*|bfloat16|complex\d+|double|half|long|short)"
    r"|torch\.(?:strided|contiguous_format|preserve_format|channels_last(?:_3d)?|sparse_coo)"
    r"|torch\.storage\._?(?:Typed|Untyped)Storage|torch\._tensor\._rebuild_from_type(?:_v2)?|torch\.serialization\._get_layout"
    r"|torch\._utils\._rebuild\w*|torch\._C\._nn\.gelu|torch\.nn\.parameter\.\w+"
    r"|torch\.nn(?:\.modules(?:\.\w+)?)?\.[A-Z]\w*|torch\.nn\.functional\.[a-z]\w*"
    r"|torch\.(?:relu|tanh|sigmoid|cat|nn\.init\.\w+)"
    r"|numpy\.(?:dtype|ndarray|u?int\d+|float\d+|bool_?)"
    r"|numpy\._?core\.(?:multiarray\.(?:_reconstruct|scalar)|numeric\._frombuffer)"
    r"|numpy\.dtypes\.\w+|_codecs\.encode"
)
"""Names of tensors, plain values and PyTorch's own modules."""

# fmt: off
_DANGEROUS: Final = frozenset(
    {
        "os", "posix", "nt", "subprocess", "sys", "shutil", "socket", "runpy", "importlib", "pty",
        "commands", "pickle", "marshal", "ctypes", "code", "codeop", "webbrowser", "urllib",
        "requests", "http", "asyncio", "multiprocessing", "threading", "builtins", "__builtin__",
        "pip", "operator", "functools", "types", "tempfile", "pathlib", "platform", "timeit",
        "pdb", "bdb",
    }
)
# fmt: on


def notices(names: Iterable[Global], path: str) -> list[Notice]:
    """A notice for every global that is not among those of weights."""
    return [_notice(one, path) for one in names if not SAFE.fullmatch(one.path)]


def _notice(name: Global, path: str) -> Notice:
    shown = "".join(c if c.isprintable() else "?" for c in name.path)
    if name.module.partition(".")[0] in _DANGEROUS:
        error = UnsupportedError(
            f"unpickling it calls {shown}, which no model has a use for",
            path=path,
            hint="do not load this file: ask where it comes from",
        )
        return Notice("dangerous-code", error)
    error = UnsupportedError(
        f"unpickling it imports {shown} and runs it",
        path=path,
        hint="save the state_dict, or safetensors, and keep the code apart",
    )
    return Notice("executable-code", error)
