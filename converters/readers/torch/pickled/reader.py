"""A pickled checkpoint or module in, a Model out: its upsampling modules, and what it would run."""

from __future__ import annotations

from pathlib import PurePath

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Model, Notice
from upconv.converters.ir.origin import Origin
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.pickled.modules import add_modules
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
    work = Workspace(checkpoint.path, "pytorch")
    work.notices.extend(notices(checkpoint.names, checkpoint.path))
    try:
        checkpoint.tensors()
        add_modules(work, checkpoint)
    except UpconvError as error:
        work.notices.append(Notice("unreadable-part", error))
    path = checkpoint.path
    return work.model(
        PurePath(path).stem, origin=Origin(path, "pytorch", "pickle"), has_graph=False
    )
