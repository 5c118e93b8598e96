"""What is fuzzed: every reader through the whole check, the settings, the baseline, the cache.

A target takes the bytes of a file and a folder to write it in. UpconvError is how a file may be
refused; anything else that is raised, and a finding that says a rule or a reader crashed or ran
out of memory, is a defect.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from tests.fuzz.seeds import CODE, NET, mxnet_net
from upconv.converters.ir.errors import UpconvError
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import FileReport
from upconv.linter.running.baseline import read_baseline
from upconv.linter.running.cache import Cache
from upconv.linter.running.engine import CheckOptions, check_path
from upconv.linter.settings.config import read_config
from upconv.linter.settings.overrides import matches_file
from upconv.linter.settings.patterns import Patterns, parsed

Target: TypeAlias = Callable[[bytes, Path], None]

KEY: Final = "k"


def _require_sound(report: FileReport) -> None:
    for finding in report.findings:
        assert finding.code != "UP006", finding.message
        assert "not enough memory" not in finding.message, finding.message
        for text in (finding.message, finding.layer, finding.help):
            assert len(text) < 100_000


def _checked(name: str) -> Target:
    def target(data: bytes, folder: Path) -> None:
        path = folder / name
        path.write_bytes(data)
        with suppress(UpconvError):
            _require_sound(check_path(path))

    return target


def _as_weights(model: str, text: str, name: str) -> Target:
    """The file as the weights of a model."""

    def target(data: bytes, folder: Path) -> None:
        (folder / model).write_text(text)
        path = folder / name
        path.write_bytes(data)
        options = CheckOptions(ReadOptions(weights=str(path)))
        with suppress(UpconvError):
            _require_sound(check_path(folder / model, options))

    return target


def _bundle(data: bytes, folder: Path) -> None:
    from upconv.converters.readers.tensorflow.bundle import open_bundle

    (folder / "v.index").write_bytes(data)
    (folder / "v.data-00000-of-00001").write_bytes(bytes(64))
    with suppress(UpconvError):
        bundle = open_bundle(str(folder / "v"))
        for name in list(bundle.entries)[:20]:
            bundle.tensor(name)


def _onnx(data: bytes, folder: Path) -> None:
    from upconv.converters.proof.runtime import read_onnx

    (folder / "a.onnx").write_bytes(data)
    with suppress(UpconvError):
        read_onnx(str(folder / "a.onnx"))


def _config(data: bytes, folder: Path) -> None:
    (folder / "upconv.toml").write_bytes(data)
    with suppress(UpconvError):
        config = read_config(folder / "upconv.toml")
        matches_file(config.exclude, folder, folder / "a" / "b.prototxt")
        for override in config.overrides:
            matches_file(override.files, folder, folder / "a" / "b.prototxt")


def _baseline(data: bytes, folder: Path) -> None:
    (folder / "b.json").write_bytes(data)
    with suppress(UpconvError):
        read_baseline(folder / "b.json")


def _cache(data: bytes, folder: Path) -> None:
    cache = Cache(folder)
    entry = cache._entry("a")
    entry.parent.mkdir(exist_ok=True)
    entry.write_bytes(data)
    cache.load("a", KEY)


def _gitignore(data: bytes, folder: Path) -> None:
    patterns = Patterns(parsed(data.decode("utf-8", "replace").splitlines()))
    for path in ("a", "a/b/c.pt", "x/y", "a" * 255, "a/" * 500 + "z"):
        patterns.verdict_alone(path.split("/"))


TARGETS: Final[dict[str, Target]] = {
    "prototxt": _checked("a.prototxt"),
    "caffemodel": _as_weights("a.prototxt", NET, "a.caffemodel"),
    "python": _checked("a.py"),
    "notebook": _checked("a.ipynb"),
    "keras_json": _checked("a.json"),
    "hdf5": _checked("a.h5"),
    "keras": _checked("a.keras"),
    "graphdef": _checked("a.pb"),
    "pbtxt": _checked("a.pbtxt"),
    "bundle": _bundle,
    "pt2": _checked("a.pt2"),
    "torchscript": _checked("a.pt"),
    "checkpoint": _checked("a.pth"),
    "pickle": _checked("b.pth"),
    "safetensors": _as_weights("a.py", CODE, "a.safetensors"),
    "onnx": _onnx,
    "tflite": _checked("a.tflite"),
    "mxnet": _checked("a.json"),
    "mxnet_params": _as_weights("a.json", mxnet_net(), "a.params"),
    "onnx_model": _checked("a.onnx"),
    "config": _config,
    "baseline": _baseline,
    "cache": _cache,
    "gitignore": _gitignore,
}
"""Name -> target; the seeds bear the same names."""
