"""Tensors and modules of pickled files, equal to what torch.load gives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.readers.files.torch_archive import open_archive
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.formats import open_graph, open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.state.checkpoint import Checkpoint, from_archive, from_stream
from upconv.linter.running.engine import check_path

TENSORS: dict[str, torch.Tensor] = {
    "float": torch.rand(3, 4, 5),
    "transposed": torch.rand(4, 6).t(),
    "slice": torch.arange(24.0).reshape(4, 6)[1:, ::2],
    "expanded": torch.rand(3, 1).expand(3, 7),
    "half": torch.rand(5).half(),
    "bfloat16": torch.rand(5).bfloat16(),
    "double": torch.rand(2, 2, dtype=torch.float64),
    "ints": torch.arange(7),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "bools": torch.tensor([True, False]),
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 3),
}


def save(value: Any, path: Path, legacy: bool) -> str:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return str(path)


def load(path: str, legacy: bool) -> Checkpoint:
    return from_stream(map_file(path, "x"), path) if legacy else from_archive(open_archive(path))


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_torchs(tmp_path: Path, legacy: bool) -> None:
    path = save(
        {"epoch": 3, "state": TENSORS, "list": [TENSORS["ints"]]}, tmp_path / "a.pt", legacy
    )
    found = load(path, legacy).tensors()
    assert set(found) == {f"state.{name}" for name in TENSORS} | {"list.0"}
    for name, tensor in TENSORS.items():
        ours = found[f"state.{name}"]
        assert ours.shape == tuple(tensor.shape)
        assert np.array_equal(ours.array(), tensor.float().numpy())
        joined = b"".join(bytes(chunk) for chunk in ours.chunks(16))
        assert joined == tensor.float().contiguous().numpy().tobytes()


class Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1, bias=False), nn.ReLU())
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.same = self.up
        self.shuffle = nn.PixelShuffle(3)
        self.unpool = nn.MaxUnpool2d(2)
        self.odd = nn.Upsample(mode="area", size=4)


@pytest.mark.parametrize("legacy", [False, True])
def test_layers_of_a_pickled_module(tmp_path: Path, legacy: bool) -> None:
    net = Net()
    path = save(net, tmp_path / "net.pt", legacy)
    model = open_model(path, ReadOptions())
    found = {layer.name: layer for layer in model.layers}
    assert found["main.0"].operator == ops.ConvTranspose(
        4, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (1, 1)
    )
    weight = found["main.0"].weights["weight"]
    first = net.main[0]
    assert isinstance(first, nn.ConvTranspose2d)
    assert np.array_equal(weight.array(), first.weight.detach().numpy())
    assert found["up"].operator == ops.Resize("linear", "align_corners", factor=(2, 2))
    assert isinstance(found["shuffle"].operator, ops.DepthToSpace)
    assert isinstance(found["unpool"].operator, ops.Unpool)
    assert isinstance(found["odd"].operator, ops.Unknown)
    told = [notice.error.message for notice in model.notices if notice.kind == "executable-code"]
    assert len(told) == 1
    assert "Net" in told[0]
    assert "UP107" in {finding.code for finding in check_path(path).findings}
    with pytest.raises(UpconvError, match="without a graph"):
        open_graph(path, ReadOptions())


def test_a_state_dict_of_an_optimizer_is_silent(tmp_path: Path) -> None:
    net = nn.Sequential(nn.ConvTranspose2d(2, 2, 4, 2, 1), nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}
    report = check_path(save(state, tmp_path / "a.pt", legacy=False))
    assert report.findings == ()
    assert report.status == "ok"


def rewritten(path: Path, change: Any) -> str:
    """An archive with its data.pkl changed."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(data, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = change(content)
            new.writestr(entry.filename, content)
    path.write_bytes(data.getvalue())
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"K\x05\x86", b"M\xff\xff\x86", "bytes, but has"),
        (b"FloatStorage", b"WhateStorage", "an element type that is not known"),
    ],
)
def test_descriptions_that_do_not_fit(tmp_path: Path, old: bytes, new: bytes, problem: str) -> None:
    path = tmp_path / "a.pt"
    torch.save({"x": torch.rand(7, 5)}, path)
    changed = rewritten(path, lambda content: content.replace(old, new))
    report = check_path(changed)
    (finding,) = report.findings
    assert finding.code == "UP001"
    assert problem in finding.message


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_files(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "a.pt"
    whole = Path(save({"x": torch.rand(7, 5)}, path, legacy)).read_bytes()
    for size in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:size])
        with pytest.raises(UpconvError) as caught:
            load(str(path), legacy).tensors()
        assert "\n" not in str(caught.value)


def test_zip_bombs_and_names_that_leave_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"\0" * (100 << 20))
    with pytest.raises(UnreadableError, match="more than"):
        open_model(str(path), ReadOptions())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        archive.writestr("../../etc/passwd", b"x")
    with pytest.raises(UnreadableError, match="leaves the archive"):
        open_model(str(path), ReadOptions())
    assert check_path(path).status == "unreadable"


def test_nothing_is_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.support import ROOT

    path = save(nn.Sequential(nn.ConvTranspose2d(2, 2, 3, 2)), tmp_path / "a.pt", legacy=False)
    script = (
        "import sys; from upconv.linter.running.engine import check_path;"
        f"assert check_path({path!r}).findings;"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"
