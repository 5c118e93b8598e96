"""An environment of its own for each engine, below build/engines; packages come from PyPI alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "engines"


@dataclass(frozen=True)
class Engine:
    """Which target it is evidence for, what pip installs for it, and whether without what that asks
    for (pnnx asks for torch, which it needs for other files than ONNX). One that does not do the
    same twice is run several times."""

    target: str
    packages: tuple[str, ...]
    alone: bool = False
    environment: str = ""
    runs: int = 1


ENGINES = {
    "onnxruntime": Engine("onnxruntime", ("onnxruntime",)),
    "openvino": Engine("openvino", ("openvino",)),
    "opencv": Engine("opencv-5", ("opencv-python-headless>=5",)),
    "opencv-classic": Engine("opencv-4", ("opencv-python-headless>=5",), environment="opencv"),
    "opencv-4": Engine("opencv-4", ("opencv-python-headless<5",)),
    "tract": Engine("tract", ("tract",)),
    "mnn": Engine("mnn", ("MNN",), runs=3),
    "ncnn": Engine("ncnn", ("ncnn", "pnnx", "portalocker", "requests", "tqdm"), alone=True),
}


def python_of(name: str) -> Path:
    """The engine's own interpreter; its environment is made where there is none."""
    engine = ENGINES[name]
    folder = FOLDER / (engine.environment or name)
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "numpy"], check=True)
        subprocess.run(
            [*pip, *(["--no-deps"] if engine.alone else []), *engine.packages], check=True
        )
        done.touch()
    return python


def version_of(name: str) -> str:
    """The version of the engine's first package."""
    package = ENGINES[name].packages[0].partition(">")[0].partition("<")[0]
    words = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    told = [str(python_of(name)), "-c", words, package]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()


def run(name: str, jobs: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How each job went, in their order."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [str(python_of(name)), str(ROOT / "benchmarks" / "engines" / "runner.py"), name]
    done = subprocess.run(
        words, input=json.dumps(jobs), capture_output=True, text=True, check=True, env=environment
    )
    yield from map(json.loads, done.stdout.splitlines())
