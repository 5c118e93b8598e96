"""Speed of the forms of a bilinear upsampling layer in onnxruntime, one thread.

    python -m benchmarks.bilinear_forms [ROUNDS]

The layer grouped, as each other form writes it, and as `auto` chooses, beside one copy of its
output; milliseconds of processor time, the least of alternating rounds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, get_args

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


def dense(model: Model) -> Model:
    """The layer with one group; a weight off its diagonal, too small to matter, keeps it so."""
    (layer,) = model.layers
    op = layer.operator
    assert isinstance(op, ConvTranspose)
    weight = bilinear_diagonal((op.out_channels, op.out_channels, *op.kernel))
    weight[0, 1, 0, 0] = np.float32(1e-30)
    whole = replace(layer, operator=replace(op, groups=1), weights={"weight": weight_of(weight)})
    return replace(model, layers=(whole,))


def session_of(model: Model, form: Bilinear, folder: Path, threads: int = 1) -> Any:
    path = folder / f"{form}.onnx"
    write_onnx(model, path, WriteOptions(bilinear=form))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: Any, x: np.ndarray[Any, Any]) -> Any:
    return session.run(None, {"x": x})[0]


MOST_CHANNELS_DENSE: Final = 64


def forms_of(
    channels: int, factor: int, size: int, folder: Path, threads: int = 1
) -> dict[str, Callable[[], Any]]:
    """What runs each form once, what else computes the layer, and what copies its output."""
    model = model_of(channels, factor, size)
    x = np.random.default_rng(0).standard_normal((1, channels, size, size), dtype=np.float32)
    runs: dict[str, Callable[[], Any]] = {}
    for form in (one for one in FORMS if one in get_args(Bilinear)):  # of an older base, its own
        session = session_of(model, form, folder, threads)
        runs[form] = partial(_run, session, x)
    if channels <= MOST_CHANNELS_DENSE:
        runs["dense"] = partial(
            _run, session_of(dense(model), "conv-transpose", folder, threads), x
        )
    runs |= _others(model, x, factor, threads)
    y = runs["auto"]()
    target = np.empty_like(y)
    return {"copy": lambda: np.copyto(target, y), **runs}


def _others(
    model: Model, x: np.ndarray[Any, Any], factor: int, threads: int
) -> dict[str, Callable[[], Any]]:
    """The same layer in torch, and OpenCV's resize, which is it but for its border."""
    runs: dict[str, Callable[[], Any]] = {}
    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(threads)
        value = torch.from_numpy(x)
        weight = torch.from_numpy(model.layers[0].weights["weight"].array())
        more = {"stride": factor, "padding": bilinear_pad(factor), "groups": x.shape[1]}
        runs["torch"] = partial(_in_torch, value, weight, more)
    if find_spec("cv2") is not None:
        cv2 = import_module("cv2")
        cv2.setNumThreads(threads)
        image = np.ascontiguousarray(np.moveaxis(x[0], 0, -1))
        size = (factor * x.shape[3], factor * x.shape[2])
        resize = partial(cv2.resize, image, size, interpolation=cv2.INTER_LINEAR)
        with suppress(cv2.error):  # of more channels than an image may have, 128 of late
            resize()
            runs["OpenCV resize"] = resize
    return runs


def _in_torch(value: Any, weight: Any, more: dict[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        return torch.nn.functional.conv_transpose2d(value, weight, **more)


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
