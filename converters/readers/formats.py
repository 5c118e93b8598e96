"""Model files in, Models out: the formats in one ordered table, told apart by content.

`identify(path)` names a file's format; `open_model(path, options)` reads it. Nothing heavy is
imported before a reader needs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.ir.origin import Source
    from upconv.converters.readers.options import ReadOptions

__all__ = [
    "FORMATS",
    "Format",
    "Head",
    "identify",
    "may_hold_model",
    "open_graph",
    "open_model",
    "open_text",
    "require_graph",
]

HEAD_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Head:
    """What a format is told by: the path, whether it is a folder, and a file's first bytes."""

    path: str
    data: bytes = b""
    is_folder: bool = False

    @property
    def extension(self) -> str:
        """The extension in lower case, without the dot."""
        return os.path.splitext(self.path)[1].lower().removeprefix(".")


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name, the extensions it usually bears, how it is told and how it is read.

    `state` is what a list of formats says of it. A search of a folder looks at the files with one
    of the extensions but `vague` ones, which mostly mean something else; `sure` is what it asks
    of them instead of `claim`, where that gives a file the benefit of the doubt.
    """

    name: str
    extensions: tuple[str, ...]
    claim: Callable[[Head], bool]
    open: Callable[[str, ReadOptions], Model]
    state: str = "read"
    vague: tuple[str, ...] = ()
    sure: Callable[[Head], bool] | None = None

    @property
    def searched(self) -> tuple[str, ...]:
        """The extensions that a search looks for; none where there is nothing to check."""
        checked = self.state in _CHECKED
        return tuple(e for e in self.extensions if checked and e not in self.vague)

    def surely(self, head: Head) -> bool:
        """Whether a file that a search came across holds a model of this format."""
        return head.extension in self.searched and (self.sure or self.claim)(head)


def identify(path: str) -> str:
    """The name of the format of a file or folder.

    Raises UnreadableError where it does not exist or is of no known format.
    """
    return _format_of(path).name


def open_model(path: str, options: ReadOptions) -> Model:
    """The model in a file or folder of any known format.

    Raises UnreadableError where there is none, and UnsupportedError for a format that is known
    but cannot be read.
    """
    return _format_of(path).open(path, options)


def open_graph(path: str, options: ReadOptions) -> Model:
    """The model in a file, for whoever runs or converts it.

    Raises as `open_model` and `require_graph`.
    """
    return require_graph(open_model(path, options))


def require_graph(model: Model) -> Model:
    """The model itself.

    Raises UnsupportedError where its file says which layers there are and not how they are
    connected (code, a pickled module): that is enough for a check only.
    """
    if not model.outputs and model.framework != "caffe":  # a net of Caffe's always has its graph
        raise UnsupportedError(
            "a file of layers without a graph, which can be checked and not run",
            path=model.path,
            hint="save the model itself, as ONNX, .pt2 or .keras",
        )
    return model


def may_hold_model(path: str) -> bool:
    """Whether a search of a folder takes a file or folder for a model, by its first bytes.

    False where it cannot be read; of texts the reader tells more, so they are taken.
    """
    try:
        head = _head(path)
    except UnreadableError:
        return False
    if head.is_folder:
        return _is_saved_model(head)
    entry = next((entry for entry in FORMATS if entry.claim(head)), None)
    return entry is not None and entry.surely(head)


def open_text(source: Source, options: ReadOptions) -> Model:
    """The model in a text that is already read, as from standard input.

    Code is told by its imports too, since what comes through a pipe has no name.
    """
    if source.path.endswith(_PYTHON_SUFFIXES) or _IMPORT.search(source.text, 0, HEAD_BYTES):
        from upconv.converters.readers.python_source.reader import read_python_source

        return read_python_source(source, options)
    if _JSON_KERAS.match(source.text[:HEAD_BYTES].encode("utf-8", "replace")):
        from upconv.converters.readers.keras.reader import read_keras_source

        return read_keras_source(source, options)
    from upconv.converters.readers.caffe.reader import read_caffe_source

    return read_caffe_source(source, options)


def _format_of(path: str) -> Format:
    head = _head(path)
    for entry in FORMATS:
        if entry.claim(head):
            return entry
    nothing = "a folder, but no model" if head.is_folder else "an empty file"
    raise UnreadableError(
        "no model format that is known" if head.data else nothing,
        path=path,
        hint=f"known are {', '.join(entry.name for entry in FORMATS)}",
    )


def _head(path: str) -> Head:
    if os.path.isdir(path):
        return Head(path, is_folder=True)
    if Path(path).is_fifo():
        hint = "write it to a file first"
        raise UnreadableError("is a pipe, and it is read more than once", path=path, hint=hint)
    try:
        with open(path, "rb") as file:
            return Head(path, file.read(HEAD_BYTES))
    except FileNotFoundError:
        raise UnreadableError("no such file", path=path, hint="check the path") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise UnreadableError(f"cannot be read: {reason}", path=path) from None


def _open_caffe(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.caffe.reader import read_caffe

    return read_caffe(path, options)


def _open_keras(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.keras.reader import read_keras

    return read_keras(path, options)


def _open_tensorflow(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.tensorflow.reader import read_tensorflow

    return read_tensorflow(path, options)


def _open_caffemodel(path: str, options: ReadOptions) -> Model:
    raise UnsupportedError(
        "a caffemodel holds weights; the net is in its prototxt",
        path=path,
        hint=f"give the prototxt as the model, and --weights {path}",
    )


def _open_python(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.python_source.reader import read_python

    return read_python(path, options)


def _open_pytorch(path: str, options: ReadOptions) -> Model:
    from upconv.converters.readers.torch.reader import read_pytorch

    return read_pytorch(path, options)


def _refuse_safetensors(path: str, options: ReadOptions) -> Model:
    raise UnsupportedError(
        "a safetensors file holds weights and no model",
        path=path,
        hint=f"give the exported program, or the code that builds it, and --weights {path}",
    )


def _refuse_pointer(path: str, options: ReadOptions) -> Model:
    raise UnreadableError(
        "a Git LFS pointer, not the file itself", path=path, hint="fetch it with `git lfs pull`"
    )


def _not_built(name: str) -> Callable[[str, ReadOptions], Model]:
    def refuse(path: str, options: ReadOptions) -> Model:
        raise UnsupportedError(f"this is {name}; reading it is not built yet", path=path)

    return refuse


_ZIP: Final = b"PK\x03\x04"
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_KERAS_MEMBERS: Final = (b"metadata.json", b"config.json", b"model.weights.h5")
_TORCH_MEMBERS: Final = (
    b"data.pkl",
    b"/version",
    b"constants.pkl",
    b"/code/",
    b"/data/weights/",
    b"/models/",
    b"serialized_exported_program.json",
)
_TENSOR_FIRST: Final = re.compile(rb"PK\x03\x04.{26}[^/\0]+/(?:data|constants)/\d", re.DOTALL)
"""A TorchScript archive begins with its first tensor, which may hide every other name."""
_JSON_KERAS: Final = re.compile(rb"\s*\{.*\"class_name\"", re.DOTALL)
_KERAS_MODEL: Final = re.compile(rb"\"class_name\"\s*:\s*\"(?:Sequential|Functional|Model)\"")
_IMPORT: Final = re.compile(r"^(?:import|from)[ \t]+[\w.]+", re.MULTILINE)
_CHECKED: Final = ("read", "check only")
_LFS: Final = b"version https://git-lfs"


def _is_python(head: Head) -> bool:
    """A text that is named so: code has no other mark, and a notebook is JSON like others."""
    return head.path.endswith(_PYTHON_SUFFIXES) and _is_text(head)


def _is_keras(head: Head) -> bool:
    if head.data.startswith(_HDF5):
        return True
    if head.data.startswith(_ZIP):
        return any(member in head.data for member in _KERAS_MEMBERS)
    return _JSON_KERAS.match(head.data) is not None


def _is_architecture(head: Head) -> bool:
    """A file of Keras, where any JSON may say "class_name"."""
    return not head.data.lstrip().startswith(b"{") or (
        _KERAS_MODEL.search(head.data) is not None and b'"modelTopology"' not in head.data
    )


def _is_pytorch(head: Head) -> bool:
    if head.data.startswith(_ZIP):
        return _TENSOR_FIRST.match(head.data) is not None or any(
            member in head.data for member in _TORCH_MEMBERS
        )
    return head.data[:1] == b"\x80" and head.extension in _PYTORCH_EXTENSIONS


def _is_saved_model(head: Head) -> bool:
    names = ("saved_model.pb", "saved_model.pbtxt")
    return head.is_folder and any(os.path.isfile(os.path.join(head.path, name)) for name in names)


def _is_caffemodel(head: Head) -> bool:
    if _is_text(head):
        return False
    from upconv.converters.readers.caffe.caffemodel import looks_like_caffemodel

    return head.extension == "caffemodel" or looks_like_caffemodel(head.data)


def _is_onnx(head: Head) -> bool:
    """ModelProto begins with field 1, ir_version, a varint, where other formats have a text."""
    if _is_text(head):
        return _kind_of_text(head) == "ONNX text"
    return head.data[:1] == b"\x08" or (head.extension == "onnx" and bool(head.data))


def _is_tensorflow(head: Head) -> bool:
    if _is_text(head):
        return _kind_of_text(head).startswith("TensorFlow")
    if head.is_folder:
        return _is_saved_model(head)
    from upconv.converters.readers.tensorflow.files import kind_of

    is_onnx = head.data[:1] == b"\x08"
    return kind_of(head.data) != "" or (head.extension == "pb" and bool(head.data) and not is_onnx)


def _is_sure_tensorflow(head: Head) -> bool:
    """Content of TensorFlow's, where any protobuf may be named .pb."""
    if _is_text(head):
        return True
    from upconv.converters.readers.tensorflow.files import kind_of

    return kind_of(head.data) != ""


def _is_safetensors(head: Head) -> bool:
    """A length, and the JSON object of that length."""
    return head.data[8:9] == b"{" and head.extension == "safetensors"


def _is_tflite(head: Head) -> bool:
    return head.data[4:8] == b"TFL3"


def _is_caffe(head: Head) -> bool:
    """Any other text, and what is named like one: the reader says what it is if it is no net."""
    if head.is_folder or head.extension in _BINARY_EXTENSIONS:
        return False
    return _is_text(head) or head.extension == "prototxt"


def _is_text(head: Head) -> bool:
    """No control characters but white space; wire formats have some in their first lengths."""
    return not head.is_folder and _CONTROL.search(head.data) is None


def _kind_of_text(head: Head) -> str:
    """What a text is, by as much of it as was read; "" where no word of another format is."""
    if not _FOREIGN_WORDS.search(head.data):
        return ""
    from upconv.converters.ir.origin import Source
    from upconv.converters.readers.caffe.sniff import classify
    from upconv.converters.readers.files.prototxt import parse

    return classify(parse(Source(head.path, head.data.decode("utf-8", "replace"))).root)


_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_FOREIGN_WORDS: Final = re.compile(
    rb"^[ \t]*(?:ir_version|opset_import|graph|graph_def|node|meta_graphs)[ \t]*[:{<]", re.MULTILINE
)
_PYTHON_SUFFIXES: Final = (".py", ".ipynb")
_PYTORCH_EXTENSIONS: Final = ("pt", "pth", "pt2", "torchscript")
_BINARY_EXTENSIONS: Final = ("pt2", "pth", "torchscript", "keras", "h5", "hdf5", "tflite")
_KERAS_EXTENSIONS: Final = ("keras", "h5", "hdf5", "json")
_TENSORFLOW_EXTENSIONS: Final = ("pb", "pbtxt", "meta")
_CAFFE_EXTENSIONS: Final = ("prototxt", "prototext", "pbtxt", "pt", "prototmp", "txt")

FORMATS: Final[tuple[Format, ...]] = (
    Format(
        "Git LFS pointer", (), lambda head: head.data.startswith(_LFS), _refuse_pointer, "refused"
    ),
    Format("Python source", ("py", "ipynb"), _is_python, _open_python, "check only"),
    Format(
        "TensorFlow Lite",
        ("tflite",),
        _is_tflite,
        _not_built("a TensorFlow Lite model"),
        "not built yet",
    ),
    Format("PyTorch", _PYTORCH_EXTENSIONS, _is_pytorch, _open_pytorch),
    Format("Keras", _KERAS_EXTENSIONS, _is_keras, _open_keras, sure=_is_architecture),
    Format("safetensors", ("safetensors",), _is_safetensors, _refuse_safetensors, "--weights"),
    Format("Caffe weights", ("caffemodel",), _is_caffemodel, _open_caffemodel, "--weights"),
    Format(
        "TensorFlow",
        _TENSORFLOW_EXTENSIONS,
        _is_tensorflow,
        _open_tensorflow,
        sure=_is_sure_tensorflow,
    ),
    Format("ONNX", ("onnx",), _is_onnx, _not_built("an ONNX model"), "not built yet"),
    Format("Caffe", _CAFFE_EXTENSIONS, _is_caffe, _open_caffe, vague=("txt",)),
)
"""The formats in the order in which they are asked; the first that claims a file reads it."""
