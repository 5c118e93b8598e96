"""Which sizes a net accepts: this project's rule beside what torch.export suggests, what OpenVINO's
reshape takes, and onnxruntime, which has to be run at every size.

Truth is the net itself, run at each height from 1 to LAST in PyTorch. Usage:

    python -m benchmarks.audit_beside [--openvino PYTHON]

PYTHON is an interpreter that has openvino, which need not be this one.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from timeit import repeat
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.converters.audit import torch_nets

LAST: Final = 256
WIDE: Final = 64
"""The width, and the depth of volumes, at which heights are tried."""

RESHAPE: Final = """
import json, sys, openvino
model, axes = openvino.Core().read_model(sys.argv[1]), json.loads(sys.argv[2])
taken = []
for size in range(1, int(sys.argv[3]) + 1):
    try:
        model.reshape([size if axis == "H" else axis for axis in axes])
        taken.append(size)
    except RuntimeError:
        pass
print(json.dumps(taken))
"""


class Valid(nn.Module):  # type: ignore[misc]
    """An encoder without pads, interpolated back to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(1, 1, 3) for _ in range(3))

    def forward(self, x: Any) -> Any:
        y = x
        for stage in self.stages:
            y = functional.max_pool2d(stage(y), 2)
        return functional.interpolate(y, scale_factor=8.0, mode="bilinear") + 0 * x.mean()


class Patches(nn.Module):  # type: ignore[misc]
    """Patches of 14 pixels with one embedding, put back and added to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, 4, 14, stride=14)
        self.back = nn.ConvTranspose2d(4, 1, 14, stride=14)

    def forward(self, x: Any) -> Any:
        return x + self.back(torch.relu(self.cut(x)))


NETS: Final[Mapping[str, tuple[Callable[[], Any], int]]] = {
    "FCN-8s": (torch_nets.NETS["FCN-8s"], 2),
    "U-Net, floor": (torch_nets.NETS["U-Net, floor"], 2),
    "U-Net, ceil": (torch_nets.NETS["U-Net, ceil"], 2),
    "encoder without pads": (Valid, 2),
    "patches of 14": (Patches, 2),
    "V-Net": (torch_nets.NETS["V-Net"], 3),
}
"""Name -> the net, and how many axes its images have."""


def width_of(name: str) -> int:
    return 70 if name == "patches of 14" else WIDE


def truth(net: Any, shape: Callable[[int], tuple[int, ...]]) -> set[int]:
    """The heights at which PyTorch runs the net."""
    meta, found = net.to("meta"), set()
    with torch.no_grad():
        for size in range(1, LAST + 1):
            try:
                meta(torch.zeros(shape(size), device="meta"))
                found.add(size)
            except RuntimeError:
                pass
    return found


def suggested(net: Any, shape: tuple[int, ...]) -> str:
    """What torch.export says of a free height: that any is good, or how it has to be written."""
    try:
        dims = ({2: torch.export.Dim("h", min=1)},)
        torch.export.export(net, (torch.zeros(shape),), dynamic_shapes=dims)
    except Exception as error:  # whatever it raises, its words are what a user gets
        text = str(error)
        fixes = re.findall(r"^\s+_?h = .*$", text, re.MULTILINE)
        return "; ".join(line.strip() for line in fixes) or text.splitlines()[0][:90]
    return "any h >= 1"


def reshaped(python: str, path: Path, axes: int, name: str) -> set[int]:
    """The heights at which OpenVINO's reshape raises nothing."""
    given = json.dumps([1, 1, "H", *[width_of(name)] * (axes - 1)])
    command = [python, "-c", RESHAPE, str(path), given, str(LAST)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def ran(path: Path, shape: Callable[[int], tuple[int, ...]]) -> tuple[set[int], float]:
    """The heights at which onnxruntime runs, and the seconds that trying all takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    name, found = session.get_inputs()[0].name, set()
    started = time.perf_counter()
    for size in range(1, LAST + 1):
        try:
            session.run(None, {name: np.zeros(shape(size), np.float32)})
            found.add(size)
        except Exception:  # whatever onnxruntime raises
            pass
    return found, time.perf_counter() - started


def rows(name: str, python: str, folder: Path) -> list[str]:
    """A line of the table."""
    from upconv.converters.audit.input_sizes import input_sizes
    from upconv.converters.ir.dims import symbol
    from upconv.converters.onnx_writer import write_onnx
    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    make, axes = NETS[name]

    def shape(size: int) -> tuple[int, ...]:
        return (1, 1, size, *[width_of(name)] * (axes - 1))

    letters = tuple(map(symbol, ("D", "H", "W")[3 - axes :]))
    net = make().eval()
    traced = folder / "net.pt"
    torch.jit.trace(net, torch.zeros(shape(140 if "14" in name else 128))).save(str(traced))
    model = open_model(str(traced), ReadOptions(inputs={"x": (1, 1, *letters)}))
    path = folder / "net.onnx"
    write_onnx(model, path)
    spent = min(repeat(lambda: input_sizes(model), time.process_time, number=1, repeat=9))
    runs = input_sizes(model).axes[0].runs
    assert runs is not None
    export = suggested(net, shape(140 if "14" in name else 128))
    right = truth(net, shape)
    ours = {n for n in range(1, LAST + 1) if n in runs}
    found, seconds = ran(path, shape)
    openvino = "-"
    if python:
        taken = reshaped(python, path, axes, name)
        openvino = f"{len(taken - right)} too many, {len(right - taken)} too few"
    rule = runs.rule(str(letters[0]))
    return [
        name,
        f"{len(right)} of {LAST}",
        f"`{rule}` ({'right' if ours == right else 'wrong'}, {1000 * spent:.1f} ms)",
        f"`{export}`",
        openvino,
        f"{len(found ^ right)} wrong, {seconds:.1f} s of trying",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openvino", default="", metavar="PYTHON")
    python = parser.parse_args().openvino
    warnings.simplefilter("ignore")
    head = ["net", "runs at", "upconv audit", "torch.export", "OpenVINO reshape", "onnxruntime"]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for name in NETS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {' | '.join(rows(name, python, Path(folder)))} |")


if __name__ == "__main__":
    main()
