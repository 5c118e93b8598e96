"""Speed of the forms of a bilinear upsampling layer in onnxruntime, one thread.

    python -m benchmarks.bilinear_forms [ROUNDS]

The dense transposed convolution that FCN stores, as it is and as the separable and the matmul form
write it; milliseconds, median of alternating rounds, and the ratio to the dense form.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnxruntime as ort

from fixtures.make_weights import bilinear_diagonal
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import WriteOptions, write_onnx

Form = Literal["conv-transpose", "separable", "matmul"]
CASES = ((21, 2, 64), (64, 2, 64), (21, 8, 64), (64, 8, 32), (21, 32, 16))
"""(channels, factor, input height and width)"""


def model_of(channels: int, factor: int, size: int) -> Model:
    kernel, pad = bilinear_kernel_size(factor), bilinear_pad(factor)
    operator = ConvTranspose(
        channels, (kernel,) * 2, (factor,) * 2, (1, 1), (pad,) * 2, (pad,) * 2, (0, 0)
    )
    weight = weight_of(bilinear_diagonal((channels, channels, kernel, kernel)))
    layer = Layer("up", operator, ("x",), ("y",), {"weight": weight})
    shape = (1, channels, size, size)
    return Model("up", "", "caffe", (ModelInput("x", shape),), ("y",), (layer,))


def session_of(model: Model, form: Form, folder: Path) -> Any:
    path = folder / f"{form}.onnx"
    write_onnx(model, path, WriteOptions(bilinear=form))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 15
    print(f"bilinear forms in onnxruntime, one thread, median ms of {rounds} alternating rounds")
    for channels, factor, size in CASES:
        model = model_of(channels, factor, size)
        x = np.random.default_rng(0).standard_normal((1, channels, size, size), dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            sessions = {f: session_of(model, f, Path(folder)) for f in get_args(Form)}
            times: dict[str, list[float]] = {form: [] for form in sessions}
            for _ in range(rounds):
                for form, session in sessions.items():
                    started = time.perf_counter()
                    session.run(None, {"x": x})
                    times[form].append(1e3 * (time.perf_counter() - started))
        medians = {form: statistics.median(values) for form, values in times.items()}
        dense = medians["conv-transpose"]
        row = "  ".join(f"{form} {ms:7.2f} ({ms / dense:.2f})" for form, ms in medians.items())
        print(f"  C{channels} f{factor} {size}x{size}: {row}")


if __name__ == "__main__":
    main()
