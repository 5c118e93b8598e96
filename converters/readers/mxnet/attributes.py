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
_REALS: Final = re.compile(r"\s*[\[(]?([^\[\]()]*)[\])]?\s*")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_GIVEN_NOTHING: Final = ("", "()", "[]", "None")

IGNORED: Final = frozenset(
    """
    workspace cudnn_tune cudnn_off cudnn_algo_verbose momentum use_global_stats grad_scale
    ignore_label use_ignore normalization out_grad smooth_alpha margin valid_thresh
    regularization_coefficient use_linear is_int min_calib_range max_calib_range
    sparse_grad ndev lazy_update num_args dtype ctx output_mean_var
    """.split()  # noqa: SIM905
)
"""Attributes that change how a layer is computed, stored or trained, and not what its outputs are:
numbers are float32 here, whatever their `dtype`."""


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

    def invalid(self, message: str, name: str = "") -> UnreadableError:
        """An error about this node: MXNet itself would refuse it."""
        return UnreadableError(message, **self.place(name))

    def unsupported(self, message: str, name: str = "", hint: str = "") -> UnsupportedError:
        """An error about this node: it is legal, but cannot be represented."""
        return UnsupportedError(message, hint=hint, **self.place(name))

    def _no(self, name: str, wanted: str) -> UnreadableError:
        return self.invalid(f"{name} is {(self.text(name) or '')[:50]!r}, not {wanted}", name)

    def text(self, name: str) -> str | None:
        """The text of an attribute; None where it is not given."""
        self.asked.add(name)
        found = self.node.attributes.get(name)
        return None if found is None or found.strip() in _GIVEN_NOTHING else found.strip()

    def word(self, name: str, default: str, *known: str) -> str:
        """A word, one of those `known` where any are said."""
        found = self.text(name) or default
        if known and found not in (default, *known):
            raise self._no(name, f"{', '.join((default, *known)[:-1])} or {known[-1]}")
        return found

    def flag(self, name: str, default: bool = False) -> bool:
        found = (self.text(name) or str(default)).lower()
        if found not in _TRUTHS:
            raise self._no(name, "True or False")
        return _TRUTHS[found]

    def number(self, name: str, default: float | None = None) -> float:
        found = self.text(name)
        if found is None and default is not None:
            return default
        if not _is_real(found):
            raise self._no(name, "a number")
        return _real(found)

    def numbers(self, name: str, *default: float) -> tuple[float, ...]:
        """Real numbers in a tuple."""
        match = _REALS.fullmatch(self.text(name) or "")
        items = [one for one in (match[1] if match else "").split(",") if one.strip()]
        if match is None or not all(map(_is_real, items)):
            raise self._no(name, "a tuple of numbers")
        return tuple(map(_real, items)) or default

    def bounds(self, name: str) -> tuple[int | None, ...]:
        """Whole numbers, some of them None; () where the attribute is not given."""
        match = _TUPLE.fullmatch(self.text(name) or "()")
        items = (match[2] or "").replace("L", "").split(",") if match and match[2] else []
        pairs = [("(", ")"), ("[", "]"), *([("", "")] if len(items) < 2 else [])]
        if match is None or (match[1], match[3]) not in pairs:
            raise self._no(name, "a tuple of whole numbers")
        return tuple(None if item.strip() == "None" else int(item) for item in items)

    def ints(self, name: str, *default: int) -> Ints:
        """Whole numbers; `default` where the attribute is not given."""
        found = self.bounds(name)
        if None in found:
            raise self._no(name, "a tuple of whole numbers")
        return tuple(size for size in found if size is not None) or default

    def integer(self, name: str, default: int | None = None) -> int:
        found = self.ints(name) or (() if default is None else (default,))
        if len(found) != 1:
            raise self._no(name, "a whole number")
        return found[0]

    def positive(self, name: str, default: int | None = None) -> int:
        value = self.integer(name, default)
        if not 0 < value < 1 << 31:
            raise self._no(name, "above 0")
        return value

    def require_all_asked(self) -> None:
        """Raise UnsupportedError for an attribute that was not read and may mean something."""
        for name, text in self.node.attributes.items():
            told = name in self.asked or name in IGNORED or text.strip() in _GIVEN_NOTHING
            if not told:
                what = f"{self.node.op} with the attribute {name[:50]}, which is not known"
                raise self.unsupported(what, name)


def _real(text: str | None) -> float:
    return float((text or "nan")[:400])


def _is_real(text: str | None) -> bool:
    try:
        return isfinite(_real(text))
    except ValueError:
        return False
