"""PyTorch's files told apart: exported programs and pickles are read, other kinds named."""

from __future__ import annotations

from converters.errors import UnsupportedError
from converters.ir import Model
from converters.readers.options import ReadOptions
from converters.readers.pytorch.archive import Archive, open_archive
from converters.readers.pytorch.pt2 import is_pt2, read_archive
from converters.readers.wire import map_file

ZIP = b"PK\x03\x04"
EXPORT_IT = "export the module with torch.export.save, or call converters.from_torch on it"


def read_pytorch(path: str, options: ReadOptions) -> Model:
    """The model in a file that PyTorch wrote.

    Raises as `pt2.read_pt2`, and UnsupportedError for TorchScript archives.
    """
    view = map_file(path, "PyTorch file")
    if bytes(view[:4]) != ZIP:
        from converters.readers.pytorch_pickle.reader import read_pickled_stream

        return read_pickled_stream(view, path, options)
    archive = open_archive(path)
    if is_pt2(archive):
        return read_archive(archive, options)
    if "data.pkl" in archive and not _is_torchscript(archive):
        from converters.readers.pytorch_pickle.reader import read_pickled_archive

        return read_pickled_archive(archive, options)
    if _is_torchscript(archive):
        raise UnsupportedError(
            "this is a TorchScript archive; reading it is not built yet", path=path, hint=EXPORT_IT
        )
    archive.fail("an archive that holds no model of PyTorch")


def _is_torchscript(archive: Archive) -> bool:
    return any(name.startswith("code/") for name in archive.names)
