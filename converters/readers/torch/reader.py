"""PyTorch's files told apart: exported programs, TorchScript archives, pickles."""

from __future__ import annotations

from upconv.converters.ir.model import Model
from upconv.converters.readers.files.torch_archive import open_archive
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.exported.pt2 import is_pt2, read_archive
from upconv.converters.readers.torch.state.sniffing import ZIP


def read_pytorch(path: str, options: ReadOptions) -> Model:
    """The model in a file that PyTorch wrote.

    Raises as `pt2.read_pt2` and `torchscript.reader.read_torchscript`.
    """
    view = map_file(path, "PyTorch file")
    if bytes(view[:4]) != ZIP:
        from upconv.converters.readers.torch.pickled.reader import read_pickled_stream

        return read_pickled_stream(view, path, options)
    archive = open_archive(path)
    if is_pt2(archive):
        return read_archive(archive, options)
    from upconv.converters.readers.torch.script.reader import is_torchscript, read_torchscript

    if is_torchscript(archive):
        return read_torchscript(archive, options)
    if "data.pkl" in archive:
        from upconv.converters.readers.torch.pickled.reader import read_pickled_archive

        return read_pickled_archive(archive, options)
    archive.fail("an archive that holds no model of PyTorch")
