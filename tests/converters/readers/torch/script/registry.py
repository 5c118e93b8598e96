"""What torch itself says of the operators that are read: its own registry of schemas."""

from __future__ import annotations

import re

import torch

from upconv.converters.readers.torch.aten.aliases import VIEWS
from upconv.converters.readers.torch.aten.constants import FOLDS
from upconv.converters.readers.torch.aten.lowering import LOWERINGS

_ALIAS = re.compile(r"\([a-z!*| ]+\)|\((?:a|b|\*)[!| ->*ab]*\)")
_UNUSED = re.compile(r"Dimname|Generator|complex|\bout\b|dim_max|dim_min|Tensor\(a!\) out")


def registered() -> str:
    """The schemas of every operator that a table here names, one a line."""
    targets = [*LOWERINGS, *VIEWS, *(f"aten.{name}" for name in FOLDS)]
    names = {target.split(".")[1] for target in targets}
    names |= {f"{name}_" for name in names}
    found = {
        _plain(str(schema))
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.removeprefix("aten::") in names and schema.name.startswith("aten::")
    }
    return "\n".join(sorted(line for line in found if line)) + "\n"


def _plain(text: str) -> str:
    """One schema without the marks of aliases; "" for one that no file can call."""
    text = re.sub(r"\((?:[a-z]!?(?:[|]\w|\s*->\s*\*)?|\*)\)", "", text).removeprefix("aten::")
    text = text.replace("SymInt", "int")
    arguments, _, result = text.rpartition(" -> ")
    if "Tensor" not in result or _UNUSED.search(text):
        return ""
    result = re.sub(r"(Tensor(?:\[\])?) \w+", r"\1", result)
    return f"{arguments} -> {result}"
