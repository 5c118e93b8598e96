"""A TorchScript archive in, a Model out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final, Literal

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import Unpool
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.graph import output_names
from upconv.converters.readers.torch.script.code import FOLDER, Code
from upconv.converters.readers.torch.script.inputs import RANKS, Input, read_inputs, with_rank
from upconv.converters.readers.torch.script.interpreter import Interpreter, RaisedError
from upconv.converters.readers.torch.script.objects import Objects
from upconv.converters.readers.torch.script.tensor_calls import TensorCalls
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
    root = Objects(archive, code, TensorCalls(archive.path)).root()
    methods = code.class_of(root.type).methods
    if METHOD not in methods:
        archive.fail(f"the saved module has no method {METHOD}")
    inputs = read_inputs(methods[METHOD], archive, options)
    return _best(archive, code, inputs).model(inputs, options.phase)


@dataclass(slots=True)
class _Reading:
    """What following the code with some inputs has given."""

    calls: TensorCalls
    results: list[TensorRef]

    @property
    def problems(self) -> tuple[int, int]:
        """How many calls are not understood or do not fit, and how many layers there are: a
        module without a batch axis takes more of them, and is what nobody means."""
        work = self.calls.work
        return len(work.notices) + len(work.contradictions), len(work.layers)

    def model(self, inputs: Sequence[Input], phase: Literal["TEST", "TRAIN"]) -> Model:
        """The model, whose inputs have the shapes that are really known."""
        work, path = self.calls.work, self.calls.work.path
        for one in inputs:
            if one.dtype not in (FLOAT, INTEGER):
                self.calls.graph.refuse(
                    f"the input '{one.name}' is {NAMES.get(one.dtype, 'of another type')}; "
                    "only float32 networks are converted",
                    "trace module.float() with float32 inputs",
                )
        names = output_names(len(self.results), tuple(one.name for one in inputs))
        self._leave(names)
        integers = (
            name
            for name, one in zip(names, self.results, strict=True)
            if self.calls.dtype(one) == INTEGER
        )
        said = {one.name: one for one in inputs}
        indices = set(_indices(work.inputs, work.layers))
        work.inputs[:] = (
            replace(
                entry,
                shape=said[entry.name].shape,
                integer=entry.integer or entry.name in indices,
                example=said[entry.name].example,
            )
            for entry in work.inputs
        )
        return work.model(
            PurePath(path).stem,
            origin=Origin(path, "pytorch", "TorchScript"),
            phase=phase,
            integer_outputs=frozenset(integers),
        )

    def _leave(self, names: Sequence[str]) -> None:
        """Let the results leave under the names of outputs; a value on the way that is called so
        makes room."""
        work, graph = self.calls.work, self.calls.graph
        pairs = list(zip((one.name for one in self.results), names, strict=True))
        bears = {graph.value(one): name for one, name in reversed(pairs)}
        inside = [name for name in names if name in work.shapes and bears.get(name) != name]
        graph.rename({name: work.values.unique(f"{name}_inner") for name in inside})
        work.values.taken.update(names)
        for one, name in pairs:
            graph.leave(one, name)


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
    calls = TensorCalls(archive.path)
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


def _indices(inputs: Sequence[ModelInput], layers: Sequence[Layer]) -> Iterator[str]:
    """The inputs that only unpoolings read, as indices: whole numbers, whatever else is said."""
    for entry in inputs:
        readers = [layer for layer in layers if entry.name in layer.inputs]
        if readers and all(
            isinstance(layer.operator, Unpool) and layer.inputs[1] == entry.name
            for layer in readers
        ):
            yield entry.name
