"""The sizes that an audit says a net accepts, beside running the net at each of them.

Twelve nets in five formats, each at every size from 1 to 512 of every axis, the others at a size
that runs, and at every pair of heights and widths from 1 to 64. A disagreement is a size that runs
and that the audit excludes, or the other way round, or an output that is as large as the image
where the audit says that it is not.

What runs: a .keras file, loaded again, in Keras on TensorFlow, in a graph as its `predict` does or
eagerly where it has none; a .pt2 file, loaded again, as torch's graph module without its guards,
which forbid sizes that the graph computes; a TorchScript file in torch.jit; an .onnx file, which
upconv wrote of the TorchScript file (SegNet: of the .pt2), in onnxruntime; a .prototxt by the
reference's rules of Caffe with numbers for sizes, layer by layer, and at every 16th size in the
reference interpreter, which computes. The others compute at every size. An empty result is none.
Nor is what onnxruntime makes of an image inside the net that is smaller than a pooling's window: by
ONNX's rule nothing is left of it, but onnxruntime divides -1 by 2 and rounds towards zero. Usage:

    python -m benchmarks.audit_brute_force [--nets NET ...] [--formats FORMAT ...] [--last 512]
        [--grid 64]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, product
from operator import lt
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from tests.converters.audit import keras_nets, nets, torch_nets
from upconv.converters.audit.audited import Audit
from upconv.converters.audit.neighbours import accepts
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.records import record
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.auditing import audit_model

Image: TypeAlias = tuple[int, ...]
"""The spatial sizes of an image: (H, W) or (D, H, W)."""

Run: TypeAlias = Callable[[Image], Image | None]
"""The spatial sizes of what a net makes of an image of zeros, None where it does not run."""

CAFFE: Final[Mapping[str, Callable[[], str]]] = {
    **{name: nets.NETS[name] for name in torch_nets.NETS if name in nets.NETS},
    "Keras U-Net": nets.keras_u_net,
    "PyTorch U-Net": nets.torch_u_net,
    "V-Net": nets.v_net,
}

COMPUTED: Final = 16
"""Of so many sizes the reference interpreter computes one."""

RESULTS: Final = {"score", "fuse", "zoom", "c0", "back0"}
"""What the nets in Caffe's text are for; some have outputs beside it."""


@record(frozen=True, slots=True)
class Net:
    """A file of a net, its audit, and how it is run."""

    audit: Audit
    run: Run

    @property
    def usual(self) -> dict[str, int]:
        return {name: size for name, size in self.audit.at.items() if name not in NO_SIZES}

    def agrees(self, image: Mapping[str, int]) -> bool:
        """Whether the audit says of an image what running it does."""
        made = self.run(tuple(image.values()))
        found = self.audit.found
        if accepts(found, {**self.audit.at, **image}) is not (made is not None):
            return False
        return made is None or all(
            axis.same_size is not None and (size in axis.same_size) is (now == size)
            for (name, size), now in zip(image.items(), made, strict=True)
            if (axis := found.axis(name)) is not None
        )

    def images(self, last: int, grid: int) -> Iterator[dict[str, int]]:
        """Every size of each axis by itself, and the grid of the last two."""
        for name in self.usual:
            yield from ({**self.usual, name: size} for size in range(1, last + 1))
        height, width = list(self.usual)[-2:]
        for high, wide in product(range(1, grid + 1), repeat=2):
            yield {**self.usual, height: high, width: wide}


def example(name: str) -> Image:
    """A size at which a net runs in every format."""
    return {"V-Net": (16, 16, 16), "PSPNet": (69, 69)}.get(name, (64, 64))


def of_caffe(name: str, folder: Path) -> Net:
    from upconv.converters.passes.fill import fill_missing

    filler = 'weight_filler { type: "constant" value: 0.5 } num_output'
    path = folder / "net.prototxt"
    path.write_text(CAFFE[name]().replace("num_output", filler), encoding="utf-8")
    found = audit_model(str(path), ReadOptions())
    model = fill_missing(found.model, ("constant",))
    (result,) = RESULTS & set(model.outputs)
    turn = count()

    def run(image: Image) -> Image | None:
        made = _by_rules(model, result, image)
        if next(turn) % COMPUTED == 0:
            assert _computed(model, result, image) == made, image
        return made

    return Net(found, run)


def _by_rules(model: Model, result: str, image: Image) -> Image | None:
    """The size of a value where the inputs' sizes are numbers, None where a layer cannot be."""
    (entry,) = model.inputs
    assert entry.shape is not None
    sized = replace(model, inputs=(replace(entry, shape=(*entry.shape[:2], *image)),))
    found = infer(sized)
    made = found.shapes[result] if not found.errors else None
    sizes = [size for shape in found.shapes.values() for size in (shape or ())[2:]]
    return None if made is None or 0 in sizes else tuple(int(str(size)) for size in made[2:])


def _computed(model: Model, result: str, image: Image) -> Image | None:
    from upconv.converters.reference.run import run_model

    (entry,) = model.inputs
    assert entry.shape is not None
    zeros = np.zeros((1, int(str(entry.shape[1])), *image))
    try:
        return _whole(run_model(model, {entry.name: zeros}, keep=(result,))[result].shape[2:])
    except UpconvError:
        return None


def of_keras(name: str, folder: Path) -> Net:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow

    path = folder / "net.keras"
    keras_nets.built(name).save(path)
    net = keras.models.load_model(path)
    axes = len(example(name))
    signature = [tensorflow.TensorSpec((1, *(None,) * axes, 1))]
    predict = tensorflow.function(net, input_signature=signature)
    try:
        predict.get_concrete_function()
    except TypeError:  # Keras' UpSampling2D, bilinear, has no graph for open sizes
        predict = net

    def run(image: Image) -> Image | None:
        try:
            made = predict(tensorflow.zeros((1, *image, 1)))
        except Exception:  # Keras' own errors and TensorFlow's
            return None
        return _whole(tuple(made.shape[1:-1]))

    return Net(audit_model(str(path), ReadOptions()), run)


def of_export(name: str, folder: Path) -> Net:
    import torch

    net, image = torch_nets.NETS[name]().eval(), example(name)
    axes = ({2 + axis: torch.export.Dim.AUTO for axis in range(len(image))},)
    program = torch.export.export(net, (torch.zeros(1, 1, *image),), dynamic_shapes=axes)
    path = folder / "net.pt2"
    torch.export.save(program, path)
    graph = torch.export.load(path).module(check_guards=False)
    return Net(audit_model(str(path), ReadOptions()), running_in_torch(graph))


def of_trace(name: str, folder: Path) -> Net:
    import torch

    net, path = torch_nets.NETS[name]().eval(), folder / "net.pt"
    torch.jit.trace(net, torch.zeros(1, 1, *example(name)), check_trace=False).save(str(path))
    return Net(audit_model(str(path), ReadOptions()), running_in_torch(torch.jit.load(path)))


def running_in_torch(net: Any) -> Run:
    import torch

    plain = torch.backends.mkldnn  # which prepares itself anew for each size

    def run(image: Image) -> Image | None:
        with torch.no_grad(), torch.jit.optimized_execution(False), plain.flags(enabled=False):
            try:
                made = net(torch.zeros(1, 1, *image))
            except (RuntimeError, AssertionError):
                return None
        return _whole(tuple(made.shape[2:]))

    return run


def of_onnx(name: str, folder: Path) -> Net:
    import onnx
    import onnxruntime

    from upconv.converters.onnx_writer import write_onnx

    source = (of_export if name == "SegNet" else of_trace)(name, folder)
    path = folder / "net.onnx"
    write_onnx(source.audit.model, path)
    shown = onnx.load(path)
    inside = [value for node in shown.graph.node for value in node.output if value]
    own = [value.name for value in shown.graph.output]
    poolings = [node for node in shown.graph.node if node.op_type in ("MaxPool", "AveragePool")]
    shown.graph.output.extend(onnx.ValueInfoProto(name=n) for n in inside if n not in own)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # one is kept for each size
    options.intra_op_num_threads = 1
    content = shown.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    (entry,) = session.get_inputs()

    def run(image: Image) -> Image | None:
        try:
            made = session.run(None, {entry.name: np.zeros((1, 1, *image), np.float32)})
        except Exception:  # whatever onnxruntime raises
            return None
        shapes = {entry.name: (1, 1, *image)} | {
            value.name: one.shape for value, one in zip(session.get_outputs(), made, strict=True)
        }
        too_small = any(_too_small(node, shapes[node.input[0]]) for node in poolings)
        return None if too_small else _whole(made[0].shape[2:])

    return Net(audit_model(str(path), ReadOptions()), run)


def _too_small(pooling: Any, shape: Image) -> bool:
    """Whether an image has no room for a window, where a pooling rounds down."""
    from onnx import helper

    given = {one.name: helper.get_attribute_value(one) for one in pooling.attribute}
    kernel, image = given["kernel_shape"], shape[2:]
    pads = given.get("pads", [0] * 2 * len(image))
    room = (size + pads[i] + pads[i + len(image)] for i, size in enumerate(image))
    return not given.get("ceil_mode") and any(map(lt, room, kernel))


def _whole(image: Image) -> Image | None:
    return image if all(image) else None


FORMATS: Final[Mapping[str, Callable[[str, Path], Net]]] = {
    ".prototxt": of_caffe,
    ".keras": of_keras,
    ".pt2": of_export,
    "TorchScript": of_trace,
    ".onnx": of_onnx,
}


def cell(name: str, form: str, last: int, grid: int) -> str:
    """How many sizes were tried, and at how many of them an audit and running disagree."""
    with tempfile.TemporaryDirectory() as folder:
        net = FORMATS[form](name, Path(folder))
        started, tried, wrong = time.perf_counter(), 0, []
        for image in net.images(last, grid):
            tried += 1
            if not net.agrees(image):
                wrong.append(image)
    seconds = time.perf_counter() - started
    for image in wrong[:3]:
        print(f"  {name} {form} {image}: {net.run(tuple(image.values()))}", flush=True)
    axes = [axis.sizes for axis in net.audit.axes if axis.letter == "H"]
    rules = [axis.runs.rule("H") for axis in axes if axis.runs is not None]
    print(f"  {name} {form}: {', '.join(rules)}; {seconds:.0f} s", flush=True)
    return f"{len(wrong)} of {tried:,}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="*", default=list(CAFFE))
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    parser.add_argument("--last", type=int, default=512)
    parser.add_argument("--grid", type=int, default=64)
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    rows = [
        [name, *(cell(name, form, asked.last, asked.grid) for form in asked.formats)]
        for name in asked.nets
    ]
    print(f"| net | {' | '.join(asked.formats)} |\n|{' --- |' * (1 + len(asked.formats))}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
