"""The source framework itself, run on a model file: the judge of the readers.

This is the one place that imports a framework, and only when a user asks for it; whoever calls
`run_source` does so in a process of its own. A model is refused before its framework sees it where
upconv does not understand every layer, or where loading it would run code that the file brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeAlias

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model, NoticeKind
from upconv.converters.proof.source.loaded import Feeds, Loaded, suited
from upconv.converters.readers.options import ReadOptions

__all__ = ["ENVIRONMENT", "SourceRun", "require_framework", "run_source"]

Load: TypeAlias = Callable[[Model, ReadOptions], Loaded]

ENVIRONMENT: Final[Mapping[str, str]] = {
    "CUDA_VISIBLE_DEVICES": "-1",  # TF32 and reduced precision belong to no comparison
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # without it a CPU refuses dilated transposed convolutions
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
}
"""What a process that runs a framework has in its environment before it imports one."""

CODE_INSIDE: Final[frozenset[NoticeKind]] = frozenset({"executable-code", "dangerous-code"})
"""Notices of a file that is not given to the framework, which would run what is in it."""


@dataclass(frozen=True, slots=True)
class SourceRun:
    """What a framework was fed and what it computed: stimulus -> input or output -> values, in the
    source's own layout. Inputs have the type that the source takes."""

    framework: str
    version: str
    fed: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]


def run_source(
    model: Model,
    options: ReadOptions,
    stimuli: Mapping[str, Feeds],
    progress: Callable[[str], None] = lambda message: None,
) -> SourceRun:
    """Run a model's file in the framework that it is from.

    `stimuli` maps a stimulus to the inputs' values, in the source's own layout. Raises UsageError
    where the framework is not installed, UnsupportedError where there is none or the model is not
    given to it, and UnreadableError where the framework refuses the file or fails on it.
    """
    load = require_framework(model)
    _require_understood(model)
    progress("loading the source framework")
    loaded = load(model, options)
    title = f"{loaded.framework} {loaded.version}"
    fed: dict[str, Mapping[str, Any]] = {}
    outputs: dict[str, Mapping[str, Any]] = {}
    for stimulus, feeds in stimuli.items():
        progress(f"{title}, {stimulus}")
        fed[stimulus] = {n: suited(x, loaded.types.get(n, "float32")) for n, x in feeds.items()}
        outputs[stimulus] = loaded.run(fed[stimulus])
    return SourceRun(loaded.framework, loaded.version, fed, outputs)


def require_framework(model: Model) -> Load:
    """What loads a model in its framework; UnsupportedError where there is nothing."""
    if model.framework in LOADERS:
        load: Load = import_module(f"{__name__}.{LOADERS[model.framework]}").load
        return load
    reason = NOT_RUN.get(model.framework, f"no framework is known for '{model.framework}'")
    raise UnsupportedError(reason, path=model.path, hint="use --against reference")


def _require_understood(model: Model) -> None:
    """Raise UnsupportedError where a part of the model is not understood or not there.

    What is not understood may be anything, code among it, and weights that are missing would be
    made at random.
    """
    from upconv.converters.onnx_writer.refusals import problems, refuse

    for notice in model.notices:
        if notice.kind in CODE_INSIDE and notice.error.path in ("", model.path):
            raise notice.error
    refuse(list(problems(model, infer(model))))


LOADERS: Final[Mapping[str, str]] = {
    "keras": "keras_models",
    "tensorflow": "tensorflow_graphs",
    "pytorch": "torch_programs",
    "tflite": "tflite_models",
}
"""A model's framework -> the module here whose `load` loads its file there."""

NOT_RUN: Final[Mapping[str, str]] = {
    "caffe": "Caffe has no runtime that can be installed, so there is no source to compare with",
    "mxnet": "MXNet runs on no Python that upconv does, so there is no source to compare with",
    "onnx": "an ONNX model has no framework of its own: onnxruntime is what runs it",
}
