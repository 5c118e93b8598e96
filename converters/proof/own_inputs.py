"""Inputs of the user's own, which a verification runs on instead of noise.

A file `.npz` holds one array per input of the model, under the inputs' names; a `.npy` file is the
input of a model that has one. A folder holds several such files, each of which is run, or one
`.npy` file per input, named as the input. Arrays are in the source's own layout.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
from numpy.lib import format as npy

from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model, ModelInput
from upconv.converters.proof.memory import require_memory
from upconv.converters.readers.files.opening import open_regular

Feeds: TypeAlias = dict[str, Any]

MOST_FILES: Final = 1000
MOST_BYTES: Final = 1 << 33
IMAGES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"}
)
_BROKEN: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)
"""What Python raises for an archive that is damaged, encrypted, or packed in another way."""
_CONVERT: Final = (
    "save what the model takes as .npy: numpy.save(name, array), after the model's own "
    "preparation (size, scale, mean, order of channels)"
)


def own_stimuli(model: Model, place: str) -> dict[str, Feeds]:
    """What the files hold: file -> input -> values, channels first, of the kind the model takes.

    Raises UsageError where they do not fit the model's inputs, UnreadableError for a file that is
    no array, or holds pickled objects.
    """
    found = {
        name: {entry.name: _inside(model, entry, one) for entry, one in entries}
        for name, entries in _files(model, Path(place))
    }
    for name, feeds in found.items():
        _require_fitting(model, {key: one.shape for key, one in feeds.items()}, name)
    return found


Entries: TypeAlias = list[tuple[ModelInput, Any]]


def _files(model: Model, place: Path) -> Iterator[tuple[str, Entries]]:
    """(name, arrays by input) of each run."""
    if not place.exists():
        missing = "cannot be read: no such file or folder"
        raise UnreadableError(missing, path=str(place), hint="check the path")
    if not place.is_dir():
        yield str(place), _one_file(model, place)
        return
    paths = sorted(path for path in place.iterdir() if path.is_file())
    arrays = [path for path in paths if path.suffix.lower() in (".npy", ".npz")]
    pictures = [path for path in paths if path.suffix.lower() in IMAGES]
    if pictures and not arrays:
        raise _no_array(pictures[0], len(pictures))
    if not arrays:
        raise UsageError("holds no .npy or .npz file", path=str(place), hint=_CONVERT)
    if len(arrays) > MOST_FILES:
        raise UsageError(f"holds {len(arrays)} files, more than {MOST_FILES}", path=str(place))
    by_input = {path.stem: path for path in arrays if path.suffix.lower() == ".npy"}
    names = [entry.name for entry in model.inputs]
    if len(names) > 1 and set(names) <= by_input.keys():
        yield (
            str(place),
            [(entry, _npy(by_input[entry.name], entry, model)) for entry in model.inputs],
        )
        return
    for path in arrays:
        yield str(path), _one_file(model, path)


def _no_array(path: Path, count: int = 1) -> UsageError:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return UsageError(
        f"is an image{more}: what a model takes of it, its file does not say",
        path=str(path),
        hint=_CONVERT,
    )


def _one_file(model: Model, path: Path) -> Entries:
    suffix = path.suffix.lower()
    if suffix in IMAGES:
        raise _no_array(path)
    if suffix == ".npz":
        return _npz(model, path)
    if len(model.inputs) != 1:
        names = ", ".join(entry.name for entry in model.inputs)
        raise UsageError(
            f"one array, and the model has the inputs {names}",
            path=str(path),
            hint="give a .npz file with an array under each name, as numpy.savez makes",
        )
    return [(model.inputs[0], _npy(path, model.inputs[0], model))]


def _npz(model: Model, path: Path) -> Entries:
    """Its arrays by the names of inputs; that of a single one may have any name."""
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            chosen = [_member(entry, members, model, path) for entry in model.inputs]
            found = []
            for entry, name in zip(model.inputs, chosen, strict=True):
                with archive.open(name) as file:
                    found.append((entry, _checked(file, entry, model, f"{path}: {name}")))
            return found
    except (OSError, EOFError, *_BROKEN) as error:
        raise UnreadableError(f"not a file of numpy.savez: {error}", path=str(path)) from None


def _member(entry: ModelInput, members: Mapping[str, str], model: Model, path: Path) -> str:
    if entry.name in members:
        return members[entry.name]
    if len(model.inputs) == len(members) == 1:
        return next(iter(members.values()))
    raise UsageError(
        f"has no array '{entry.name}', which is an input of the model; it has "
        f"{', '.join(list(members)[:10])}",
        path=str(path),
    )


def _npy(path: Path, entry: ModelInput, model: Model) -> Any:
    try:
        with BufferedReader(open_regular(path)) as file:
            return _checked(file, entry, model, str(path))
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", path=str(path)) from None


def _checked(file: IO[bytes], entry: ModelInput, model: Model, name: str) -> Any:
    """The array in a .npy file. Its header is judged before any memory is taken for it."""
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(file)
        _require_kind(dtype, name)
        _require_shape(model, entry, shape, name)
        count = prod(shape)
        if count * dtype.itemsize > MOST_BYTES:
            raise ValueError(f"{count:,} values are more than is read")
        data = file.read(count * dtype.itemsize)
        values = np.frombuffer(data, dtype, count)
    except (ValueError, EOFError, zipfile.BadZipFile, zipfile.error, MemoryError) as error:
        raise UnreadableError(f"no array of NumPy: {error}", path=name) from None
    values = values.reshape(shape, order="F" if fortran else "C")
    if not np.isfinite(values).all():
        raise UsageError("holds values that are not finite, which no bound is known for", path=name)
    return values


def _require_kind(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in "biuf":
        raise UsageError(f"holds {dtype}, and no numbers a model takes", path=name)


def _require_shape(model: Model, entry: ModelInput, shape: Sequence[int], name: str) -> None:
    """Raise UsageError where an array is not of the shape that an input has, as far as known."""
    inner = tuple(entry.shape or shape)
    wanted = (inner[0], *inner[2:], inner[1]) if entry.name in model.channels_last else inner
    fits = len(shape) == len(wanted) and all(
        not isinstance(want, int) or want == have for want, have in zip(wanted, shape, strict=True)
    )
    if not fits:
        text = "x".join(map(str, wanted))
        raise UsageError(
            f"its shape is {'x'.join(map(str, shape))}, the input '{entry.name}' takes {text}",
            path=name,
            hint="arrays are in the model's own layout; an open size is given as a letter, as in "
            f"--input {entry.name}=Nx3xHxW",
        )


def _inside(model: Model, entry: ModelInput, values: Any) -> Any:
    """The values as the model has them inside; the file keeps whole numbers as they are."""
    turned = np.moveaxis(values, -1, 1) if entry.name in model.channels_last else values
    return np.ascontiguousarray(turned, np.int64 if entry.integer else np.float32)


def _require_fitting(model: Model, shapes: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Raise UsageError where the network refuses these sizes, or takes too much memory."""
    inputs = tuple(replace(entry, shape=shapes[entry.name]) for entry in model.inputs)
    for error in infer(replace(model, inputs=inputs)).errors:
        raise UsageError(f"the model does not take inputs of this size: {error}", path=name)
    require_memory(model, shapes)
