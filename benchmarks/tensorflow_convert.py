"""Converting a U-Net of 31 million parameters from its files, beside tf2onnx on the same files.

    python -m benchmarks.tensorflow_convert [ROUNDS]

Each way runs in a process of its own, as a user would start it: wall and processor seconds, peak
memory, and the ratios. upconv's conversion is measured without its proof, which tf2onnx has not,
and once with it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WIDTH: Final = 64
ROOT: Final = Path(__file__).resolve().parent.parent
QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}

MAKE: Final = """
import pathlib, keras, tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
L = keras.layers

def block(x, channels):
    for _ in range(2):
        x = L.ReLU()(L.BatchNormalization()(L.Conv2D(channels, 3, padding="same")(x)))
    return x

x = image = keras.Input((None, None, 3), name="image")
skips = []
for level in range(4):
    x = block(x, WIDTH << level)
    skips.append(x)
    x = L.MaxPooling2D()(x)
x = block(x, WIDTH << 4)
for skip in skips[::-1]:
    up = L.Conv2DTranspose(skip.shape[-1], 2, strides=2, padding="same")(x)
    x = block(L.Concatenate()([skip, up]), skip.shape[-1])
net = keras.Model(image, L.Conv2D(2, 1, name="classes")(x))
folder = pathlib.Path("FOLDER")
net.save(folder / "net.keras")
net.export(folder / "net", verbose=False)
call = tf.function(net).get_concrete_function(tf.TensorSpec((None, None, None, 3), name="image"))
frozen = convert_variables_to_constants_v2(call)
(folder / "net.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
(folder / "names").write_text(f"{frozen.inputs[0].name} {frozen.outputs[0].name}")
"""

FROM_KERAS: Final = """
import keras, tf2onnx
tf2onnx.convert.from_keras(keras.models.load_model("FOLDER/net.keras"), opset=18,
                           output_path="FOLDER/theirs.onnx")
"""

FILES: Final = {"frozen graph": "net.pb", "SavedModel": "net", ".keras file": "net.keras"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds on the wall, seconds of processors, peak MiB."""

    wall: float
    processor: float
    memory: float

    def beside(self, other: Cost) -> str:
        return (
            f"{self.wall / other.wall:.2f} wall, {self.processor / other.processor:.2f} processor, "
            f"{self.memory / other.memory:.2f} memory"
        )


def measured(command: list[str]) -> Cost | str:
    """The costs of a command, or the last line of what it says where it fails."""
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=ROOT, env=os.environ | QUIET
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if not status:
            return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        log.seek(0)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {process.returncode}"


def best(command: list[str], rounds: int) -> Cost | str:
    """The fastest of several rounds."""
    costs: list[Cost] = []
    for _ in range(rounds):
        cost = measured(command)
        if isinstance(cost, str):
            return cost
        costs.append(cost)
    return min(costs, key=lambda cost: cost.wall)


def theirs(folder: Path) -> Mapping[str, list[str]]:
    """How tf2onnx is told to convert each file."""
    entry, result = (folder / "names").read_text().split()
    tool = [sys.executable, "-m", "tf2onnx.convert", "--opset", "18"]
    out = ["--output", str(folder / "theirs.onnx")]
    graph = ["--graphdef", str(folder / "net.pb"), "--inputs", entry, "--outputs", result]
    code = FROM_KERAS.replace("FOLDER", str(folder))
    return {
        "frozen graph": [*tool, *graph, *out],
        "SavedModel": [*tool, "--saved-model", str(folder / "net"), *out],
        ".keras file": [sys.executable, "-c", code],
    }


def ours(folder: Path, name: str, *more: str) -> list[str]:
    out = str(folder / "ours.onnx")
    return [sys.executable, "-m", "upconv", "convert", str(folder / name), "-o", out, *more]


def show(what: str, cost: Cost | str, peer: Cost | str = "") -> None:
    if isinstance(cost, str):
        print(f"{what:<38} fails: {cost}")
        return
    ratio = cost.beside(peer) if isinstance(peer, Cost) else ""
    print(f"{what:<38} {cost.wall:>7.2f} {cost.processor:>9.2f} {cost.memory:>7.0f}   {ratio}")


def main() -> None:
    missing = [name for name in ("tensorflow", "tf2onnx") if not importlib.util.find_spec(name)]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed (pip install {' '.join(missing)})")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = MAKE.replace("WIDTH", str(WIDTH)).replace("FOLDER", name)
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | QUIET)
        print(f"{'U-Net, 31 M parameters':<38} {'wall s':>7} {'processor':>9} {'MiB':>7}   ratio")
        for what, command in theirs(folder).items():
            peer = best(command, rounds)
            show(f"tf2onnx, {what}", peer)
            show(f"upconv, {what}", best(ours(folder, FILES[what], "--no-verify"), rounds), peer)
        show("upconv with its proof, .keras file", best(ours(folder, FILES[".keras file"]), 1))


if __name__ == "__main__":
    main()
