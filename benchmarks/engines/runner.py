"""Runs models in one engine, each in a child of its own: started by that engine's own Python.

    python runner.py ENGINE < jobs.json

A job is {"model", "inputs", "outputs", "names", "results"}: files, the names of the first input and
of the outputs. A line of JSON on standard output tells how each went: "ran", or "refused" or "died"
with a reason. The children open no sockets: `confine` has the system refuse them. Only the standard
library, numpy, the engine and that one module are imported here.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SECONDS = 60
MEMORY = 8 << 30

Array = NDArray[np.float32]
Run = Callable[[str, list[Array], list[str], list[str]], list[Any]]


def run_onnxruntime(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return list(session.run(outs, dict(zip(names, xs, strict=True))))


def run_openvino(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(model), "CPU", hints)
    found = compiled(dict(zip(names, xs, strict=True)))
    return [found[name] for name in outs]


def _opencv(
    model: str, xs: list[Array], names: list[str], outs: list[str], engine: str
) -> list[Any]:
    import cv2

    if hasattr(cv2.dnn, engine):
        net = cv2.dnn.readNetFromONNX(model, getattr(cv2.dnn, engine))
    else:
        net = cv2.dnn.readNetFromONNX(model)
    for name, x in zip(names, xs, strict=True):
        net.setInput(x, name)
    return list(net.forward(outs)) if len(outs) > 1 else [net.forward()]


def run_opencv(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    return _opencv(model, xs, names, outs, "ENGINE_NEW")


def run_classic(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    return _opencv(model, xs, names, outs, "ENGINE_CLASSIC")


def run_tract(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    """With the sizes of the inputs; without them where they contradict the letters of a file."""
    import tract

    for sized in (True, False):
        read = (tract.onnx() if callable(tract.onnx) else tract.onnx.Onnx()).load(model)
        for index, x in enumerate(xs if sized else ()):
            read.set_input_fact(index, ",".join(map(str, x.shape)) + ",f32")
        try:
            return [one.to_numpy() for one in read.into_model().into_runnable().run(list(xs))]
        except Exception:
            if not sized:
                raise
    raise AssertionError("the second try returns or raises")


def run_mnn(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    """The library's own converter: its Python wrapper runs pip and sends a log."""
    import _tools
    import MNN

    made = "model.mnn"
    _tools.mnnconvert(
        ["", "-f", "ONNX", "--modelFile", model, "--MNNModel", made, "--bizCode", "none"]
    )
    if not Path(made).is_file():
        raise RuntimeError("it was not converted")
    net = MNN.nn.load_module_from_file(made, names, outs)
    given = [MNN.expr.const(x, list(x.shape), MNN.expr.NCHW) for x in xs]
    return [np.array(MNN.expr.convert(y, MNN.expr.NCHW).read()) for y in net.forward(given)]


def run_ncnn(model: str, xs: list[Array], names: list[str], outs: list[str]) -> list[Any]:
    """pnnx, with float32 weights, and ncnn, which has no batch axis."""
    import ncnn

    spec = importlib.util.find_spec("pnnx")  # importing it would import torch
    assert spec is not None
    assert spec.origin is not None
    pnnx = str(Path(spec.origin).with_name("pnnx"))

    Path("model.onnx").write_bytes(Path(model).read_bytes())
    shapes = ",".join(f"[{','.join(map(str, x.shape))}]f32" for x in xs)
    words = [pnnx, "model.onnx", f"inputshape={shapes}", "fp16=0"]
    subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.opt.num_threads = 1
    if net.load_param("model.ncnn.param") or net.load_model("model.ncnn.bin"):
        raise RuntimeError("ncnn does not load what pnnx wrote")
    got = []
    with net.create_extractor() as extractor:
        for index, x in enumerate(xs):
            if x.shape[0] != 1:
                raise RuntimeError("a batch of more than one")
            extractor.input(f"in{index}", ncnn.Mat(np.ascontiguousarray(x[0])).clone())
        for index in range(len(outs)):
            code, y = extractor.extract(f"out{index}")
            if code:
                raise RuntimeError(f"extract: {code}")
            got.append(np.array(y)[None])
    return got


ENGINES: dict[str, Run] = {
    "onnxruntime": run_onnxruntime,
    "openvino": run_openvino,
    "opencv": run_opencv,
    "opencv-classic": run_classic,
    "opencv-4": run_classic,
    "tract": run_tract,
    "mnn": run_mnn,
    "ncnn": run_ncnn,
}


MODULES = {
    **{"onnxruntime": "onnxruntime", "openvino": "openvino", "tract": "tract", "mnn": "MNN"},
    **{"opencv": "cv2", "opencv-classic": "cv2", "opencv-4": "cv2", "ncnn": "ncnn"},
}
"""What is imported once, before the children; none of them starts threads by that."""


def child(engine: str, job: dict[str, Any]) -> None:
    """One model, in this process, which ends here; a refusal is written beside the results."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code, results = 1, Path(job["results"]).absolute()
    model, inputs = str(Path(job["model"]).absolute()), Path(job["inputs"]).absolute()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # noqa: TID251  (this process has one thread, and ends here)
            with np.load(inputs, allow_pickle=False) as stored:
                xs = [np.ascontiguousarray(stored[name]) for name in job["names"]]
            found = ENGINES[engine](model, xs, job["names"], job["outputs"])
            arrays = [np.array(one, np.float32) for one in found]
            np.savez(results, **dict(zip(job["outputs"], arrays, strict=True)))
            code = 0
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        results.with_suffix(".why").write_text(" ".join(words.split())[:300], "utf-8")
    os._exit(code)


def wait(process: int) -> int:
    """The exit status, negative for a signal; the child is ended where it takes too long."""
    signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
    signal.alarm(2 * SECONDS)
    _, status = os.waitpid(process, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    from upconv.service.work.confinement import Confinement, confine

    engine, jobs = sys.argv[1], json.load(sys.stdin)
    held = confine(Confinement(memory=MEMORY, cpu_seconds=3600))
    if not held.sockets:
        raise SystemExit("this system does not refuse sockets: an engine might call home")
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # an engine may print as it is imported
    importlib.import_module(MODULES[engine])
    for job in jobs:
        process = os.fork()
        if not process:
            child(engine, job)
        code = wait(process)
        state = "ran" if code == 0 else "refused" if code == 1 else "died"
        reason = Path(job["results"]).with_suffix(".why")
        why = reason.read_text("utf-8") if state == "refused" and reason.is_file() else ""
        print(
            json.dumps({"results": job["results"], "state": state, "why": why}),
            file=told,
            flush=True,
        )


if __name__ == "__main__":
    main()
