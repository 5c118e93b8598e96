"""Speed of the forms of a bilinear upsampling layer in onnxruntime, one thread.

    python -m benchmarks.bilinear_forms [ROUNDS]

The layer grouped, as each other form writes it, and as `auto` chooses, beside one copy of its
output; milliseconds of processor time, the least of alternating rounds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from benchmarks.timing import race
from fixtures.make_weights import bilinear_diagonal
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.options import Bilinear

FORMS: Final[tuple[Bilinear, ...]] = (
    "conv-transpose", "separable", "matmul", "resize", "auto",
)  # fmt: skip
CASES: Final = (
    (21, 2, 64), (64, 2, 64), (256, 2, 64), (21, 8, 64), (64, 8, 32), (21, 32, 16),
    (21, 4, 64), (64, 4, 32), (21, 16, 32), (64, 2, 16),
)  # fmt: skip
"""(channels, factor, input height and width)"""


def model_of(channels: int, factor: int, size: int) -> Model:
    kernel, pad = bilinear_kernel_size(factor), bilinear_pad(factor)
    operator = ConvTranspose(
        channels, (kernel,) * 2, (factor,) * 2, (1, 1), (pad,) * 2, (pad,) * 2, (0, 0), channels
    )
    weight = weight_of(bilinear_diagonal((channels, 1, kernel, kernel)))
    layer = Layer("up", operator, ("x",), ("y",), {"weight": weight})
    shape = (1, channels, size, size)
    return Model("up", "", "caffe", (ModelInput("x", shape),), ("y",), (layer,))


def session_of(model: Model, form: Bilinear, folder: Path) -> Any:
    path = folder / f"{form}.onnx"
    write_onnx(model, path, WriteOptions(bilinear=form))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: Any, x: np.ndarray[Any, Any]) -> Any:
    return session.run(None, {"x": x})[0]


def forms_of(channels: int, factor: int, size: int, folder: Path) -> dict[str, Callable[[], Any]]:
    """What runs each form once, and what copies its output once."""
    model = model_of(channels, factor, size)
    x = np.random.default_rng(0).standard_normal((1, channels, size, size), dtype=np.float32)
    runs: dict[str, Callable[[], Any]] = {}
    for form in FORMS:
        session = session_of(model, form, folder)
        runs[form] = partial(_run, session, x)
    y = runs["auto"]()
    target = np.empty_like(y)
    return {"copy": lambda: np.copyto(target, y), **runs}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 15
    print(f"bilinear forms in onnxruntime, one thread, least ms of {rounds} alternating rounds")
    for channels, factor, size in CASES:
        with tempfile.TemporaryDirectory() as folder:
            times = race(forms_of(channels, factor, size, Path(folder)), rounds)
        base = times["conv-transpose"].least
        row = "  ".join(
            f"{n} {1e3 * t.least:7.2f} ({t.least / base:.2f})" for n, t in times.items()
        )
        print(f"  C{channels} f{factor} {size}x{size}: {row}")


if __name__ == "__main__":
    main()
