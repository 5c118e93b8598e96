"""From a TensorFlow Lite file to a Model.

Each operator becomes the operations of TensorFlow that it is, which are lowered as those of a graph
are. What one operator has wrong becomes an Unknown operator and a notice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.origin import Origin
from upconv.converters.passes.joining import joined
from upconv.converters.passes.live import live_layers
from upconv.converters.readers.assembly.axes import Value, layout
from upconv.converters.readers.assembly.inputs import lettered, overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.flatbuffer import FlatBuffer
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.values import Entry
from upconv.converters.readers.tflite.codes import CUSTOM, name_of
from upconv.converters.readers.tflite.lowering import TRANSLATIONS, Step, stored
from upconv.converters.readers.tflite.schema import QUANTIZED, Graph, Operator, read_model

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("WHILE", "IF", "CALL_ONCE"), "a branch or loop that runs another graph"),
    **dict.fromkeys(("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"), "a variable"),
    **dict.fromkeys(("LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM"), "a recurrent layer"),
}
"""Operators that are known and not represented: what they are."""


def read_tflite(path: str, options: ReadOptions) -> Model:
    """The model in a file, its weights views of it.

    Raises UnreadableError where the file is none or broken, UnsupportedError for another version of
    the format, and UsageError where the options name an input it does not have.
    """
    if options.weights:
        raise UsageError(
            "a TensorFlow Lite model holds its weights", path=path, hint="leave --weights out"
        )
    view = map_file(path, "TensorFlow Lite model")
    return _Reader(path, read_model(FlatBuffer(view, path)), options).model()


@dataclass(slots=True)
class _Reader:
    """The state of one reading: what each tensor is, once it is there."""

    path: str
    graph: Graph
    options: ReadOptions
    made: dict[int, Entry] = field(default_factory=dict)
    places: dict[Any, Any] = field(default_factory=dict)

    def model(self) -> Model:
        work = Workspace(self.path, "tflite")
        ends = [self._name(index) for index in self.graph.outputs]
        work.values.taken.update(ends)
        self._feed(work)
        for operator in self.graph.operators:
            outputs = self._run(operator, work)
            self.made.update(zip(operator.outputs, outputs, strict=False))
        for index, name in zip(self.graph.outputs, ends, strict=True):
            self._leave(index, name, work)
        if quantized := self._quantized():
            work.note_whole_numbers(quantized, Origin(self.path, "tflite"))
        work.layers = joined(live_layers(work.layers, work.leaving), work.leaving)
        return work.model(os.path.basename(self.path), origin=Origin(self.path, "tflite"))

    def _name(self, index: int) -> str:
        """What the signature calls a tensor, else the file."""
        return self.graph.names.get(index) or self.graph.tensors[index].name or f"tensor{index}"

    # Inputs

    def _feed(self, work: Workspace) -> None:
        """Enter the inputs. Those of images have their channels last."""
        shapes: dict[str, Shape | None] = {}
        for at, index in enumerate(self.graph.inputs):
            tensor = self.graph.tensors[index]
            shapes[self._name(index)] = lettered(tensor.shape, self._name(index), at)
        shapes = overridden(shapes, self.options.inputs, self.path)
        for index in self.graph.inputs:
            name, tensor = self._name(index), self.graph.tensors[index]
            shape: tuple[Size, ...] = shapes[name] or ()
            last = 3 < len(shape) < 6
            whole = tensor.type in (2, 4) and tensor.quantization is None
            if name not in work.shapes:
                origin = Origin(self.path, "tflite", "input")
                work.feed(name, shape, origin, integer=whole, channels_last=last)
            self.made[index] = Value(name, layout(len(shape), last=last))

    # Operators

    def _entry(self, index: int) -> Entry | None:
        """A tensor as an input; None for one that is left out."""
        if index >= 0 and index not in self.made:
            tensor = self.graph.tensors[index]
            if tensor.span is None:
                raise UnsupportedError(
                    f"reads '{tensor.name:.100}', which nothing writes before it"
                )
            self.made[index] = stored(self.graph, tensor)
        return self.made[index] if index >= 0 else None

    def _run(self, operator: Operator, work: Workspace) -> tuple[Entry, ...]:
        kind = operator.custom if operator.code == CUSTOM else name_of(operator.code)
        origin = Origin(self.path, "tflite", kind)
        name = self._name(operator.outputs[0]).partition(";")[0] if operator.outputs else kind
        mark = len(work.layers)
        try:
            entries = tuple(self._entry(index) for index in operator.inputs)
            step = Step(operator, entries, self.graph, work, origin, name, self.places)
            translation = TRANSLATIONS.get(kind)
            if translation is None:
                raise step.unsupported(REFUSED.get(kind, f"unknown operator '{kind}'"))
            made = translation(step)
            return made if isinstance(made, tuple) else (made,)
        except UpconvError as error:
            work.undo(mark)
            read = (self.made.get(index) for index in operator.inputs)
            values = [entry for entry in read if isinstance(entry, Value)]
            told = kind not in TRANSLATIONS or all(value.axes is not None for value in values)
            names = [self._name(index) for index in operator.outputs] or [name]
            inputs = dict.fromkeys(value.name for value in values)
            unknown = work.unknown(name, kind, error, inputs, origin, names, told=told)
            return tuple(Value(one, None) for one in unknown)

    # Outputs

    def _leave(self, index: int, name: str, work: Workspace) -> None:
        origin = Origin(self.path, "tflite", "output")
        read: list[str] = []
        try:
            entry = self._entry(index)
            assert entry is not None, "outputs are not left out"
            operator = Operator(0, "", (index,), (index,), None, (0, 0))
            call = Step(operator, (), self.graph, work, origin, name).call("", [entry], "output")
            value = call.whole(call.tensor(0))
            read.append(value.name)
        except UpconvError as error:
            made = work.unknown(f"{name}/output", "output", error, read, origin, [name])
            value = Value(made[0], None)
        wanted = work.values.unique(name) if work.is_border(name) else name
        turned = value.is_turned
        work.leave(value.name, wanted, f"{wanted}/output", origin, channels_last=turned)

    def _quantized(self) -> str:
        """The name of a tensor that layers compute in whole numbers which stand for real ones."""
        made = (self.graph.tensors[at] for one in self.graph.operators for at in one.outputs)
        names = (one.name for one in made if one.type in QUANTIZED and one.quantization)
        return next(names, "").partition(";")[0]
