"""Which input sizes a net accepts, and which give an output as large: exact for every size.

A model with letters for its inputs' sizes goes in (`open_sizes`). Each condition of its layers is
solved by itself, and a letter's set is what all of them leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from operator import and_

from upconv.converters.audit.conditions import Condition, asked
from upconv.converters.audit.growth import Growths, Unsayable, scaled_sum
from upconv.converters.audit.one_letter import (
    Failure,
    Net,
    Own,
    coupled_sizes,
    letters_of,
    look,
    own_sizes,
    split_minima,
    without_identities,
)
from upconv.converters.audit.size_sets import NONE, SizeSet, zeros
from upconv.converters.ir.dims import Dim, Symbol, symbol
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.records import record


@record(frozen=True, slots=True)
class AxisSizes:
    """One letter: the sizes that run, and those that give an output as large.

    A set is None where it cannot be said, and `because` says why; `known` is then what the
    conditions that are understood leave: no size outside of it runs. `whole`: all of its own
    conditions are understood, and only couplings may exclude more. `failures` divide the sizes
    that its own conditions exclude, in the order of the layers.
    """

    axis: str
    known: SizeSet
    runs: SizeSet | None
    same_size: SizeSet | None
    because: str
    whole: bool
    failures: tuple[Failure, ...]


@record(frozen=True, slots=True)
class InputSizes:
    """Every letter of a model's inputs, all conditions on them, and those on several at once."""

    axes: tuple[AxisSizes, ...]
    coupled: tuple[Condition, ...]
    conditions: tuple[Condition, ...] = ()

    def axis(self, name: str) -> AxisSizes | None:
        return next((one for one in self.axes if one.axis == name), None)


def input_sizes(
    model: Model, counts: Callable[[Condition], bool] = lambda condition: True
) -> InputSizes:
    """The sizes that a model with symbolic inputs accepts, letter by letter, by the conditions that
    count, all by default.

    >>> from upconv.converters.ir.dims import symbol
    >>> from upconv.converters.ir.model import Layer, ModelInput
    >>> from upconv.converters.ir.operators import Pool
    >>> pool = Pool("max", (3,), (2,), (1,), (0,), (0,), "floor", "never", False)
    >>> net = Model("net", "", "caffe", (ModelInput("x", (1, 3, symbol("W"))),), ("y",),
    ...             (Layer("pool", pool, ("x",), ("y",)),))
    >>> input_sizes(net).axes[0].runs.rule("W")
    'W >= 3'
    """
    inference = infer(model)
    everything = asked(model, inference)
    conditions = split_minima(filter(counts, everything.conditions))
    asks = tuple(conditions)
    coupled = tuple(one for one in asks if len(one.symbols) > 1)
    conditions, meanings = without_identities(conditions)
    net = Net(model, inference, tuple(conditions), everything.unknown, meanings)
    letters = letters_of(model)
    own = {letter: own_sizes(net, letter) for letter in letters if letter not in meanings}
    axes = [_axis(net, letter, own) for letter in letters]
    if any(one.known == NONE for one in axes):  # a net that never runs accepts no size anywhere
        axes = [replace(one, known=NONE, runs=NONE, same_size=NONE, because="") for one in axes]
    return InputSizes(tuple(axes), coupled, asks)


def _axis(net: Net, letter: str, own: Mapping[str, Own]) -> AxisSizes:
    """A letter's sets, worked out for the letter that it means, and moved by what it is more."""
    meaning = net.meaning(symbol(letter))
    assert isinstance(meaning, Dim)
    ((base, _),) = meaning.terms
    assert isinstance(base, Symbol)
    found = _judged(net, letter, base.name, own[base.name], own)
    moved = [one and one.shifted(meaning.constant) for one in (found.runs, found.same_size)]
    failures = (replace(f, sizes=f.sizes.shifted(meaning.constant)) for f in found.failures)
    known = found.known.shifted(meaning.constant)
    return replace(found, known=known, runs=moved[0], same_size=moved[1], failures=tuple(failures))


def _judged(net: Net, letter: str, base: str, mine: Own, own: Mapping[str, Own]) -> AxisSizes:
    runs: SizeSet | None = None
    same: SizeSet | None = None
    because = ""
    try:
        runs = _running(net, base, mine, own)
        same = _same_size(net, letter, base, runs, mine.doubtful)
    except Unsayable as reason:
        because = str(reason)
    whole = not mine.because
    return AxisSizes(letter, mine.known, runs, same, because, whole, mine.failures)


def _running(net: Net, letter: str, mine: Own, own: Mapping[str, Own]) -> SizeSet:
    if mine.known == NONE:
        return NONE
    if mine.because:
        raise Unsayable(mine.because)
    known = mine.known & coupled_sizes(net, letter, own)
    for size in (known & mine.doubtful).few():
        if not look(net, letter, size).runs:
            known = known & ~SizeSet.only(size)
    return known


def _same_size(net: Net, letter: str, base: str, runs: SizeSet, doubtful: SizeSet) -> SizeSet:
    """Where every output that grows as fast as the input is as large; if none does, where all
    are."""
    outputs, axis = _outputs_along(net, letter)
    growths = Growths(base)
    entry = growths.of(net.meaning(symbol(letter)))
    sizes = [growths.of(net.meaning(net.sizes_of(value)[axis])) for value in outputs]
    level = [one for one in sizes if one.slope == 1] or sizes
    apart = [scaled_sum([(1, one), (-1, entry)], 0) for one in level]
    same = reduce(and_, map(zeros, apart), runs)
    for size in (runs & doubtful).few():
        at = look(net, base, size)
        fits = all(at.size(value, axis) == entry(size) for value in outputs)
        same = same | SizeSet.only(size) if fits else same & ~SizeSet.only(size)
    return same


def _outputs_along(net: Net, letter: str) -> tuple[list[str], int]:
    """The outputs that have the axis on which a letter comes in, and its index."""
    places = (
        (axis, len(entry.shape))
        for entry in net.model.inputs
        if entry.shape is not None
        for axis, size in enumerate(entry.shape)
        if size == symbol(letter)
    )
    axis, rank = next(places, (0, 0))
    outputs = [value for value in net.model.outputs if len(net.sizes_of(value)) == rank]
    if not outputs:
        raise Unsayable("no output has this axis")
    return outputs, axis
