"""The one intermediate representation: a model is a list of layers over named values.

Values are in single-assignment form: each is written by one layer, or is a graph input. What a
layer does is an operator record of `operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from importlib import import_module
from typing import Literal, TypeAlias

from upconv.converters.ir.dims import Like, Size, leaves
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.operators import Operator, targets
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight

Shape: TypeAlias = tuple[Size, ...]

NoticeKind: TypeAlias = Literal[
    "unreadable-part",  # of the file, or of the weights given for it
    "unknown-layer-type",  # or one whose fields ask for what cannot be said
    "unknown-field",  # a layer has one that may change what it computes
    "dangling-name",  # a layer reads a value that none before it writes
    "name-of-other-phase",  # ... but a layer of the phase that is not run does
    "missing-name",  # a layer writes a value without a name
    "repeated-name",  # two layers write one value
    "repeated-layer-name",  # harmless but to weights, which are found by name
    "foreign-weights",  # no layer has the name of a layer of the weights
    "unmatched-weights",  # some of their names fit no layer
    "obsolete-format",
    "executable-code",  # loading the file, or running the model, runs code
    "dangerous-code",  # ... which no model has a use for
    "half-given-field",  # kernel_h without kernel_w
    "fork-dialect",  # forks of the framework disagree about the layer
    "unrecorded-convention",  # versions of it do, and the file does not say its version
    "assumed-backend",  # where another would compute other numbers of the same file
    "refused-call",  # the framework raises an error when it is made or when it runs
    "fails-when-called",  # the framework builds the layer, and fails when it runs
    "whole-number-arithmetic",  # which stands for that of real numbers: quantised
    "training-mode",  # the file runs as if it were still trained
    "unpool-size",  # runtimes read the places of an unpooling in more than one way
    "noisy-scale",  # a scale that is nearly the one that is meant, and gives other sizes
    "antialias-outside",  # a filter that counts pixels which are not there
    "declared-shape",  # the file says another shape than its nodes make
    "unkept-letters",  # ... or calls two sizes by one name that are not always equal
    "impossible-output-size",  # no input of the layer has an output of the size that is asked for
    "template",  # a value that is still to be filled in
    "unread-calls",  # of source code
]
"""What readers have to say. A new kind wants a row in the linter's table of notices too."""


@record(frozen=True, slots=True)
class Layer:
    """One layer: its operator, the values it reads and writes, its weights and its origin.

    `name` is unique within a model: the file's own, "Type#index" where it gives none, with
    "@2" behind a repeated one.
    """

    name: str
    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Weight] = field(default_factory=dict)
    origin: Origin = field(default_factory=lambda: Origin(""))


@record(frozen=True, slots=True)
class ModelInput:
    """A graph input; `shape` is None where the file does not say it.

    `integer`: it holds whole numbers (indices), int64 where it comes in. `example`: the numbers in
    its shape are those of what the file was made with, and the file promises nothing about them.
    """

    name: str
    shape: Shape | None
    origin: Origin = field(default_factory=lambda: Origin(""))
    integer: bool = False
    example: bool = False


@record(frozen=True, slots=True)
class Notice:
    """Something a reader saw and went on after: of which kind it is, and its cause.

    `harmless`: the outputs are still what the file says, so that conversion may go on. `near` are
    the known names that an unknown one may have been meant to be.
    """

    kind: NoticeKind
    error: UpconvError
    harmless: bool = False
    near: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class Model:
    """A network as its file says it, layers in an order in which they can run.

    Shapes are channels-first throughout. `channels_last` names the graph inputs and outputs that
    the source has as (N, spatial..., C): there, and nowhere else, the writer transposes.
    `integer_outputs` names the outputs that leave as int64; inside they are floats like all values.
    `element_types` has the element types that the file states for inputs and outputs.
    `has_graph` is False where the file lists layers that nothing connects. `origin` is the whole
    file.
    """

    name: str
    path: str
    framework: str
    inputs: tuple[ModelInput, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    notices: tuple[Notice, ...] = ()
    phase: Literal["TEST", "TRAIN"] = "TEST"
    weights_path: str = ""
    channels_last: frozenset[str] = frozenset()
    integer_outputs: frozenset[str] = frozenset()
    element_types: Mapping[str, str] = field(default_factory=dict)
    has_graph: bool = True
    origin: Origin = field(default_factory=lambda: Origin(""))

    def layer(self, name: str) -> Layer:
        """The layer of that name; KeyError where there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def producers(self) -> dict[str, Layer]:
        """Value name -> the layer that writes it (graph inputs have none)."""
        return {value: layer for layer in self.layers for value in layer.outputs}

    def consumers(self) -> dict[str, list[Layer]]:
        """Value name -> the layers that read it."""
        found: dict[str, list[Layer]] = {}
        for layer in self.layers:
            for value in dict.fromkeys(layer.inputs):
                found.setdefault(value, []).append(layer)
        return found

    def __repr__(self) -> str:
        return _drawn("line", self)

    def __str__(self) -> str:
        return _drawn("text", self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return _drawn("html", self)


def _drawn(how: str, model: Model) -> str:
    """A picture by `table`, which is found when it is asked for: it needs the shapes of all values,
    and what infers them is made of models."""
    draw: Callable[[Model], str] = getattr(import_module("upconv.converters.ir.table"), how)
    return draw(model)


def validate(model: Model) -> None:
    """Assert the IR's own laws: unique names, values written once and before they are read.

    Raises UpconvError where a file's graph breaks them.
    """
    known = {entry.name for entry in model.inputs}
    names: set[str] = set()
    for layer in model.layers:
        if layer.name in names:
            raise _invalid(layer, "two layers have this name")
        names.add(layer.name)
        wired = known.issuperset(layer.inputs) and known.isdisjoint(layer.outputs)
        if not wired or targets(layer.operator):
            for problem in _layer_problems(layer, known):
                raise _invalid(layer, problem)
        known.update(layer.outputs)
    for value in model.outputs:
        if value not in known:
            raise UpconvError(f"the output '{value}' is written by no layer", path=model.path)


def _layer_problems(layer: Layer, known: set[str]) -> Iterator[str]:
    for value in layer.inputs:
        if value not in known:
            yield f"reads '{value}', which no layer before it writes"
    for value in layer.outputs:
        if value in known:
            yield f"writes '{value}', which is already written"
    for size in targets(layer.operator):
        for leaf in leaves(size):
            if isinstance(leaf, Like) and leaf.tensor not in layer.inputs:
                yield f"takes a size from '{leaf.tensor}', which is not among its inputs"


def _invalid(layer: Layer, problem: str) -> UpconvError:
    return UpconvError(problem, path=layer.origin.path, where=layer.origin, layer=layer.name)
