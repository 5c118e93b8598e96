"""Broken and treacherous ONNX models: what upconv, onnx.checker, Polygraphy and onnxruntime say.

`python -m benchmarks.onnx_traps [--polygraphy COMMAND]` prints the table of the documentation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.make_onnx import Sizes, net, node, noise
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import CheckOptions, check_path


def _up(
    x: Sizes = (1, 2, 5, 7), kernel: int = 4, y: Sizes | None = None, w: Any = None, **more: Any
) -> Any:
    """A transposed convolution by 2."""
    weight = noise(2, 3, kernel, kernel) if w is None else w
    made = node("ConvTranspose", "x,w", "y", **{"strides": [2, 2], **more})
    return net([made], x, {"w": weight}, y)


def _resize(scales: Sequence[float], x: Sizes = (1, 2, "H", "W"), **more: Any) -> Any:
    stored = {"s": np.array(scales, np.float32)}
    return net([node("Resize", "x,,s", **more)], x, stored, opset=more.pop("opset", 18))


def _sized(sizes: Sequence[int], x: Sizes, opset: int = 18, **more: Any) -> Any:
    return net([node("Resize", "x,,,z", **more)], x, {"z": np.array(sizes, np.int64)}, opset=opset)


def _unpooled(shape: Sequence[int] | None, x: Sizes = (1, 1, 5, 5)) -> Any:
    """A pooling by 2 and its undoing."""
    window: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [node("MaxPool", "x", "p,i", **window)]
    if shape is None:
        return net([*nodes, node("MaxUnpool", "p,i", **window)], x)
    made = node("MaxUnpool", "p,i,z", **window)
    return net([*nodes, made], x, {"z": np.array(shape, np.int64)})


def _normalised(**more: Any) -> Any:
    stored = {name: np.ones(2, np.float32) for name in ("s", "b", "m", "v")}
    outputs = "y,om,ov" if more.get("training_mode") else "y"
    made = node("BatchNormalization", "x,s,b,m,v", outputs, **more)
    return net([made], (1, 2, 5, 7), stored, opset=15)


def _dropped() -> Any:
    stored = {"r": np.array(0.5, np.float32), "t": np.array(True)}
    return net([node("Dropout", "x,r,t")], (1, 2, 5, 7), stored)


def _baked() -> Any:
    """A net of open size that resizes to a size that was traced, and adds."""
    nodes = [
        node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "p,,,z", "u", mode="linear"),
        node("Add", "x,u"),
    ]
    return net(nodes, (1, 2, "H", "W"), {"z": np.array([1, 2, 64, 64], np.int64)})


def _sampled(mode: str, opset: int) -> Any:
    stored = {"g": np.clip(noise(1, 4, 4, 2), -1, 1)}
    return net([node("GridSample", "x,g", mode=mode)], (1, 2, 5, 7), stored, opset=opset)


def _late_bias() -> Any:
    nodes = [node("ConvTranspose", "x,w,b", "u", strides=[3, 3]), node("Pad", "u,p")]
    stored = {"w": noise(2, 3, 2, 2), "b": noise(3), "p": np.array([0] * 6 + [1, 1], np.int64)}
    made = net(nodes, (1, 2, "H", "W"), stored)
    made.producer_name = "tf2onnx"
    return made


def _diagonal() -> Any:
    from upconv.converters.ir.geometry import bilinear_taps

    taps, double = bilinear_taps(4)
    row = np.array(taps, np.float32) / np.float32(double)
    return np.eye(3, dtype=np.float32)[:, :, None, None] * np.outer(row, row)


_CUBIC: Final[dict[str, Any]] = {"mode": "cubic", "antialias": 1, "exclude_outside": 1}

TRAPS: Final[Mapping[str, tuple[str, Any]]] = {
    "the output's size is declared wrong": ("UP102", _up(y=(1, 3, 99, 16))),
    "output_padding = stride": ("UP109", _up(output_padding=[2, 2])),
    "output_padding >= stride, below the dilation": (
        "UP324",
        _up(output_padding=[2, 2], dilations=[3, 3]),
    ),
    "negative pads": ("UP411", _up(pads=[-1, -1, 0, 0])),
    "channels differ from the weight's": ("UP114", _up(x=(1, 5, 5, 7))),
    "kernel_shape differs from the weight's": ("UP001", _up(kernel_shape=[3, 3])),
    "an output of size 0 or less": ("UP101", _up(pads=[9, 9, 9, 9])),
    "pads and strides of the wrong length": ("UP001", _up(pads=[1, 1])),
    "auto_pad SAME_LOWER": ("UP401", _up(kernel=3, auto_pad="SAME_LOWER")),
    "auto_pad SAME_UPPER, kernel below the stride": (
        "UP401",
        _up(kernel=2, auto_pad="SAME_UPPER", strides=[3, 3]),
    ),
    "output_shape": ("UP401", _up(kernel=3, output_shape=[10, 14])),
    "output_shape beside pads": ("UP401", _up(output_shape=[10, 14], pads=[1, 1, 1, 1])),
    "a transposed convolution of zeros": ("UP211", _up(w=np.zeros((2, 3, 4, 4), np.float32))),
    "a bilinear kernel as a dense diagonal": ("UP214", _up(x=(1, 3, 5, 7), w=_diagonal())),
    "the bias in front of a Pad by zeros": ("UP412", _late_bias()),
    "Upsample, linear": (
        "UP403",
        net(
            [node("Upsample", "x,s", mode="linear")],
            (1, 2, 5, 7),
            {"s": np.array([1, 1, 2, 2], np.float32)},
            opset=9,
        ),
    ),
    "scales 1.9999999": ("UP404", _resize((1, 1, 1.9999999, 1.9999999))),
    "scales 0.3333333": ("UP404", _resize((1, 1, 0.3333333, 0.3333333))),
    "align_corners with a fractional scale": (
        "UP003",
        _resize(
            (1, 1, 1.7, 1.7),
            (1, 2, 5, 7),
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
    ),
    "a size baked into an open net": ("UP405", _baked()),
    "a mode of another opset (bicubic in 20)": ("UP001", _sampled("bicubic", 20)),
    "cubic of GridSample 20": ("UP406", _sampled("cubic", 20)),
    "tf_half_pixel_for_nn in opset 13": (
        "UP001",
        _sized(
            (1, 2, 10, 14),
            (1, 2, 5, 7),
            13,
            coordinate_transformation_mode="tf_half_pixel_for_nn",
            nearest_mode="floor",
        ),
    ),
    "BatchNormalization in training mode": ("UP407", _normalised(training_mode=1)),
    "Dropout in training mode": ("UP407", _dropped()),
    "MaxUnpool without its size, 5 pooled by 2": ("UP408", _unpooled(None)),
    "MaxUnpool with another output_shape": ("UP408", _unpooled((1, 1, 6, 6))),
    "antialiased cubic with -0.75": ("UP409", _sized((1, 2, 3, 4), (1, 2, 9, 12), **_CUBIC)),
    "antialias that counts pixels outside": (
        "UP409",
        _sized((1, 2, 3, 4), (1, 2, 9, 12), mode="linear", antialias=1),
    ),
    "an output that promises its input's letters": (
        "UP410",
        net(
            [node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])],
            (1, 2, "H", "W"),
            y=(1, 2, "H", "W"),
        ),
    ),
}
"""What is wrong -> (the rule that says it, the model)."""


def _says(path: Path, code: str) -> bool:
    """Whether upconv tells of the trap."""
    found = check_path(path, CheckOptions(ReadOptions())).findings
    return any(one.code == code for one in found)


def _checker(path: Path) -> str:
    import onnx

    try:
        onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    except Exception:  # the checker's errors have no common class
        return "refuses"
    return "-"


def _runtime(path: Path) -> str:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        shape = [n if isinstance(n, int) else 9 for n in session.get_inputs()[0].shape]
        session.run(None, {"x": np.ones(shape, np.float32)})
    except Exception:  # nor do onnxruntime's
        return "refuses"
    return "-"


def _polygraphy(command: str, path: Path) -> str:
    """The levels of what the linter says of the model, but for hints at its opset."""
    report = path.with_suffix(".json")
    words = [command, "check", "lint", str(path), "-o", str(report), "--silent"]
    subprocess.run(words, capture_output=True, check=False)
    said = json.loads(report.read_text("utf-8"))["lint_entries"]
    return ", ".join(sorted({one["level"] for one in said})) or "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polygraphy", default="", help="the program polygraphy")
    command = parser.parse_args().polygraphy
    print("| What is wrong | upconv | onnx.checker | Polygraphy lint | onnxruntime |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, (code, model)) in enumerate(TRAPS.items()):
            path = Path(folder) / f"{index}.onnx"
            path.write_bytes(model.SerializeToString())
            others = [_checker(path), _polygraphy(command, path) if command else "", _runtime(path)]
            mark = "" if _says(path, code) else " (missed)"
            print(f"| {name} | {code}{mark} | {' | '.join(others)} |")


if __name__ == "__main__":
    main()
