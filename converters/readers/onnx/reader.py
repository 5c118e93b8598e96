"""An ONNX file as a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.operators import Constant
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.written import Written
from upconv.converters.readers.assembly.inputs import lettered, overridden
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.wire import Wire, map_file
from upconv.converters.readers.onnx.counting import name_of
from upconv.converters.readers.onnx.declared import Declared, broken_promises, declared
from upconv.converters.readers.onnx.entries import Begins, Entry, Lost, Places, Value
from upconv.converters.readers.onnx.evaluation import (
    Evaluation,
    Frame,
    function_key,
    opsets_of,
    require_known_opset,
)
from upconv.converters.readers.onnx.external import folder_of
from upconv.converters.readers.onnx.lowering import Call
from upconv.converters.readers.onnx.messages import Message, Node
from upconv.converters.readers.onnx.refusals import KINDS
from upconv.converters.readers.onnx.written import FileSettings
from upconv.converters.readers.options import ReadOptions

NEWEST_OPSET: Final = 28
KIND: Final = "ONNX model"


def read_onnx(path: str, options: ReadOptions) -> Model:
    """The model in a file, with its weights as views of it and of the files beside it.

    Raises UnreadableError where the file is none or broken, UnsupportedError for an opset that is
    not known, and UsageError where the options name an input it does not have.
    """
    if options.weights:
        raise UsageError(
            "an ONNX model names its weights itself", path=path, hint="leave --weights out"
        )
    wire = Wire(map_file(path, KIND), path)
    wire.require_protobuf(KIND, {})
    try:
        return _read(Message(wire, "model"), path, options)
    except UpconvError as error:
        error.path = error.path or path
        raise


def _read(file: Message, path: str, options: ReadOptions) -> Model:
    graph = file.message("graph", "graph")
    if graph is None or not (file.has("ir_version") or file.has("opset_import")):
        raise UnreadableError("no ONNX model: it has no graph", path=path)
    opsets = opsets_of(file) or {"": 1}
    require_known_opset(opsets, NEWEST_OPSET, path)
    work = Workspace(path, "onnx", KINDS)
    functions = {function_key(one): one for one in file.messages("functions", "function")}
    ends = graph.messages("output", "value")
    names = frozenset(end.text("name") for end in ends)
    work.values.taken.update(names)
    between = [declared(one) for one in graph.messages("value_info", "value")]
    lettered = frozenset(
        one.name for one in between if any(isinstance(n, str) for n in one.sizes or ())
    )
    evaluation = Evaluation(work, folder_of(path), functions, names, lettered)
    entering = [declared(one) for one in graph.messages("input", "value")]
    frame = Frame(opsets, dict(_fed(graph, entering, work, options)))
    evaluation.graph(graph, frame)
    whole = frozenset(_leave(end, frame, work) for end in ends)
    name = graph.text("name") or os.path.basename(path)
    written = Written(FileSettings({"producer_name": file.text("producer_name")}))
    origin = Origin(path, "onnx", written=written)
    leaving = [declared(end) for end in ends]
    stated = (one for one in (*entering, *leaving) if one.dtype.numpy)
    made = replace(
        work.model(name, integer_outputs=whole - {""}, origin=origin),
        element_types={one.name: _type_name(one) for one in stated},
    )
    if options.inputs:
        return made  # other sizes than the file speaks of
    broken = broken_promises(made, leaving, between, work.shapes)
    return replace(made, notices=(*made.notices, *broken))


def _type_name(one: Declared) -> str:
    """What NumPy calls the element type."""
    return {"float": "float32", "double": "float64"}.get(one.dtype.name, one.dtype.name)


# Inputs


def _fed(
    graph: Message, entering: Sequence[Declared], work: Workspace, options: ReadOptions
) -> list[tuple[str, Entry]]:
    """The graph's inputs that no initializer fills, entered into the model."""
    stored = {one.text("name") for one in graph.messages("initializer", "tensor")}
    found = [one for one in entering if one.name not in stored]
    letters = {size for one in found for size in one.sizes or () if isinstance(size, str)}
    shapes = {one.name: _shape(one, index, letters) for index, one in enumerate(found)}
    shapes = overridden(shapes, options.inputs, work.path)
    entries: list[tuple[str, Entry]] = []
    for one in found:
        if one.name in work.shapes:
            raise UnreadableError(f"two inputs are called '{one.name}'", path=work.path)
        is_whole = one.dtype.kind in ("int", "bool")
        work.feed(one.name, shapes[one.name], Origin(work.path, "onnx"), integer=is_whole)
        if is_whole:
            work.whole.add(one.name)
        entries.append((one.name, Value(one.name, one.dtype.kind)))
    return entries


def _shape(one: Declared, index: int, taken: set[str]) -> Shape | None:
    """The shape, the file's own letters for open sizes where it has some."""
    if one.sizes is None:
        return None
    numbers = [size if isinstance(size, int) else None for size in one.sizes]
    ours = lettered(numbers, one.name, index, channels_last=False)
    return tuple(
        symbol(size) if isinstance(size, str) else _free(letter, taken) if size is None else size
        for size, letter in zip(one.sizes, ours, strict=True)
    )


def _free(letter: Size, taken: set[str]) -> Size:
    """A letter of ours that the file does not use for another size."""
    return symbol(f"{letter}_") if str(letter) in taken else letter


# Outputs


def _leave(end: Message, frame: Frame, work: Workspace) -> str:
    """Let an output leave under its name; the name again where it holds whole numbers."""
    name = end.text("name")
    try:
        entry = frame.find(name)
    except UpconvError:
        raise UnreadableError(f"no node writes the output '{name}'", path=work.path) from None
    origin = Origin(work.path, "onnx", "output")
    wanted = work.values.unique(name) if name in work.shapes and work.is_border(name) else name
    work.leave(_carrier(entry, name, work, origin), wanted, f"{wanted}/output", origin)
    return wanted if declared(end).dtype.kind == "int" else ""


def _carrier(entry: Entry, name: str, work: Workspace, origin: Origin) -> str:
    """The value of an output; what is known becomes a layer, what is not represented an Unknown."""
    if isinstance(entry, Value):
        return entry.name
    if isinstance(entry, Known) and not entry.is_symbolic:
        node = Node(name, "Constant", "", (), (name,), {})
        call = Call(node, (), work, origin, 1, name, (name,))
        return call.emit(Constant(entry.shape), [], {"value": call.weight_of(entry)}).name
    reason = entry.reason if isinstance(entry, Lost) else _NO_TENSOR.get(type(entry), "nothing")
    error = UnsupportedError(f"the output '{name}' is {reason}")
    inputs = [name_of(work, entry)] if isinstance(entry, Places) else []
    return work.unknown(f"{name}/output", "output", error, inputs, origin, (name,))[0]


_NO_TENSOR: Final[dict[type, str]] = {
    Known: "a list of the input's sizes",
    Places: "the places of a max pooling, counted through the whole tensor",
    Begins: "the first place of each plane, counted through the whole tensor",
}
