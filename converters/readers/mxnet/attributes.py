"""An operator's attributes, which are texts: numbers, tuples, truths, words (dmlc/parameter.h).

What nobody asked for is counted, since an attribute that is not understood may change anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.operators import Ints
from upconv.converters.readers.mxnet.symbol import Node

_ITEM: Final = r"(?:-?\d{1,18}L?|None)"
_TUPLE: Final = re.compile(rf"\s*([\[(]?)\s*({_ITEM}(?:\s*,\s*{_ITEM})*)?\s*,?\s*([\])]?)\s*")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_GIVEN_NOTHING: Final = ("", "()", "[]", "None")

TRAINING: Final = frozenset(
    """
    workspace cudnn_tune cudnn_off cudnn_algo_verbose momentum use_global_stats grad_scale
    ignore_label use_ignore normalization out_grad smooth_alpha margin valid_thresh
    regularization_coefficient use_linear is_int min_calib_range max_calib_range
    sparse_grad ndev lazy_update
    """.split()  # noqa: SIM905
)
"""Attributes that change how a layer is computed or trained, and not what its outputs are."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a node; `asked` are those that its lowering has read."""

    node: Node
    asked: set[str] = field(default_factory=set)

    def place(self, name: str = "") -> dict[str, Any]:
        """Where an attribute is written, else its node, as errors take it."""
        named = name in self.node.settings
        where = self.node.settings.span_of(name) if named else self.node.written.span
        return {"where": where, "layer": self.node.name}

    def fail(self, name: str, text: str, wanted: str) -> UnreadableError:
        return UnreadableError(f"{name} is {text[:50]!r}, not {wanted}", **self.place(name))

    def text(self, name: str) -> str | None:
        """The text of an attribute; None where it is not given."""
        self.asked.add(name)
        found = self.node.attributes.get(name)
        return None if found is None or found.strip() in _GIVEN_NOTHING else found.strip()

    def word(self, name: str, default: str) -> str:
        found = self.text(name)
        return default if found is None else found

    def flag(self, name: str, default: bool = False) -> bool:
        found = self.text(name)
        if found is not None and found.lower() not in _TRUTHS:
            raise self.fail(name, found, "True or False")
        return default if found is None else _TRUTHS[found.lower()]

    def number(self, name: str, default: float | None = None) -> float:
        found = self.text(name)
        if found is None and default is not None:
            return default
        try:
            value = float((found or "")[:400])
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise self.fail(name, found or "", "a number")
        return value

    def bounds(self, name: str) -> tuple[int | None, ...]:
        """Whole numbers, some of them None; () where the attribute is not given."""
        found = self.text(name)
        match = _TUPLE.fullmatch(found or "()")
        pairs = ("", ""), ("(", ")"), ("[", "]")
        if match is None or (match[1], match[3]) not in pairs:
            raise self.fail(name, found or "", "a tuple of whole numbers")
        items = (match[2] or "").replace("L", "").split(",") if match[2] else []
        if not match[1] and len(items) > 1:
            raise self.fail(name, found or "", "a tuple of whole numbers")
        return tuple(None if item.strip() == "None" else int(item) for item in items)

    def ints(self, name: str) -> Ints:
        """Whole numbers; () where the attribute is not given."""
        found = self.bounds(name)
        if None in found:
            raise self.fail(name, self.word(name, ""), "a tuple of whole numbers")
        return tuple(size for size in found if size is not None)

    def integer(self, name: str, default: int | None = None) -> int:
        found = self.ints(name)
        if len(found) != 1 and (found or default is None):
            raise self.fail(name, self.word(name, ""), "a whole number")
        return found[0] if found else int(default or 0)

    def positive(self, name: str, default: int | None = None) -> int:
        value = self.integer(name, default)
        if not 0 < value < 1 << 31:
            raise self.fail(name, str(value), "above 0")
        return value

    def require_all_asked(self) -> None:
        """Raise UnsupportedError for an attribute that was not read and may mean something."""
        for name, text in self.node.attributes.items():
            told = name in self.asked or name in TRAINING or text.strip() in _GIVEN_NOTHING
            if not told:
                raise UnsupportedError(
                    f"{self.node.op} with the attribute {name[:50]}, which is not known",
                    **self.place(name),
                )
