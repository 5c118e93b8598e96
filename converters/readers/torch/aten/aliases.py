"""Operators that change a tensor in place, in a graph whose values are written once.

After `y = relu_(x)` both names hold the new values: x is read as y from then on. Where another
tensor shares x's memory (a view), that tensor changes too, which no layer here can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import Node, TensorRef

SAME: Final = frozenset(
    f"aten.{name}.default"
    for name in (
        "alias",
        "alpha_dropout",
        "detach",
        "dropout",
        "feature_alpha_dropout",
        "feature_dropout",
        "positive",
    )
)
"""Operators whose output is their input: dropout as well, where the module does not train (ATen
Dropout.cpp), and elsewhere it is not read."""

VIEWS: Final = SAME | frozenset(
    f"aten.{name}"
    for name in (
        "broadcast_to.default",
        "chunk.default",
        "contiguous.default",
        "expand.default",
        "expand_as.default",
        "flatten.using_ints",
        "mT.default",
        "movedim.int",
        "movedim.intlist",
        "narrow.Tensor",
        "narrow.default",
        "numpy_T.default",
        "permute.default",
        "ravel.default",
        "reshape.default",
        "reshape_as.default",
        "select.int",
        "slice.Tensor",
        "split.Tensor",
        "split_with_sizes.default",
        "swapaxes.default",
        "swapdims.default",
        "squeeze.default",
        "squeeze.dim",
        "squeeze.dims",
        "t.default",
        "to.dtype",
        "to.device",
        "transpose.int",
        "unbind.int",
        "unflatten.int",
        "unsqueeze.default",
        "view.default",
        "view_as.default",
    )
)
"""Operators whose output may share its input's memory."""


def is_in_place(target: str) -> bool:
    """Whether an operator writes into its first argument: its name ends with one underscore.

    >>> is_in_place("aten.relu_.default"), is_in_place("aten.relu.default")
    (True, False)
    """
    name = target.split(".")[1] if target.count(".") else ""
    return name.endswith("_") and not name.endswith("__")


class Aliases:
    """Which name stands for a tensor now, and which tensors share memory.

    `pending`: how often each name is still read, kept up to date by whoever goes through the
    program; a name that is not in it may be read at any time.
    """

    def __init__(self, pending: Mapping[str, int]) -> None:
        self._pending = pending
        self._current: dict[str, str] = {}
        self._same: dict[str, str] = {}
        self._base: dict[str, str] = {}
        self._family: dict[str, list[str]] = {}

    def current(self, name: str) -> str:
        """The name that holds the tensor's present values."""
        while name in self._current:
            name = self._current[name]
        return name

    def replace(self, name: str, now: str) -> None:
        """Let a tensor's values be those of another from here on."""
        self._hold({self.current(name)}, now)

    def require_plain(self, node: Node) -> None:
        """Raise UnsupportedError where a node writes into memory of which others read later."""
        if not is_in_place(node.target):
            return
        target = self.current(_first(node))
        family = self._family.get(self._base.get(target, target), [])
        others = (name for name in family if self._whole(name) != self._whole(target))
        if any(self._pending.get(name, 1) for name in others):
            raise UnsupportedError(
                "it changes a tensor in place of which there are views",
                hint="write it as a new tensor, or export with run_decompositions()",
            )

    def note(self, node: Node) -> None:
        """Remember what a lowered node made of its first argument."""
        first = _first(node)
        if not first or not node.outputs:
            return
        source = self.current(first)
        base = self._base.get(source, source)
        written = is_in_place(node.target)
        if not written and node.target not in VIEWS:
            return
        members = self._family.setdefault(base, [base])
        whole = self._whole(source)
        for output in node.outputs:
            self._base[output] = base
            if written or node.target in SAME:
                self._same[output] = whole
            members.append(output)
        if written:
            held = {self.current(name) for name in members if self._whole(name) == whole}
            self._hold(held, node.outputs[0])

    def _hold(self, names: set[str], now: str) -> None:
        """Let these, which stand for themselves, stand for what `now` does. A node that is not
        understood may write what it makes, so that `now` itself stands for one of them."""
        end = self.current(now)
        self._current.update(dict.fromkeys(names - {end}, end))

    def _whole(self, name: str) -> str:
        """The first name of the whole tensor that a name stands for."""
        return self._same.get(name, name)


def _first(node: Node) -> str:
    first = next(iter(node.arguments.values()), None)
    return first.name if isinstance(first, TensorRef) else ""
