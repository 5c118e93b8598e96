"""A .pt2 archive of torch.export as a Model: its graph lowered, its weights as lazy views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from converters.dims import Dim
from converters.errors import UnreadableError, UnsupportedError, UsageError
from converters.ir import Layer, Model, ModelInput, Notice, Shape, validate
from converters.operators import Identity, Unknown
from converters.origin import Origin
from converters.readers.options import ReadOptions
from converters.readers.pytorch import families
from converters.readers.pytorch.aliases import Aliases
from converters.readers.pytorch.archive import Archive, open_archive
from converters.readers.pytorch.constants import fold
from converters.readers.pytorch.lowering import Call, GraphState
from converters.readers.pytorch.schema import (
    FLOAT,
    Node,
    Program,
    TensorRef,
    read_program,
    resolved,
)
from converters.readers.pytorch.sizes import Sizes
from converters.readers.pytorch.weights import WeightTable

MODELS: Final = "models/"
INTEGER: Final = 5
OLD_MEMBERS: Final = ("serialized_exported_program.json", "serialized_state_dict.pt")

SIZE_OPERATORS: Final = ("_operator.", "math.", "torch.sym_", "aten.sym_")
"""Arithmetic on sizes: the file keeps each result as an expression, which is what is read."""

CHECKS: Final = (
    "aten._assert_scalar.default",
    "aten._assert_async.msg",
    "aten._assert_tensor_metadata.default",
    "aten.sym_constrain_range.default",
    "aten.sym_constrain_range_for_size.default",
)
"""Checks while the program runs; they compute nothing."""


def read_pt2(path: str, options: ReadOptions) -> Model:
    """The model in a .pt2 file.

    Raises UnreadableError where the file is no such archive or is corrupt, UnsupportedError for a
    schema of another major version or inputs that are no float32 tensors, and UsageError where
    the options name an input or a size that the export does not leave open.
    """
    return read_archive(open_archive(path), options)


def read_archive(archive: Archive, options: ReadOptions) -> Model:
    """The model in an archive that is already open; raises as `read_pt2`."""
    name = _model_name(archive)
    program = read_program(archive.json(f"{MODELS}{name}.json"), archive.path)
    reader = _Reader(archive, name, program)
    return reader.model(options)


def is_pt2(archive: Archive) -> bool:
    """Whether an archive holds an exported program, of today's layout or an old one."""
    return any(name.startswith(MODELS) for name in archive.names) or OLD_MEMBERS[0] in archive


def _model_name(archive: Archive) -> str:
    """The one model of the archive, or the one called model."""
    if OLD_MEMBERS[0] in archive:
        raise UnsupportedError(
            "the exported program has the layout of torch before 2.8",
            path=archive.path,
            hint="load it there and save it again with torch.export.save of torch 2.9 or later",
        )
    files = [name for name in archive.names if name.startswith(MODELS) and name.endswith(".json")]
    names = [name.removeprefix(MODELS).removesuffix(".json") for name in files]
    if not names:
        archive.fail("the archive holds no exported program (models/*.json)")
    if len(names) > 1 and "model" not in names:
        archive.fail(f"the archive holds several models: {', '.join(names)}")
    return names[0] if len(names) == 1 else "model"


class _Reader:
    """Reads one program; lives as long as the reading of its file."""

    def __init__(self, archive: Archive, name: str, program: Program) -> None:
        self._program = program
        self._path = archive.path
        self._tables = (
            WeightTable(archive, f"data/weights/{name}_weights_config.json", "data/weights"),
            WeightTable(archive, f"data/constants/{name}_constants_config.json", "data/constants"),
        )
        self._notices: list[Notice] = []
        self._sizes = Sizes(program, archive.path)
        self._state = GraphState(
            self._path,
            metas=program.tensors,
            sizes_of=self._sizes.of_tensor,
            used=frozenset(_used(program)),
        )
        self._aliases = Aliases(self._state.used)

    def model(self, options: ReadOptions) -> Model:
        inputs = _overridden(tuple(self._inputs()), options, self._path)
        self._name_outputs()
        self._weights()
        for node in self._program.nodes:
            self._lower(node)
        outputs = self._outputs()
        model = Model(
            name=self._path.replace("\\", "/").rpartition("/")[2].rpartition(".")[0],
            path=self._path,
            framework="pytorch",
            inputs=inputs,
            outputs=outputs,
            layers=tuple(self._state.layers),
            notices=tuple(self._notices),
            phase=options.phase,
        )
        validate(model)
        return model

    def _inputs(self) -> Iterator[ModelInput]:
        """The user's tensors; every dynamic axis is called by a letter."""
        for name in self._program.inputs:
            meta = self._program.tensors.get(name)
            if meta is None:
                raise UnreadableError(f"the input '{name}' has no shape", path=self._path)
            if meta.dtype not in (FLOAT, INTEGER):
                raise UnsupportedError(
                    f"the input '{name}' is {meta.dtype_name}; only float32 networks are converted",
                    path=self._path,
                    hint="export module.float() with float32 inputs",
                )
            self._state.taken.add(name)
            self._state.values[name] = name
            origin = Origin(self._path, "pytorch", "input")
            shape = self._sizes.of_input(name, meta.sizes)
            yield ModelInput(name, shape, origin, integer=meta.dtype == INTEGER)

    # Weights

    def _weights(self) -> None:
        for name, stored in self._program.weights.items():
            table = next((table for table in self._tables if stored in table), None)
            if table is None:
                error = UnreadableError(f"the archive has no tensor '{stored}'", path=self._path)
                self._notices.append(Notice("UP001", error))
                continue
            self._state.constants[name] = table.tensor(stored)

    # Nodes

    def _lower(self, node: Node) -> None:
        if node.target.startswith(SIZE_OPERATORS) or node.target in CHECKS:
            return
        before = len(self._state.layers)
        try:
            self._lower_known(node)
        except UnsupportedError as error:
            del self._state.layers[before:]
            self._unknown(node, error)

    def _lower_known(self, node: Node) -> None:
        self._aliases.require_plain(node)
        arguments = {k: resolved(v, self._sizes.of_number) for k, v in node.arguments.items()}
        arguments = {k: self._current(v) for k, v in arguments.items()}
        tensors = [one for value in arguments.values() for one in _references(value)]
        stored = self._state.constants
        if all(one.name in stored for one in tensors) and len(node.outputs) == 1:
            self._fold(node, arguments)
            return
        lowering = families.LOWERINGS.get(node.target)
        if lowering is None:
            raise UnsupportedError("")
        lowering(Call(self._state, node, arguments))
        self._aliases.note(node)

    def _current(self, argument: Any) -> Any:
        """References to what an in-place operator has changed since, in its new state."""
        if isinstance(argument, TensorRef):
            return TensorRef(self._aliases.current(argument.name))
        if isinstance(argument, list):
            return [self._current(one) for one in argument]
        return argument

    def _fold(self, node: Node, arguments: Mapping[str, Any]) -> None:
        shape = self._sizes.of_tensor(node.outputs[0]) or ()
        fixed = tuple(size for size in shape if isinstance(size, int))
        if len(fixed) != len(shape):
            raise UnsupportedError("it makes a constant whose shape changes with the inputs")
        stored = self._state.constants
        tensors = {k: stored[v.name] for k, v in arguments.items() if isinstance(v, TensorRef)}
        plain = {k: v for k, v in arguments.items() if not isinstance(v, TensorRef)}
        stored[node.outputs[0]] = fold(node.target, plain, tensors, fixed)
        self._aliases.note(node)

    def _unknown(self, node: Node, error: UnsupportedError) -> None:
        """A layer that is not understood: it flows through, and a notice says where it is."""
        call = Call(self._state, node, {})
        read = [one for value in node.arguments.values() for one in _references(value)]
        names = [self._aliases.current(one.name) for one in read]
        inputs = [self._state.values[name] for name in names if name in self._state.values]
        call.emit(Unknown(node.target, error.message), list(dict.fromkeys(inputs)))
        self._aliases.note(node)
        layer = self._state.layers[-1]
        reason = f": {error.message}" if error.message else ""
        notice = UnsupportedError(
            f"the operator {node.target} is not understood{reason}",
            where=layer.origin,
            layer=layer.name,
            hint=error.hint,
        )
        self._notices.append(Notice("UP003", notice))

    # Outputs

    def _output_names(self) -> tuple[str, ...]:
        """output, output_1 ... for every tensor the program returns, and no input's name."""
        count = sum(isinstance(one, TensorRef) for one in self._program.outputs)
        names = (f"output_{index}" if index else "output" for index in range(count))
        return tuple(f"{n}_out" if n in self._program.inputs else n for n in names)

    def _name_outputs(self) -> None:
        """The first tensor that leaves under a name bears it from where it is made."""
        references = [one for one in self._program.outputs if isinstance(one, TensorRef)]
        renames: dict[str, str] = {}
        for reference, name in zip(references, self._output_names(), strict=True):
            self._state.taken.add(name)
            if reference.name not in self._program.inputs:
                renames.setdefault(reference.name, name)
        self._state.renames = renames

    def _outputs(self) -> tuple[str, ...]:
        """The graph's outputs; one that is an input, or leaves twice, is copied."""
        names = self._output_names()
        references = [one for one in self._program.outputs if isinstance(one, TensorRef)]
        for reference, name in zip(references, names, strict=True):
            value = self._value_out(reference.name)
            if value != name:
                self._state.layers.append(self._copy(value, name))
        return names

    def _value_out(self, name: str) -> str:
        current = self._aliases.current(name)
        if current not in self._state.values:
            raise UnsupportedError(
                f"the output '{name}' does not depend on the inputs", path=self._path
            )
        return self._state.values[current]

    def _copy(self, value: str, name: str) -> Layer:
        title = self._state.layer_name(name)
        origin = Origin(self._path, "pytorch", "output")
        return Layer(title, Identity(), (value,), (name,), {}, origin)


def _used(program: Program) -> Iterator[str]:
    for node in program.nodes:
        for value in node.arguments.values():
            yield from (one.name for one in _references(value))
    for value in program.outputs:
        yield from (one.name for one in _references(value))


def _references(argument: Any) -> list[TensorRef]:
    many = argument if isinstance(argument, list) else [argument]
    return [one for one in many if isinstance(one, TensorRef)]


def _overridden(
    inputs: tuple[ModelInput, ...], options: ReadOptions, path: str
) -> tuple[ModelInput, ...]:
    """The inputs with the shapes the user gives; only what the export left open may change."""
    names = [entry.name for entry in inputs]
    for name in options.inputs:
        if name not in names:
            raise UsageError(f"there is no input '{name}'; there are {names}", path=path)
    return tuple(
        replace(entry, shape=_fitting(entry, options.inputs[entry.name], path))
        if entry.name in options.inputs
        else entry
        for entry in inputs
    )


def _fitting(entry: ModelInput, given: Shape, path: str) -> Shape:
    assert entry.shape is not None, "every input of an exported program has a shape"
    fits = len(given) == len(entry.shape) and all(
        isinstance(own, Dim) or own == new for own, new in zip(entry.shape, given, strict=True)
    )
    if not fits:
        own, new = ("x".join(map(str, shape)) for shape in (entry.shape, given))
        raise UsageError(
            f"the input '{entry.name}' was exported as {own}, which {new} does not fit",
            path=path,
            hint="export it with dynamic_shapes for the axes that change",
        )
    return given
