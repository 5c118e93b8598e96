"""A .pt2 archive of torch.export as a Model: its graph lowered, its weights as lazy views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UsageError
from upconv.converters.ir.model import Model, Notice, Shape
from upconv.converters.readers.assembly.inputs import overridden
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.files.torch_archive import Archive, open_archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.calls import Node, TensorRef, references
from upconv.converters.readers.torch.aten.graph import Graph, output_names
from upconv.converters.readers.torch.aten.lowering import GraphState
from upconv.converters.readers.torch.exported.schema import Program, read_program, resolved
from upconv.converters.readers.torch.exported.sizes import Sizes
from upconv.converters.readers.torch.exported.weight_table import WeightTable
from upconv.converters.readers.torch.state.element_types import FLOAT, INTEGER
from upconv.converters.readers.torch.state.given_weights import Given, given_weights

MODELS: Final = "models/"
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
    schema of another major version, and UsageError where the options name an input or a size that
    the export does not leave open. Inputs and outputs that are neither float32 nor int64 are
    notices, which keep the model from being written.
    """
    return read_archive(open_archive(path), options)


def read_archive(archive: Archive, options: ReadOptions) -> Model:
    """The model in an archive that is already open; raises as `read_pt2`."""
    return _reader(archive).model(options)


def given_tensors(archive: Archive, options: ReadOptions) -> Mapping[str, StoredTensor]:
    """The parameters and buffers that the model in an archive has with these options."""
    return _reader(archive).given(options).tensors


def _reader(archive: Archive) -> _Reader:
    name = _model_name(archive)
    program = read_program(archive.json(f"{MODELS}{name}.json"), archive.path)
    return _Reader(archive, name, program)


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
        self._sizes = Sizes(program, archive.path)
        self._work = Workspace(archive.path, "pytorch")
        self._state = GraphState(
            self._work,
            metas=program.tensors,
            sizes_of=self._sizes.of_tensor,
            used=frozenset(_used(program)),
            pending=Counter(_used(program)),
        )
        self._graph = Graph(self._state)

    def model(self, options: ReadOptions) -> Model:
        self._inputs(options)
        returned = [one for one in self._program.outputs if isinstance(one, TensorRef)]
        names = output_names(len(returned), self._program.inputs)
        self._work.values.taken.update(names)
        self._weights(options)
        for node in filter(_computes, self._program.nodes):
            self._graph.lower(node, lambda value: resolved(value, self._sizes.of_number))
        for reference, name in zip(returned, names, strict=True):
            self._graph.leave(reference.name, name)
        return self._work.model(
            self._path.replace("\\", "/").rpartition("/")[2].rpartition(".")[0],
            phase=options.phase,
            weights_path=options.weights,
            integer_outputs=frozenset(self._integers(returned, names)),
        )

    def _inputs(self, options: ReadOptions) -> None:
        """The user's tensors; every dynamic axis is called by a letter."""
        shapes: dict[str, Shape] = {}
        for name in self._program.inputs:
            meta = self._program.tensors.get(name)
            if meta is None:
                raise UnreadableError(f"the input '{name}' has no shape", path=self._path)
            if meta.dtype not in (FLOAT, INTEGER):
                self._graph.refuse(
                    f"the input '{name}' is {meta.dtype_name}; only float32 networks are converted",
                    "export module.float() with float32 inputs",
                )
            shapes[name] = self._sizes.of_input(name, meta.sizes)
        for name, given in overridden(shapes, options.inputs, self._path).items():
            shape = _fitting(name, shapes[name], given, self._path)
            integer = self._program.tensors[name].dtype == INTEGER
            self._state.feed(name, shape, integer=integer)

    # Weights

    def given(self, options: ReadOptions) -> Given:
        """The parameters and buffers by name, with those of `options.weights` in their place."""
        table = self._tables[0]
        names = (stored for stored in self._program.weights.values() if stored in table)
        return given_weights({name: table.tensor(name) for name in names}, options.weights)

    def _weights(self, options: ReadOptions) -> None:
        given = self.given(options)
        self._work.notices.extend(given.notices)
        for name, stored in self._program.weights.items():
            if stored in given.tensors:
                self._state.constants[name] = given.tensors[stored]
                continue
            table = next((table for table in self._tables if stored in table), None)
            if table is None:
                error = UnreadableError(f"the archive has no tensor '{stored}'", path=self._path)
                self._work.notices.append(Notice("unreadable-part", error))
                continue
            self._state.constants[name] = table.tensor(stored)

    # Outputs

    def _integers(self, returned: Sequence[TensorRef], names: Sequence[str]) -> Iterator[str]:
        """The outputs that leave as int64; those neither of that kind nor float32 are refused."""
        for reference, name in zip(returned, names, strict=True):
            meta = self._program.tensors.get(reference.name)
            if meta is not None and meta.dtype == INTEGER:
                yield name
            elif meta is not None and meta.dtype != FLOAT and not self._work.notices:
                self._graph.refuse(
                    f"the output '{reference.name}' is {meta.dtype_name}, not float32 or int64",
                    "return it as .float()",
                )


def _computes(node: Node) -> bool:
    return not node.target.startswith(SIZE_OPERATORS) and node.target not in CHECKS


def _used(program: Program) -> Iterator[str]:
    for node in filter(_computes, program.nodes):
        for value in node.arguments.values():
            yield from (one.name for one in references(value))
    for value in program.outputs:
        yield from (one.name for one in references(value))


def _fitting(name: str, own: Shape, given: Shape | None, path: str) -> Shape:
    """The shape that the user gives of an input; only what the export left open may change."""
    assert given is not None, "every input of an exported program has a shape"
    if all(isinstance(one, Dim) or one == new for one, new in zip(own, given, strict=True)):
        return given
    written, new = ("x".join(map(str, shape)) for shape in (own, given))
    raise UsageError(
        f"the input '{name}' was exported as {written}, which {new} does not fit",
        path=path,
        hint="export it with dynamic_shapes for the axes that change, from an example of at "
        "least 2 along each: a size of 1 is taken for fixed",
    )
