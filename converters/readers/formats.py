"""Model files in, Models out: the formats in one ordered table, told apart by content.

`identify(path)` names a file's format; `open_model(path, options)` reads it. A format is one row,
which its reader's folder fills in; nothing outside of that folder and this table knows it. Nothing
heavy is imported before a reader needs it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.caffe.row import CAFFE, CAFFE_WEIGHTS
from upconv.converters.readers.files.opening import open_regular, read_regular, reason
from upconv.converters.readers.keras.row import KERAS
from upconv.converters.readers.mxnet.row import MXNET, MXNET_WEIGHTS
from upconv.converters.readers.onnx.row import ONNX
from upconv.converters.readers.python_source.row import PYTHON
from upconv.converters.readers.row import Format, Head
from upconv.converters.readers.tensorflow.row import TENSORFLOW
from upconv.converters.readers.tflite.row import TENSORFLOW_LITE
from upconv.converters.readers.torch.row import PYTORCH, SAFETENSORS
from upconv.converters.readers.unread import LFS_POINTER, UNREAD_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upconv.converters.ir.model import Model
    from upconv.converters.ir.source import Source, Span
    from upconv.converters.readers.options import ReadOptions

__all__ = [
    "FORMATS",
    "Format",
    "Head",
    "comments",
    "companions",
    "decode",
    "identify",
    "is_candidate",
    "is_candidate_text",
    "laid_out",
    "may_hold_model",
    "open_graph",
    "open_model",
    "open_text",
    "require",
    "require_graph",
    "text_of",
    "unread_kind",
]

HEAD_BYTES: Final = 1 << 16

FORMATS: Final[tuple[Format, ...]] = (
    LFS_POINTER,
    PYTHON,
    TENSORFLOW_LITE,
    MXNET,
    MXNET_WEIGHTS,
    PYTORCH,
    KERAS,
    SAFETENSORS,
    CAFFE_WEIGHTS,
    TENSORFLOW,
    ONNX,
    CAFFE,
)
"""The formats in the order in which they are asked; the first that claims a file reads it. Caffe's
comes last: its nets have no mark of their own, so that it takes every text that is left."""


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
    if not model.outputs and not model.has_graph:
        raise UnsupportedError(
            "a file of layers without a graph, which can be checked and not run",
            path=model.path,
            hint=_EXPORT.get(model.framework, "save the model itself, as ONNX, .pt2 or .keras"),
        )
    return model


_PT2: Final = 'torch.export.save(torch.export.export(net.eval(), (example,)), "net.pt2")'
_EXPORT: Final = {
    "pytorch": f"in Python, with the net that it belongs to: {_PT2}",
    "python": f'run it and save the model that it makes: {_PT2}, or model.save("net.keras")',
}
"""Framework -> how to get a model from a file that has none."""


def open_text(source: Source, options: ReadOptions) -> Model:
    """The model in a text that is already read, as from standard input."""
    head = Head(source.path, source.text[:HEAD_BYTES].encode("utf-8", "replace"))
    for entry in FORMATS:
        if entry.open_text is not None and (entry.claim_text or entry.claim)(head):
            return entry.open_text(source, options)
    raise AssertionError("the last format takes any text")


def is_candidate(path: str) -> bool:
    """Whether a search takes a file for a model: by its ending, and by its content where that may
    be told without reading it all or costs less than reading it."""
    entries, is_enough, mentions = _searched(Head(path).extension)
    if is_enough:
        return Path(path).is_file()  # no pipe, no device, no link to one or to nothing
    if mentions is None:
        return bool(entries) and may_hold_model(path)
    try:
        return mentions(read_regular(path))
    except OSError:
        return False


def is_candidate_text(source: Source) -> bool:
    """The same of a text that is not on disk yet, as an editor has it."""
    head = Head(source.path, source.text[:HEAD_BYTES].encode("utf-8", "replace"))
    entries, is_enough, mentions = _searched(head.extension)
    if mentions is not None and not is_enough:
        return mentions(source.text.encode("utf-8", "replace"))
    return is_enough or any(e.open_text is not None and e.surely(head) for e in entries)


def _searched(
    extension: str,
) -> tuple[list[Format], bool, Callable[[bytes], bool] | None]:
    """The formats that files of an ending may be of, whether the ending alone says so, and what
    tells by the content."""
    entries = [entry for entry in FORMATS if extension in entry.searched]
    looking = (entry.mentions for entry in entries if entry.mentions is not None)
    return entries, any(extension in entry.texts for entry in entries), next(looking, None)


def may_hold_model(path: str) -> bool:
    """Whether a search of a folder takes a file or folder for a model, by its first bytes.

    False where it cannot be read; of texts the reader tells more, so they are taken.
    """
    try:
        head = _head(path)
    except (UnreadableError, OSError):
        return False
    entry = next((entry for entry in FORMATS if entry.claim(head)), None)
    return entry is not None and (head.is_folder or entry.surely(head))


def unread_kind(path: str) -> str:
    """What a search says of a file that it passes over although it is a model: its ending where
    nothing here reads that format, "Git LFS pointers" where the model was not fetched; else "".
    """
    extension = Head(path).extension
    if not any(extension in entry.searched for entry in FORMATS):
        return f".{extension}" if extension in UNREAD_ENDINGS else ""
    try:
        return "Git LFS pointers" if LFS_POINTER.claim(_head(path)) else ""
    except (UnreadableError, OSError):
        return ""


def companions(path: str) -> tuple[str, ...]:
    """The other files that reading a path reads, as a model or as weights, some of which may not
    exist: the checkpoint of a SavedModel, the parts of a checkpoint that is named by its prefix."""
    found = (other for entry in FORMATS for other in entry.companions(path))
    return tuple(dict.fromkeys(other for other in found if other != path))


def require(options: ReadOptions) -> None:
    """Raise UsageError for options that no file of any format could meet."""
    for entry in FORMATS:
        entry.require(options)


def decode(data: bytes, path: str) -> str:
    """The text in these bytes, as readers take it; raises UnreadableError where they hold none."""
    from upconv.converters.readers.files.prototxt import decode_text

    return decode_text(data, path)


def text_of(path: str) -> Source | None:
    """The text in a file as readers take it; None where it has none, or is not there any more."""
    from upconv.converters.ir.source import Source

    try:
        return Source(path, decode(read_regular(path), path))
    except (OSError, UnreadableError):
        return None


def comments(source: Source) -> Iterator[tuple[Span, str]]:
    """The comments of a text that could not be read; they begin with "#" in every format."""
    from upconv.converters.readers.files.prototxt import source_comments

    yield from source_comments(source)


def laid_out(source: Source) -> str:
    """A protobuf text in its layout; raises UnreadableError for any other, and for a broken one."""
    from upconv.converters.readers.files.prototxt.layout import laid_out as layout

    return layout(source)


def _format_of(path: str) -> Format:
    head = _head(path)
    for entry in FORMATS:
        if entry.claim(head):
            return entry
    nothing = "a folder, but no model" if head.is_folder else "an empty file"
    inside = _models_in(path) if head.is_folder else []
    formats = ", ".join(_for_people(entry) for entry in FORMATS if entry.searched)
    raise UnreadableError(
        "no model format that is known" if head.data else nothing,
        path=path,
        hint=f"name the file in it: {', '.join(inside)}" if inside else f"read are {formats}",
    )


def _models_in(folder: str, most: int = 3) -> list[str]:
    """Some files of a folder that may be models, for whoever named the folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = (entry.path for entry in islice(entries, 1000) if is_candidate(entry.path))
        return sorted(islice(found, most))
    return []


def _for_people(entry: Format) -> str:
    return f"{entry.name} ({', '.join(f'.{end}' for end in entry.searched[:3])})"


def _head(path: str) -> Head:
    if Path(path).is_dir():
        return Head(path, is_folder=True)
    try:
        with open_regular(path) as file:
            return Head(path, file.read(HEAD_BYTES))
    except FileNotFoundError:
        raise UnreadableError("no such file", path=path, hint="check the path") from None
    except OSError as problem:
        raise UnreadableError(f"cannot be read: {reason(problem)}", path=path) from None
