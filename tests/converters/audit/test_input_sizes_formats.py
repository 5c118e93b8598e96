"""The sizes that files of PyTorch, ONNX and Keras accept, against running them.

`benchmarks/audit_brute_force.py` runs all nets of all formats at every size; here are some of them,
at the sizes at which something changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.audit_brute_force import FORMATS, Net, running_in_torch
from tests.converters.audit import torch_nets
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.auditing import audit_model

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks, as they save

SAMPLE = {
    ".pt2": ("FCN-8s", "SegNet", "PyTorch U-Net"),
    "TorchScript": ("FCN-8s", "U-Net, ceil", "SegNet", "PSPNet", "PyTorch U-Net", "V-Net"),
    ".onnx": ("FCN-8s", "HED", "SegNet", "PSPNet", "DeepLab", "V-Net"),
    ".keras": ("FCN-16s", "PSPNet"),
}


def telling(net: Net, last: int) -> Iterator[dict[str, int]]:
    """The smallest sizes, the bounds of every run of sizes that fit, and pairs of both."""
    for axis in net.audit.axes:
        if axis.letter in NO_SIZES:
            continue
        runs = axis.sizes.runs
        assert runs is not None
        inside = [size in runs for size in range(last + 2)]
        bounds = {n for n in range(1, last + 1) if inside[n - 1 : n + 2] != [inside[n]] * 3}
        for size in {1, 2, *sorted(bounds)[:8], *sorted(bounds)[-4:], last}:
            yield {**net.usual, axis.letter: size}
    height, width = list(net.usual)[-2:]
    yield from ({**net.usual, height: h, width: w} for h, w in ((1, 64), (63, 65), (64, 48)))


@pytest.mark.parametrize(
    ("form", "name"), [(form, name) for form, names in SAMPLE.items() for name in names]
)
def test_sizes_are_those_that_run(form: str, name: str, tmp_path: Path) -> None:
    if form == ".keras":
        pytest.importorskip("keras")
    net = FORMATS[form](name, tmp_path)
    for image in telling(net, 40 if name == "V-Net" else 130):
        assert net.agrees(image), (image, net.run(tuple(image.values())))


def test_sums_that_repeat_an_axis_of_one(tmp_path: Path) -> None:
    """A skip of one pixel is added to two."""
    path, made = tmp_path / "net.pt", torch_nets.UNet(2, ceil=True, sums=True).eval()
    torch.jit.trace(made, torch.zeros(1, 1, 32, 32)).save(str(path))
    net = Net(audit_model(str(path), ReadOptions()), running_in_torch(made))
    runs = net.audit.axes[0].sizes.runs
    assert runs is not None
    assert runs.rule("H") == "H == 1 or H % 4 == 0"
    assert all(net.agrees({"H": size, "W": 32}) for size in range(1, 129))


def test_an_export_by_multiples(tmp_path: Path) -> None:
    """torch.export suggests a multiple, which bounds the file's sizes; the rule is what runs."""
    made = torch_nets.UNet(2, ceil=False).eval()
    height, width = torch.export.Dim("h", min=2, max=64), torch.export.Dim("w", min=2, max=64)
    shapes = {"x": {2: 4 * height, 3: 4 * width}}
    program = torch.export.export(made, (torch.zeros(1, 1, 32, 32),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "net.pt2")
    audit = audit_model(str(tmp_path / "net.pt2"), ReadOptions())
    assert all(Net(audit, running_in_torch(made)).agrees({"H": n, "W": 32}) for n in range(1, 99))


class Grown(torch.nn.Module):  # type: ignore[misc]
    """Beside a margin of a pixel, an interpolation to the size with the margin: its ratio changes
    with the size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = [n // 2 * 2 + 2 for n in x.shape[2:]]
        grown = torch.nn.functional.interpolate(x, size=size, mode="bilinear")
        return torch.nn.functional.pad(x, (1, 1, 1, 1)) + grown


def test_a_ratio_that_changes_with_the_size(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.trace(Grown(), torch.zeros(1, 1, 32, 32)).save(str(path))
    audit = audit_model(str(path), ReadOptions())
    assert audit.axes[0].sizes.runs is not None
    assert audit.axes[0].sizes.runs.rule("H") == "H % 2 == 0"
    (off,) = audit.misaligned
    assert (off.kind, off.layer.name) == ("scale", "add")
    assert "is 16/17 pixel of 'pad'" in off.message
