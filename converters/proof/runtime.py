"""Running ONNX files in onnxruntime, as they are or with every value exposed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.temporaries import clear_abandoned, temporary_file
from upconv.converters.proof.skeleton import LARGE_FILE, ORDER, proto_of, skeleton

Array = NDArray[Any]

EXTERNAL_WEIGHTS_FOLDER: Final = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What a verification needs to know of an ONNX file: its value names, its metadata, the shapes
    of its inputs, None for a dynamic size, the domains of its nodes, and the types of its inputs as
    ONNX calls them (float, int64, bool)."""

    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: frozenset[str]
    opset: int
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int | None, ...]]
    domains: frozenset[str] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict)


def read_onnx(path: str) -> OnnxFile:
    """Names of the values a file computes, external weights left alone.

    Raises UnreadableError where the file is no ONNX model.
    """
    model = skeleton(path)
    graph = model.graph
    if not graph.node and not graph.input:
        raise UnreadableError("holds no ONNX graph", path=path, hint=ORDER)
    constants = {tensor.name for tensor in graph.initializer}
    computed = {name for node in graph.node for name in node.output if name}
    inputs = tuple(entry.name for entry in graph.input if entry.name not in constants)
    return OnnxFile(
        path,
        inputs,
        tuple(entry.name for entry in graph.output),
        frozenset(computed | set(inputs)),
        max((entry.version for entry in model.opset_import if not entry.domain), default=0),
        {entry.key: entry.value for entry in model.metadata_props},
        {entry.name: _shape(entry.type.tensor_type.shape) for entry in graph.input},
        frozenset(node.domain for node in graph.node),
        {entry.name: _type(entry) for entry in graph.input},
    )


def _type(entry: Any) -> str:
    from onnx import TensorProto

    name: str = TensorProto.DataType.Name(entry.type.tensor_type.elem_type)
    return name.lower()


def _shape(shape: Any) -> tuple[int | None, ...]:
    """Numbers below 1 are written for open sizes."""
    return tuple(d.dim_value if d.dim_value > 0 else None for d in shape.dim)


def exposed(file: OnnxFile, values: Collection[str]) -> bytes:
    """The file in which `values` are graph outputs too; large tensors stay where they are, so it
    is run beside the file (`session`).

    Raises UnreadableError where the file is no ONNX model.
    """
    from onnx import ValueInfoProto

    model = skeleton(file.path)
    extra = [name for name in values if name not in file.outputs and name not in file.inputs]
    model.graph.output.extend(ValueInfoProto(name=name) for name in extra)
    encoded: bytes = model.SerializeToString()
    return encoded


@contextmanager
def freed(path: str, beside: str) -> Iterator[str]:
    """The path of a temporary copy of a file that states no sizes, so that it takes any; it stands
    `beside` another file, whose copies are removed where a process is ended."""
    proto = proto_of(path)
    del proto.graph.value_info[:]
    for entry in (*proto.graph.input, *proto.graph.output):
        for dim in entry.type.tensor_type.shape.dim:
            dim.Clear()
    with _held(Path(beside), proto.SerializeToString()) as copy:
        yield copy


@contextmanager
def _held(source: Path, content: bytes) -> Iterator[str]:
    """The path of a new file, beside the source if it may be, held for as long as it is there."""
    folder = source.parent if os.access(source.parent, os.W_OK) else None
    handle, path = temporary_file(folder or tempfile.gettempdir(), 0o600, ".onnx")
    try:
        with os.fdopen(handle, "wb") as copy:
            copy.write(content)
            copy.flush()
            yield path
    finally:
        Path(path).unlink(missing_ok=True)


def remove_copies(onnx_path: str) -> None:
    """Remove what a process that was killed left of its copies of a file."""
    for folder in (Path(onnx_path).parent, Path(tempfile.gettempdir())):
        clear_abandoned(folder)


def untouched(file: OnnxFile) -> str | bytes:
    """What a session of the file itself is made of. Of a large one it is the same graph with its
    weights left where they are: onnxruntime would have them in memory twice while it reads them."""
    if os.path.getsize(file.path) <= LARGE_FILE:
        return file.path
    encoded: bytes = skeleton(file.path).SerializeToString()
    return encoded


def session(model: str | bytes, optimized: bool, shown: str = "") -> Any:
    """An onnxruntime session on the CPU of a file or of its bytes, with all graph optimizations or
    none.

    `shown` is the file that it is a copy of: external weights lie beside it. Raises
    UnreadableError, which calls the file so, where onnxruntime refuses the model.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    )
    options.log_severity_level = 4
    options.enable_mem_reuse = False
    options.enable_cpu_mem_arena = False  # it keeps, and doubles, what a run has given back
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    name = shown or str(model)
    folder = os.path.join(os.path.dirname(os.path.abspath(name)), "")
    options.add_session_config_entry(EXTERNAL_WEIGHTS_FOLDER, folder)
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = _one_line(error)
        if isinstance(model, str):
            reason = reason.replace(model, name)
        raise UnreadableError(f"onnxruntime refuses it: {reason}", path=name) from None


VALUES: Final[Mapping[str, int]] = {"bool": 2, "int8": 1 << 7, "uint8": 1 << 8} | dict.fromkeys(
    ("float", "double", "int16", "uint16", "int32", "uint32", "int64", "uint64"), 0
)
"""Types of inputs that a proof can fill -> how many whole numbers from 0 on they hold; 0 where they
hold all that a proof makes."""


def _typed(value: Array, kind: str, name: str, path: str) -> Array:
    if kind not in VALUES:
        hint = "what `upconv convert` writes takes float; --no-verify writes without a proof"
        message = f"its input '{name}' is of the type {kind}, which a proof does not fill"
        raise UnsupportedError(message, path=path, hint=hint)
    typed = value.astype({"float": "float32", "double": "float64"}.get(kind, kind), copy=False)
    if not np.array_equal(typed, value, equal_nan=typed.dtype.kind == "f"):
        message = f"its input '{name}' is of the type {kind}, which does not hold all values given"
        raise UnsupportedError(message, path=path)
    return typed


_OTHER_INPUTS: Final = "give sizes that it takes with --input, or verify it with --data"


def run(
    running: Any, feeds: Mapping[str, Array], outputs: Sequence[str], shown: str = ""
) -> dict[str, Array]:
    """The named outputs of a session, of values that take the types it has its inputs in.

    Raises UnreadableError, which speaks of the file `shown`, where the run fails, and
    UnsupportedError where the values cannot take a type.
    """
    if not outputs:
        return {}  # onnxruntime takes no names for all names
    types = {one.name: one.type[7:-1] for one in running.get_inputs()}  # tensor(...)
    fed = {
        name: _typed(value, types.get(name, "float"), name, shown) for name, value in feeds.items()
    }
    try:
        results = running.run(list(outputs), fed)
    except Exception as error:
        reason = f"onnxruntime fails while running it: {_one_line(error)}"
        raise UnreadableError(reason, path=shown, hint=_OTHER_INPUTS) from None
    return {name: np.asarray(value) for name, value in zip(outputs, results, strict=True)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
