"""Converting a U-Net of 31 million parameters, beside torch.onnx.export of the same module.

Each way runs in a process of its own, from the live module and from the .pt2 file; seconds and
peak memory over the process before it began, and the ratios.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WIDTH = 64
ROOT = Path(__file__).resolve().parent.parent

NET = """
import torch
from torch import nn

def block(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(),
        nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())

class UNet(nn.Module):
    def __init__(self, w):
        super().__init__()
        sizes = [w, 2 * w, 4 * w, 8 * w, 16 * w]
        self.down = nn.ModuleList(block(a, b) for a, b in zip([3] + sizes, sizes))
        pairs = list(zip(sizes[::-1], sizes[-2::-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
        self.merge = nn.ModuleList(block(a, b) for a, b in pairs)
        self.head = nn.Conv2d(w, 2, 1)

    def forward(self, x):
        skips = []
        for index, level in enumerate(self.down):
            x = level(nn.functional.max_pool2d(x, 2) if index else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1]):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.head(x)

module, example = UNet(WIDTH).eval(), (torch.randn(2, 3, 64, 64),)
shapes = {"x": {0: torch.export.Dim.AUTO}}
"""

MEASURE = """
import json, resource, sys, time
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
SETUP
before, begin = peak(), time.perf_counter()
STEPS
print("RESULT", json.dumps([time.perf_counter() - begin, peak() - before, peak()]))
"""

SAVE = (
    "program = torch.export.export(module, example, dynamic_shapes=shapes)\n"
    "torch.export.save(program, 'FOLDER/net.pt2')"
)
WAYS = {
    "upconv from the .pt2 file": (
        "",
        "from upconv.converters.readers.formats import open_model\n"
        "from upconv.converters.readers.options import ReadOptions\n"
        "from upconv.converters.onnx_writer import write_onnx\n"
        "write_onnx(open_model('FOLDER/net.pt2', ReadOptions()), 'FOLDER/file.onnx')",
    ),
    "upconv from the live module": (
        NET,
        "from upconv import from_torch\n"
        "from upconv.converters.onnx_writer import write_onnx\n"
        "write_onnx(from_torch(module, example, dynamic_shapes=shapes), 'FOLDER/live.onnx')",
    ),
    "torch.onnx.export": (
        NET,
        "torch.onnx.export(module, example, 'FOLDER/theirs.onnx', dynamo=True,"
        " dynamic_shapes=shapes, verbose=False)",
    ),
}


def measured(setup: str, steps: str, folder: str) -> list[float] | None:
    """(seconds, MiB over the start, MiB in all), None where it fails."""
    code = MEASURE.replace("SETUP", setup).replace("STEPS", steps)
    code = code.replace("WIDTH", str(WIDTH)).replace("FOLDER", folder)
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    line = next((one for one in found.stdout.splitlines() if one.startswith("RESULT ")), "")
    if not line:
        print(f"left out: {found.stderr.strip().splitlines()[-1]}")
        return None
    numbers: list[float] = json.loads(line.removeprefix("RESULT "))
    return numbers


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured(NET, SAVE, folder)
        results: dict[str, Any] = {
            name: measured(setup, steps, folder) for name, (setup, steps) in WAYS.items()
        }
    theirs = results["torch.onnx.export"]
    print(
        f"{'U-Net, 31 M parameters':<30} {'s':>7} {'MiB more':>9} {'MiB':>7}   ratio to torch.onnx"
    )
    for name, one in results.items():
        if one is None:
            continue
        ratios = (
            ""
            if theirs is None
            else f"{one[0] / theirs[0]:.2f} time, {one[2] / theirs[2]:.2f} memory"
        )
        print(f"{name:<30} {one[0]:>7.2f} {one[1]:>9.0f} {one[2]:>7.0f}   {ratios}")


if __name__ == "__main__":
    main()
