"""Nets that Caffe ran, converted by upconv and by caffe2onnx, compared with Caffe's results.

    python -m benchmarks.caffe_goldens [--caffe2onnx PYTHON]

PYTHON is the interpreter of an environment that has caffe2onnx, which does not install beside a
present onnx. The nets are looked for where the tests look for them (UPCONV_SHARED).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.support import shared_folder

TOLERANCE: Final = 1e-5
"""Of the largest magnitude of a blob."""


def upconv(folder: Path, onnx: Path) -> list[str]:
    """The command that converts a net with this project."""
    command = [
        str(Path(sys.executable).with_name("upconv")),
        "convert",
        str(folder / "net.prototxt"),
    ]
    weights = folder / "net.caffemodel"
    given = ["--weights", str(weights)] if weights.exists() else []
    return [*command, *given, "-o", str(onnx), "--no-verify"]


def caffe2onnx(python: str, folder: Path, onnx: Path) -> list[str]:
    """The command that converts a net with caffe2onnx."""
    files = {"prototxt": folder / "net.prototxt", "caffemodel": folder / "net.caffemodel"}
    given = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    return [python, "-m", "caffe2onnx.convert", *given, "--onnx", str(onnx)]


def outcome(command: list[str], onnx: Path, recorded: Any) -> str:
    """What becomes of a net: equal, wrong, or where it stops."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not onnx.exists():
        return "not converted"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(onnx), options)
        inputs = [recorded[key] for key in recorded if key.startswith("in/")]
        names = [entry.name for entry in session.get_inputs()]
        found = session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception:  # onnxruntime's errors have no common class
        return "refused by onnxruntime"
    outputs = [entry.name for entry in session.get_outputs()]
    return "equal" if all(map(_equal, outputs, found, [recorded] * len(found))) else "wrong"


def _equal(name: str, found: Any, recorded: Any) -> bool:
    want = recorded[f"out/{name}"]
    if found.shape != want.shape:
        return False
    finite = np.isfinite(want)
    error = np.abs(found - want, where=finite, out=np.zeros(want.shape)).max(initial=0.0)
    return bool(error <= TOLERANCE * np.abs(want[finite]).max(initial=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--caffe2onnx", metavar="PYTHON", default="")
    python = parser.parse_args().caffe2onnx
    folders = sorted(net.parent for net in shared_folder().glob("goldens/caffe/*/net.prototxt"))
    if not folders:
        print("no nets that Caffe ran are here: name their folder in UPCONV_SHARED")
        return
    counts: dict[str, Counter[str]] = {"upconv": Counter()}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            recorded = np.load(folder / "io.npz")
            ours, theirs = (Path(scratch) / f"{folder.name}.{n}.onnx" for n in (1, 2))
            counts["upconv"][outcome(upconv(folder, ours), ours, recorded)] += 1
            if python:
                command = caffe2onnx(python, folder, theirs)
                counts.setdefault("caffe2onnx", Counter())[outcome(command, theirs, recorded)] += 1
    kinds = ("equal", "wrong", "refused by onnxruntime", "not converted")
    print(f"{f'{len(folders)} nets':<12}" + "".join(f"{kind:>24}" for kind in kinds))
    for name, row in counts.items():
        print(f"{name:<12}" + "".join(f"{row[kind]:>24}" for kind in kinds))


if __name__ == "__main__":
    main()
