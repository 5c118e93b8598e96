"""Nodes, one after the other: folded where all they read is known, else lowered to layers.

What one node has wrong or we do not know becomes an Unknown operator and a notice, so that
everything else can still be checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from upconv.converters.ir.errors import UnsupportedError, UpconvError
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.folding.arrays import NotFoldableError
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.tensorflow.flat import FlatNode, Key, Place
from upconv.converters.readers.tensorflow.folding import FOLDS, fold, placeholder_of
from upconv.converters.readers.tensorflow.lowering import LOWERINGS, OF_PLACES, Call, named
from upconv.converters.readers.tensorflow.values import Dead, Entry, Missing, Part, Places
from upconv.converters.readers.tensorflow.variables import VARIABLES, Variables

_BRANCH: Final = (
    "a branch that is chosen when the graph runs (tf.cond)",
    "export again with the condition fixed, as in training=False",
)
_LOOP: Final = (
    "a loop (tf.while_loop, or a recurrent layer)",
    "unroll it, as in unroll=True, and export again",
)
_PYTHON: Final = ("calls Python code, which no file of a graph holds", "write it in TensorFlow")
REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), _BRANCH),
    **dict.fromkeys(("While", "StatelessWhile", "NextIteration", "LoopCond"), _LOOP),
    **dict.fromkeys(("TensorListReserve", "TensorListStack", "TensorListFromTensor"), _LOOP),
    **dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc"), _PYTHON),
}
"""Operations that are known and not represented: why, and what to do."""


@dataclass(slots=True)
class Evaluation:
    """The outputs of every node so far; `used` is the last output of each that anyone reads."""

    work: Workspace
    variables: Variables
    values: dict[Key, tuple[Entry, ...]] = field(default_factory=dict)
    used: dict[Key, int] = field(default_factory=dict)

    def run(self, nodes: Sequence[FlatNode], ends: Sequence[Place]) -> None:
        """Evaluate nodes that are in an order in which they can run."""
        for place in (*(place for node in nodes for place in node.inputs), *ends):
            self.used[place.key] = max(self.used.get(place.key, 0), place.index)
        for node in nodes:
            if node.key not in self.values:
                self.values[node.key] = self.outputs(node)

    def outputs(self, flat: FlatNode) -> tuple[Entry, ...]:
        """What a node makes of the outputs before it."""
        origin = self.origin(flat)
        entries: tuple[Entry, ...] = ()
        mark = len(self.work.layers)
        try:
            entries = tuple(self.entry(place) for place in flat.inputs)
            return self._made(Call(flat, entries, self.work, origin, self.used.get(flat.key, 0)))
        except UpconvError as error:
            self.work.undo(mark)
            return self.unknown(Call(flat, entries, self.work, origin), error)

    def origin(self, flat: FlatNode) -> Origin:
        """Where a node was written."""
        return Origin(self.work.path, "tensorflow", flat.node.op, flat.node.span)

    def entry(self, place: Place) -> Entry:
        """One output of a node that has been evaluated."""
        found = self.values[place.key]
        if place.index >= len(found):
            raise UnsupportedError(f"reads output {place.index} of '{place.key[1]}'")
        return found[place.index]

    def _made(self, call: Call) -> tuple[Entry, ...]:
        """The outputs of a node: known at once, or as layers."""
        node, entries = call.node, call.entries
        if node.op == "Const":
            return (_constant(call),)
        if node.op in VARIABLES:
            return (self._variable(call),)
        if node.op != "Merge" and any(isinstance(entry, Dead) for entry in entries):
            return (Dead(),) * (self.used.get(call.flat.key, 0) + 1)
        return evaluated(call, self.used.get(call.flat.key, 0) + 1)

    def _variable(self, call: Call) -> Entry:
        """A variable's values from the checkpoint, in the shape the graph gives it."""
        shape = call.node.shape("shape")
        sizes = None if shape is None else tuple(size for size in shape if size is not None)
        whole = sizes is not None and shape is not None and len(sizes) == len(shape)
        found = self.variables.stored(call.flat.key)
        if found is None:
            return Missing(call.name, sizes if whole else None)
        if whole and found.shape != sizes:
            raise call.invalid(f"the checkpoint has the shape {found.shape}, the graph {sizes}")
        return Known(found.dtype.kind, found.shape, found)

    def unknown(self, call: Call, error: UpconvError) -> tuple[Entry, ...]:
        """The node as an operator that is not known, told in a notice."""
        follows = any(isinstance(e, Value) and e.axes is None for e in call.entries)
        names = dict.fromkeys(_value_of(entry).name for entry in call.entries if _is_data(entry))
        made = self.work.unknown(
            call.name,
            call.node.op,
            error,
            names,
            call.origin,
            named(call.name, min(self.used.get(call.flat.key, 0), 1 << 10) + 1),
            told=not follows or call.node.op not in LOWERINGS,
        )
        return tuple(Value(name, None) for name in made)


def evaluated(call: Call, used: int) -> tuple[Entry, ...]:
    """The outputs of an operation, of which `used` are: folded where all it reads is known, else
    lowered to layers. Raises UnsupportedError for one that is not represented."""
    node, entries = call.node, call.entries
    known = [entry for entry in entries if isinstance(entry, Known)]
    if node.op in FOLDS and len(known) == len(entries):
        try:
            return _folded(call, known)
        except NotFoldableError:
            if node.op not in OF_SIZES:
                raise
    if _is_weight_arithmetic(node.op, entries):
        return _missing(call, used)
    table = OF_PLACES if any(isinstance(entry, Places) for entry in entries) else LOWERINGS
    if node.op not in table and node.op in LOWERINGS:
        raise call.unsupported("computes with the indices of a pooling more than an unpooling")
    if node.op not in table:
        reason, hint = REFUSED.get(node.op, (f"unknown operation '{node.op}'", ""))
        raise call.unsupported(reason, hint)
    made = table[node.op](call)
    return made if isinstance(made, tuple) else (made,)


def _folded(call: Call, known: Sequence[Known]) -> tuple[Known, ...]:
    """A node on known tensors, with sizes as formulas, or where it takes none as their numbers.

    Raises NotFoldableError where they are open.
    """
    try:
        return fold(call.node, known)
    except NotFoldableError:
        if not any(entry.is_symbolic for entry in known):
            raise
        return fold(call.node, known, call.work.known)


OF_SIZES: Final = frozenset({"Range", "Fill"})
"""Operations that are layers where their sizes are open."""


def _is_data(entry: Entry) -> bool:
    return isinstance(entry, Value | Part)


def _value_of(entry: Entry) -> Value:
    value = entry.value if isinstance(entry, Part) else entry
    assert isinstance(value, Value), "data of the network"
    return value


def _is_weight_arithmetic(op: str, entries: Sequence[Entry]) -> bool:
    """Whether a node computes a weight from variables, some without values."""
    known = all(isinstance(entry, Known | Missing) for entry in entries)
    missing = any(isinstance(entry, Missing) for entry in entries)
    return known and missing and op in FOLDS and op != "Cast"


def _missing(call: Call, count: int) -> tuple[Entry, ...]:
    """What a node makes of variables without values: weights of which at most the shape is
    known."""
    unknown = (Missing(call.name, None),) * count
    entries: list[Known] = []
    for entry in call.entries:
        if isinstance(entry, Known):
            entries.append(entry)
        elif isinstance(entry, Missing) and entry.shape is not None:
            entries.append(placeholder_of(entry.shape))
        else:
            return unknown
    try:
        made = fold(call.node, entries)
    except UpconvError:
        return unknown
    return tuple(Missing(call.name, one.shape) for one in made)


def _constant(call: Call) -> Entry:
    tensor = call.node.tensor("value")
    if tensor is None:
        raise call.invalid("a constant without its value")
    return Known(tensor.dtype.kind, tensor.shape, tensor)
