"""upconv beside other tools on the same files: conversions, and checks of an ONNX file.

`make bench` installs the tools: those that bear our onnx into an environment that sees ours, and
caffe2onnx, which does not, into one of its own (UPCONV_CAFFE2ONNX names its interpreter). A tool
that is not there has no row.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks import tensorflow_convert, torch_convert
from benchmarks.rows import Row, rows_of
from benchmarks.timing import children_seconds, command, race

ROOT: Final = Path(__file__).resolve().parent.parent
FCN: Final = ROOT / "fixtures/fcn8s/fcn8s.prototxt"
UPCONV: Final = (sys.executable, "-m", "upconv")

TFLITE: Final = """
call = tf.function(net).get_concrete_function(tf.TensorSpec((1, 64, 64, 3), name="image"))
fixed = convert_variables_to_constants_v2(call)
converter = tf.lite.TFLiteConverter.from_concrete_functions([fixed])
(folder / "net.tflite").write_bytes(converter.convert())
"""
CHECKER: Final = "import onnx, sys; onnx.checker.check_model(sys.argv[1], full_check=True)"


def there(*modules: str) -> bool:
    """Whether all of these are installed."""
    return all(find_spec(name) is not None for name in modules)


def ours(source: Path, out: Path, *more: str) -> Callable[[], None]:
    words = (*UPCONV, "convert", str(source), "-o", str(out), "--proof", "none", *more)
    return command(*words, whole=True)


def compared(
    group: str, contenders: Mapping[str, Callable[[], Any]], quick: bool, beside: str = ""
) -> Iterator[Row]:
    """Rows beside the first contender, or the one that is named; none where there is one only."""
    if len(contenders) < 2:
        return
    try:
        times = race(contenders, 1 if quick else 5, children_seconds, warm=not quick)
    except SystemExit as failure:  # of one tool, which the other groups can do without
        print(f"{group}: left out, for {failure}", flush=True)
        return
    yield from rows_of(group, times, beside or next(iter(contenders)))


def made_fcn(folder: Path) -> Path:
    """The weights of the small FCN-8s."""
    weights = folder / "net.caffemodel"
    make = [sys.executable, str(ROOT / "fixtures/make_weights.py"), str(FCN), str(weights)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return weights


def checks(quick: bool) -> Iterator[Row]:
    """An ONNX file of 48 nodes."""
    with tempfile.TemporaryDirectory() as name:
        weights, out = made_fcn(Path(name)), Path(name, "net.onnx")
        ours(FCN, out, "--weights", str(weights))()
        contenders = {
            "onnx.checker, full": command(sys.executable, "-c", CHECKER, str(out), whole=True),
            "upconv check": command(*UPCONV, "check", str(out), "--no-cache", "--exit-zero"),
        }
        if there("polygraphy"):
            tool = str(Path(sys.executable).parent / "polygraphy")
            contenders["polygraphy check lint"] = command(tool, "check", "lint", str(out))
        yield from compared("checking an ONNX file", contenders, quick)


def from_caffe(quick: bool) -> Iterator[Row]:
    """The small FCN-8s, without proofs."""
    python = os.environ.get("UPCONV_CAFFE2ONNX", "")
    if not python:
        return
    with tempfile.TemporaryDirectory() as name:
        weights, out = made_fcn(Path(name)), Path(name, "net.onnx")
        given = ("--prototxt", str(FCN), "--caffemodel", str(weights), "--onnx", str(out))
        contenders = {
            "caffe2onnx": command(python, "-m", "caffe2onnx.convert", *given),
            "upconv convert": ours(FCN, out, "--weights", str(weights)),
        }
        yield from compared("converting Caffe, FCN-8s", contenders, quick)


def from_tensorflow(quick: bool) -> Iterator[Row]:
    """A U-Net as a .keras file and for TensorFlow Lite, without proofs."""
    if not there("tensorflow", "tf2onnx"):
        return
    width = 8 if quick else tensorflow_convert.WIDTH
    with tempfile.TemporaryDirectory() as name:
        code = tensorflow_convert.MAKE + TFLITE
        code = code.replace("WIDTH", str(width)).replace("FOLDER", name)
        quiet = os.environ | tensorflow_convert.QUIET
        subprocess.run([sys.executable, "-c", code], check=True, env=quiet, capture_output=True)
        folder = Path(name)
        theirs = tensorflow_convert.theirs(folder)[".keras file"]
        lite = ("--tflite", str(folder / "net.tflite"), "--output", str(folder / "lite.onnx"))
        pairs = {
            "Keras": (theirs, folder / "net.keras"),
            "TFLite": ([sys.executable, "-m", "tf2onnx.convert", *lite], folder / "net.tflite"),
        }
        for title, (words, source) in pairs.items():
            contenders = {
                "tf2onnx": command(*words, whole=True),
                "upconv convert": ours(source, folder / "ours.onnx"),
            }
            yield from compared(f"converting {title}, U-Net", contenders, quick)


def from_torch(quick: bool) -> Iterator[Row]:
    """A U-Net, from its module and from the program that torch saved of it, without proofs."""
    if not there("torch", "onnxscript"):
        return
    width = 8 if quick else torch_convert.WIDTH
    with tempfile.TemporaryDirectory() as name:
        codes = {
            "save": torch_convert.NET + torch_convert.SAVE,
            "export": torch_convert.NET + torch_convert.WAYS["torch.onnx.export"][1],
        }
        codes = {
            what: code.replace("WIDTH", str(width)).replace("FOLDER", name)
            for what, code in codes.items()
        }
        command(sys.executable, "-c", codes["save"], whole=True)()
        source, out = Path(name, "net.pt2"), Path(name, "ours.onnx")
        contenders = {
            "torch.onnx.export": command(sys.executable, "-c", codes["export"], whole=True),
            "upconv convert": ours(source, out),
        }
        yield from compared("converting PyTorch, U-Net", contenders, quick)


GROUPS: Final = (checks, from_caffe, from_tensorflow, from_torch)
