"""PyTorch's files in PyTorch: exported programs, and TorchScript archives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.proof.choices import index_outputs
from upconv.converters.proof.source.archive_vetting import require_no_files, require_same_view
from upconv.converters.proof.source.loaded import (
    Feeds,
    Loaded,
    asking,
    by_name,
    importing,
    in_order,
)
from upconv.converters.proof.source.pt2_vetting import require_inert
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.files.torch_archive import Archive, open_archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.exported.pt2 import given_tensors, is_pt2

Run: TypeAlias = Callable[[Feeds], Mapping[str, Any]]
Ready: TypeAlias = tuple[Run, Mapping[str, str]]
"""What runs a program, and the types of its inputs."""


def load(model: Model, options: ReadOptions) -> Loaded:
    """The file as PyTorch reads it; raises UnreadableError where PyTorch refuses it, and
    UnsupportedError where an exported program would bring code of its own."""
    with importing("PyTorch", "torch"):
        import torch
    archive = open_archive(model.path)
    require_same_view(torch, archive)
    make = _exported if is_pt2(archive) else _scripted
    run, types = make(torch, archive, model, options)
    return Loaded("PyTorch", str(torch.__version__), run, types)


def _scripted(torch: Any, archive: Archive, model: Model, options: ReadOptions) -> Ready:
    """A TorchScript archive: arguments and results in their order."""
    if options.weights:
        raise UnsupportedError(
            "TorchScript cannot be given other weights",
            path=archive.path,
            hint="use --against reference",
        )
    require_no_files(archive)
    with asking("PyTorch", archive.path):
        module = torch.jit.load(archive.path, map_location="cpu").eval()

    def run(feeds: Feeds) -> Mapping[str, Any]:
        arguments = [torch.from_numpy(feeds[entry.name].copy()) for entry in model.inputs]
        with torch.inference_mode(), asking(_title(torch), archive.path):
            results = list(_tensors(torch, module(*arguments)))
        return by_name(model.outputs, results, "outputs")

    return run, {entry.name: "int64" for entry in model.inputs if entry.integer}


def _exported(torch: Any, archive: Archive, model: Model, options: ReadOptions) -> Ready:
    """An exported program: arguments by the names of its placeholders. Which maxima it takes is
    told beside its outputs."""
    require_inert(archive)
    with _without_pickles(torch), asking("PyTorch", archive.path):
        program = torch.export.load(archive.path)
        module = program.module(check_guards=False)  # guards are made by running generated code
    if options.weights:
        _put(torch, module, given_tensors(archive, options))
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    types = {
        node.name: node.meta["val"].dtype
        for node in program.graph.nodes
        if node.op == "placeholder" and isinstance(node.meta.get("val"), torch.Tensor)
    }
    choices = {value for layer in model.layers for value in index_outputs(layer)}

    def run(feeds: Feeds) -> Mapping[str, Any]:
        kept: dict[str, Any] = {}
        flat = [_argument(torch, types, spec.arg, feeds) for spec in specs]
        machine = _interpreter(torch, module, choices, kept)
        with torch.inference_mode(), asking(_title(torch), archive.path):
            results = list(_tensors(torch, machine.run(*flat, enable_io_processing=False)))
            places = {name: one.cpu().numpy() for name, one in kept.items()}
        return places | by_name(model.outputs, results, "outputs")

    return run, {e.name: _numpy_name(types[e.name]) for e in model.inputs if e.name in types}


def _put(torch: Any, module: Any, tensors: Mapping[str, StoredTensor]) -> None:
    """Put values into a module's parameters and buffers, in the types that it has."""
    state = module.state_dict()
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(torch.from_numpy(tensor.array().copy()))


def _interpreter(torch: Any, module: Any, wanted: Collection[str], kept: dict[str, Any]) -> Any:
    """What runs a program node by node, and keeps the values of some nodes by their names."""

    class Keeping(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, node: Any) -> Any:
            value = super().run_node(node)
            if node.name in wanted:
                kept[node.name] = value
            return value

    return Keeping(module)


def _argument(torch: Any, types: Mapping[str, Any], argument: Any, feeds: Feeds) -> Any:
    """A tensor in the type the program was exported with, or the constant it was exported for."""
    if hasattr(argument, "value"):
        return argument.value
    (values,) = in_order([argument.name], feeds)
    return torch.from_numpy(values.copy()).to(types[argument.name])


def _title(torch: Any) -> str:
    return f"PyTorch {torch.__version__}"


def _numpy_name(dtype: Any) -> str:
    """NumPy's name of a type; of bfloat16, which it lacks, that of the next wider one."""
    name = str(dtype).removeprefix("torch.")
    return "float32" if name == "bfloat16" else name


def _tensors(torch: Any, result: Any) -> Iterator[Any]:
    """The tensors of a result as NumPy arrays, in the order of its structure."""
    flat: list[Any] = torch.utils._pytree.tree_leaves(result)
    return (one.cpu().numpy() for one in flat if isinstance(one, torch.Tensor))


@contextmanager
def _without_pickles(torch: Any) -> Iterator[None]:
    """No pickle is read meanwhile: an exported program's only one holds its example inputs, for
    which it gets none."""
    before = torch.load
    torch.load = lambda *arguments, **keywords: _NO_EXAMPLE
    try:
        yield
    finally:
        torch.load = before


_NO_EXAMPLE: Final[tuple[tuple[()], dict[str, Any]]] = ((), {})
