"""PyTorch's files told apart: exported programs, TorchScript archives, pickles."""

from __future__ import annotations

from converters.ir import Model
from converters.readers.options import ReadOptions
from converters.readers.pytorch.archive import open_archive
from converters.readers.pytorch.pt2 import is_pt2, read_archive
from converters.readers.wire import map_file

ZIP = b"PK\x03\x04"


def read_pytorch(path: str, options: ReadOptions) -> Model:
    """The model in a file that PyTorch wrote.

    Raises as `pt2.read_pt2` and `torchscript.reader.read_torchscript`.
    """
    view = map_file(path, "PyTorch file")
    if bytes(view[:4]) != ZIP:
        from converters.readers.pytorch_pickle.reader import read_pickled_stream

        return read_pickled_stream(view, path, options)
    archive = open_archive(path)
    if is_pt2(archive):
        return read_archive(archive, options)
    from converters.readers.torchscript.reader import is_torchscript, read_torchscript

    if is_torchscript(archive):
        return read_torchscript(archive, options)
    if "data.pkl" in archive:
        from converters.readers.pytorch_pickle.reader import read_pickled_archive

        return read_pickled_archive(archive, options)
    archive.fail("an archive that holds no model of PyTorch")
