"""A TorchScript archive in, a Model out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Layer, Model, ModelInput, validate
from upconv.converters.ir.operators import Unpool
from upconv.converters.ir.origin import Origin
from upconv.converters.passes.rename import renamed
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.graph import output_names
from upconv.converters.readers.torch.script.calls import Calls
from upconv.converters.readers.torch.script.code import FOLDER, Code
from upconv.converters.readers.torch.script.inputs import RANKS, Input, read_inputs, with_rank
from upconv.converters.readers.torch.script.interpreter import Interpreter, RaisedError
from upconv.converters.readers.torch.script.objects import Objects
from upconv.converters.readers.torch.script.values import tensors, unknown_parts
from upconv.converters.readers.torch.state.element_types import FLOAT, INTEGER, NAMES

METHOD: Final = "forward"


def is_torchscript(archive: Archive) -> bool:
    """Whether an archive holds TorchScript's code."""
    return any(name.startswith(FOLDER) for name in archive.names)


def read_torchscript(archive: Archive, options: ReadOptions) -> Model:
    """The model in a TorchScript archive.

    Raises UnreadableError where the archive or its code is malformed or without end,
    UnsupportedError where the module takes other values than tensors or refuses the inputs'
    shapes, or other weights are given, and UsageError where the options name an input that it has
    not.
    """
    if "data.pkl" not in archive:
        archive.fail(
            "a TorchScript archive without data.pkl, of torch before 1.4",
            hint="load it with torch.jit.load of a later torch, and save it again",
        )
    if options.weights:
        raise UnsupportedError(
            "a TorchScript archive has its own weights, and takes no others",
            path=archive.path,
            hint="leave --weights out, or export the module as .pt2",
        )
    try:
        return _model(archive, options)
    except RecursionError:
        raise UnreadableError("the code is nested too deeply", path=archive.path) from None


def _model(archive: Archive, options: ReadOptions) -> Model:
    code = Code(archive)
    root = Objects(archive, code, Calls(archive.path)).root()
    methods = code.class_of(root.type).methods
    if METHOD not in methods:
        archive.fail(f"the saved module has no method {METHOD}")
    inputs = read_inputs(methods[METHOD], archive, options)
    read = _best(archive, code, inputs)
    model = replace(read.model(inputs), phase=options.phase)
    validate(model)
    return model


@dataclass(slots=True)
class _Reading:
    """What following the code with some inputs has given."""

    calls: Calls
    results: list[TensorRef]

    @property
    def problems(self) -> tuple[int, int]:
        """How many calls are not understood or do not fit, and how many layers there are: a
        module without a batch axis takes more of them, and is what nobody means."""
        calls = self.calls
        return len(calls.graph.notices) + calls.contradictions, len(calls.state.layers)

    def model(self, inputs: Sequence[Input]) -> Model:
        """The model, whose inputs have the shapes that are really known."""
        path = self.calls.state.path
        for one in inputs:
            if one.dtype not in (FLOAT, INTEGER):
                self.calls.graph.refuse(
                    f"the input '{one.name}' is {NAMES.get(one.dtype, 'of another type')}; "
                    "only float32 networks are converted",
                    "trace module.float() with float32 inputs",
                )
        outputs = self._outputs(inputs)
        integers = [
            name
            for name, one in zip(outputs, self.results, strict=True)
            if self.calls.dtype(one) == INTEGER
        ]
        layers = tuple(self.calls.state.layers)
        return Model(
            name=PurePath(path).stem,
            path=path,
            framework="pytorch",
            inputs=tuple(_model_input(one, path, layers) for one in inputs),
            outputs=outputs,
            layers=layers,
            notices=tuple(self.calls.graph.notices),
            integer_outputs=frozenset(integers),
            origin=Origin(path, "pytorch", "TorchScript"),
        )

    def _outputs(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        """The first tensor that leaves under a name bears it; what leaves again is copied."""
        graph, state = self.calls.graph, self.calls.state
        names = output_names(len(self.results), tuple(one.name for one in inputs))
        values = [graph.value_out(one.name) for one in self.results]
        new: dict[str, str] = {}
        for value, name in zip(values, names, strict=True):
            if value not in (one.name for one in inputs) and value not in new:
                new[value] = name
        clashing = set(names) & state.taken - new.keys()
        new |= {name: state.value_name(f"{name}_inner") for name in clashing}
        state.layers[:] = [renamed(layer, new) for layer in state.layers]
        for value, name in zip(values, names, strict=True):
            if new.get(value, value) != name:
                graph.copy(new.get(value, value), name)
        return names


def _best(archive: Archive, code: Code, inputs: Sequence[Input]) -> _Reading:
    """The code followed with the inputs' shapes; where one is not known, with the rank that
    fits best."""
    if all(one.shape is not None for one in inputs):
        return _follow(archive, code, inputs)
    readings: list[_Reading] = []
    refusal: UnsupportedError | None = None
    for rank in RANKS:
        try:
            readings.append(_follow(archive, code, with_rank(inputs, rank)))
        except UnsupportedError as error:
            refusal = refusal or error
    if not readings:
        assert refusal is not None, "every rank is read or refused"
        raise refusal
    return min(readings, key=lambda one: one.problems)


def _follow(archive: Archive, code: Code, inputs: Sequence[Input]) -> _Reading:
    calls = Calls(archive.path)
    objects = Objects(archive, code, calls)
    machine = Interpreter(archive.path, code, objects, calls)
    arguments = {one.name: calls.enter(one.name, one.shape or (), one.dtype) for one in inputs}
    try:
        result = machine.method(objects.root(), METHOD, (), arguments)
    except RaisedError as error:
        raise UnsupportedError(error.message, path=archive.path, hint=error.hint) from None
    machine.weigh(result)
    for reason in dict.fromkeys(unknown_parts(result)):
        calls.graph.refuse(f"one of its outputs is not known: {reason}", "")
    return _Reading(calls, list(tensors(result)))


def _model_input(entry: Input, path: str, layers: Sequence[Layer]) -> ModelInput:
    """An input; what only unpoolings read, as indices, is whole numbers whatever else is said."""
    readers = [layer for layer in layers if entry.name in layer.inputs]
    indices = bool(readers) and all(
        isinstance(layer.operator, Unpool) and layer.inputs[1] == entry.name for layer in readers
    )
    origin = Origin(path, "pytorch", "input")
    return ModelInput(entry.name, entry.shape, origin, integer=entry.dtype == INTEGER or indices)
