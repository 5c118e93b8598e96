"""A pickled checkpoint or module in, a Model out: its upsampling modules, and what it would run."""

from __future__ import annotations

from pathlib import PurePath

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Layer, Model, ModelInput, Notice, validate
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.pickled.modules import layers
from upconv.converters.readers.torch.state.checkpoint import Checkpoint, from_archive, from_stream
from upconv.converters.readers.torch.state.globals import notices


def read_pickled_archive(archive: Archive, options: ReadOptions) -> Model:
    """The modules in an archive that torch.save wrote.

    Raises UnreadableError where the archive or its pickle is malformed.
    """
    return _model(from_archive(archive))


def read_pickled_stream(view: memoryview, path: str, options: ReadOptions) -> Model:
    """The modules in a file of the time before archives, or in a bare pickle."""
    return _model(from_stream(view, path))


def _model(checkpoint: Checkpoint) -> Model:
    found: list[Layer] = []
    inputs: list[ModelInput] = []
    told: list[Notice] = notices(checkpoint.names, checkpoint.path)
    try:
        checkpoint.tensors()
        for layer, entered in layers(checkpoint):
            found.append(layer)
            inputs.extend(entered)
    except UpconvError as error:
        told.append(Notice("unreadable-part", error))
    path = checkpoint.path
    made = Model(
        name=PurePath(path).stem,
        path=path,
        framework="pytorch",
        inputs=tuple(inputs),
        outputs=(),
        layers=tuple(found),
        notices=tuple(told),
        has_graph=False,
        origin=Origin(path, "pytorch", "pickle"),
    )
    validate(made)
    return made
