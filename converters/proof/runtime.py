"""Running ONNX files in onnxruntime, as they are or with every value exposed."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.temporaries import clear_abandoned, temporary_file
from upconv.converters.readers.files.opening import read_regular, reason

Array = NDArray[Any]

MAX_PROTOBUF: Final = (1 << 31) - 1
"""Bytes that a message may have; what is larger keeps its weights in other files."""

EXTERNAL_WEIGHTS_FOLDER: Final = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What a verification needs to know of an ONNX file: its value names, its metadata, the shapes
    of its inputs, None for a dynamic size, and the domains of its nodes."""

    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: frozenset[str]
    opset: int
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int | None, ...]]
    domains: frozenset[str] = frozenset()


_ORDER: Final = "the model comes first, and then the ONNX file that was made from it"


def read_onnx(path: str) -> OnnxFile:
    """Names of the values a file computes, external weights left alone.

    Raises UnreadableError where the file is no ONNX model.
    """
    model = proto_of(path)
    graph = model.graph
    if not graph.node and not graph.input:
        raise UnreadableError("holds no ONNX graph", path=path, hint=_ORDER)
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
    )


def proto_of(path: str) -> Any:
    """The ModelProto of a file; raises UnreadableError where there is none."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(read_regular(path, MAX_PROTOBUF))
    except FileNotFoundError:
        raise UnreadableError("no such file", path=path, hint="check the path") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {reason(error)}", path=path) from None
    except (DecodeError, ValueError):
        raise UnreadableError("no ONNX model, or a broken one", path=path, hint=_ORDER) from None


def _shape(shape: Any) -> tuple[int | None, ...]:
    """Numbers below 1 are written for open sizes."""
    return tuple(d.dim_value if d.dim_value > 0 else None for d in shape.dim)


@contextmanager
def exposed(file: OnnxFile, values: Collection[str]) -> Iterator[str]:
    """The path of a temporary copy of the file in which `values` are graph outputs too.

    Protobuf merges concatenated messages, so the copy is the file's bytes and a few more; it
    stands beside the file if it may: folders for temporary files are often small.

    Raises UnreadableError where it cannot be made.
    """
    extra = [name for name in values if name not in file.outputs and name not in file.inputs]
    with ExitStack() as stack:
        try:
            path = stack.enter_context(_copied(Path(file.path), _more_outputs(extra)))
        except OSError as error:
            reason = f"a copy that shows all values cannot be made: {error.strerror or error}"
            raise UnreadableError(reason, path=file.path) from None
        yield path


@contextmanager
def freed(path: str, beside: str) -> Iterator[str]:
    """The path of a temporary copy of a file that states no sizes, so that it takes any; it stands
    `beside` another file, whose copies are removed where a process is ended."""
    proto = proto_of(path)
    del proto.graph.value_info[:]
    for entry in (*proto.graph.input, *proto.graph.output):
        for dim in entry.type.tensor_type.shape.dim:
            dim.Clear()
    with _held(Path(beside), io.BytesIO(proto.SerializeToString()), b"") as copy:
        yield copy


@contextmanager
def _copied(source: Path, more: bytes) -> Iterator[str]:
    """The path of a file with the source's bytes and `more`, held for as long as it is there."""
    with source.open("rb") as original, _held(source, original, more) as copy:
        yield copy


@contextmanager
def _held(source: Path, content: BinaryIO, more: bytes) -> Iterator[str]:
    """The path of a new file, beside the source if it may be, held for as long as it is there."""
    folder = source.parent if os.access(source.parent, os.W_OK) else None
    handle, path = temporary_file(folder or tempfile.gettempdir(), 0o600, ".onnx")
    try:
        with os.fdopen(handle, "wb") as copy:
            shutil.copyfileobj(content, copy, 1 << 22)
            copy.write(more)
            copy.flush()
            yield path
    finally:
        Path(path).unlink(missing_ok=True)


def remove_copies(onnx_path: str) -> None:
    """Remove what a process that was killed left of its copies of a file."""
    for folder in (Path(onnx_path).parent, Path(tempfile.gettempdir())):
        clear_abandoned(folder)


def _more_outputs(names: Sequence[str]) -> bytes:
    from onnx import GraphProto, ModelProto, ValueInfoProto

    graph = GraphProto(output=[ValueInfoProto(name=name) for name in names])
    encoded: bytes = ModelProto(graph=graph).SerializeToString()
    return encoded


def session(path: str, optimized: bool, shown: str = "") -> Any:
    """An onnxruntime session on the CPU, with all graph optimizations or none.

    `shown` is the file that `path` is a copy of: external weights lie beside it. Raises
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
    folder = os.path.join(os.path.dirname(os.path.abspath(shown or path)), "")
    options.add_session_config_entry(EXTERNAL_WEIGHTS_FOLDER, folder)
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        name = shown or path
        reason = _one_line(error).replace(path, name)
        raise UnreadableError(f"onnxruntime refuses it: {reason}", path=name) from None


_OTHER_INPUTS: Final = "give sizes that it takes with --input, or verify it with --data"


def run(
    running: Any, feeds: Mapping[str, Array], outputs: Sequence[str], shown: str = ""
) -> dict[str, Array]:
    """The named outputs of a session.

    Raises UnreadableError, which speaks of the file `shown`, where the run fails.
    """
    if not outputs:
        return {}  # onnxruntime takes no names for all names
    try:
        results = running.run(list(outputs), dict(feeds))
    except Exception as error:
        reason = f"onnxruntime fails while running it: {_one_line(error)}"
        raise UnreadableError(reason, path=shown, hint=_OTHER_INPUTS) from None
    return {name: np.asarray(value) for name, value in zip(outputs, results, strict=True)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
