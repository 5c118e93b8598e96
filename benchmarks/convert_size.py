"""Time and peak memory of converting a large caffemodel, beside copying the file.

    python -m benchmarks.convert_size [NET.prototxt NET.caffemodel] [ROUNDS]

Without arguments it makes a net of fully connected layers of 540 MB in a temporary folder. The
conversion runs without verification, with its weights in an external file and inline.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH = 4096


def make_net(folder: Path, megabytes: int = 540) -> None:
    """Runs in a process of its own: a child's peak memory counts what its parent had."""
    import numpy as np

    from fixtures.make_caffemodel import write_caffemodel

    width = min(WIDTH, int((megabytes * 1e6 / 4) ** 0.5))
    count = max(round(megabytes * 1e6 / (4 * width * width)), 1)
    net, weights = folder / "wide.prototxt", folder / "wide.caffemodel"
    text = f'name: "wide"\ninput: "data"\ninput_shape {{ dim: 1 dim: {width} dim: 1 dim: 1 }}\n'
    bottom = "data"
    for index in range(count):
        text += (
            f'layer {{ name: "fc{index}" type: "Convolution" bottom: "{bottom}" top: "fc{index}" '
            f"convolution_param {{ num_output: {width} kernel_size: 1 }} }}\n"
        )
        bottom = f"fc{index}"
    net.write_text(text)
    values = np.random.default_rng(0).standard_normal((width, width, 1, 1), dtype=np.float32)
    bias = np.zeros(width, np.float32)
    layers = (
        (f"fc{index}", "Convolution", [(values.shape, values), (bias.shape, bias)])
        for index in range(count)
    )
    write_caffemodel(weights, "wide", layers)


def run(command: list[str]) -> tuple[float, float]:
    """(wall seconds, peak resident MiB) of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def made_net(folder: Path, megabytes: int = 540) -> tuple[Path, Path]:
    call = f"convert_size.make_net(pathlib.Path({str(folder)!r}), {megabytes})"
    make = f"import pathlib; from benchmarks import convert_size; {call}"
    subprocess.run([sys.executable, "-c", make], check=True)
    return folder / "wide.prototxt", folder / "wide.caffemodel"


def main() -> None:
    arguments = [a for a in sys.argv[1:] if not a.isdigit()]
    rounds = next((int(a) for a in sys.argv[1:] if a.isdigit()), 5)
    with tempfile.TemporaryDirectory(prefix="upconv-bench-") as name:
        folder = Path(name)
        net, weights = map(Path, arguments) if arguments else made_net(folder)
        upconv = str(Path(sys.executable).parent / "upconv")
        out = str(folder / "out.onnx")
        convert = [upconv, "convert", str(net), "--weights", str(weights), "-o", out, "--no-verify"]
        commands = {
            "cp": ["cp", str(weights), str(folder / "copy.bin")],
            "import onnx, numpy": [sys.executable, "-c", "import onnx, numpy, click"],
            "convert, external": [*convert, "--external-data", "always"],
            "convert, inline": [*convert, "--external-data", "never"],
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            for title, command in commands.items():
                results[title].append(run(command))
        size = weights.stat().st_size / 1e6
        print(f"converting {size:.0f} MB, {rounds} alternating rounds")
        base = statistics.median(t for t, _ in results["cp"])
        for title, values in results.items():
            seconds = statistics.median(t for t, _ in values)
            peak = max(m for _, m in values)
            print(
                f"  {title:20} {seconds:6.2f} s  {seconds / base:5.2f} x cp  peak {peak:6.0f} MiB"
            )


if __name__ == "__main__":
    main()
