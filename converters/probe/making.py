"""The probe of an ONNX file: its nodes as they are, whole numbers for weights and inputs.

All values stay at or below 2**11 where sums and dyadic interpolation allow it, so that float16 has
them exactly. A net of one weighted layer gets another number in every tap, so that pads, flips and
dilations show; in deeper ones each channel passes one tap of one channel on, and nothing grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from upconv.converters.ir.model import Model
from upconv.converters.probe.files import MODEL, Manifest, write_manifest

WEIGHTED: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
LARGEST: Final = 7
"""Of weights and inputs: 36 products of them stay below 2**11."""
FINE: Final = 16
"""What inputs are multiples of where nothing is weighted: an interpolation between two axes of
quarters stays whole."""
ASKED: Final = ("ConvTranspose", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth", "MaxUnpool",
                "GridSample")  # fmt: skip


def make(proto: ModelProto, model: Model, folder: Path, inner: bool) -> Manifest:
    """Write the probe into a folder that exists: the model, two runs of inputs, the manifest.

    `model` is the file as it was read, for the shapes of its inputs; with `inner` what goes into
    and comes out of every upsampling layer leaves too.
    """
    weighted = [node for node in proto.graph.node if node.op_type in WEIGHTED]
    _replace_weights(proto, weighted, rich=len(weighted) == 1)
    if inner:
        _expose(proto)
    (folder / MODEL).write_bytes(proto.SerializeToString())
    runs = []
    for index, values in enumerate(_inputs(model, LARGEST if weighted else 127, bool(weighted))):
        runs.append(f"inputs-{index}.npz")
        np.savez(folder / runs[-1], **values)
        for name, array in values.items():
            safe = "".join(c if c.isalnum() else "_" for c in name)
            array.astype("<f4").tofile(folder / f"inputs-{index}.{safe}.bin")
    manifest = Manifest(tuple(runs), tuple(one.name for one in proto.graph.output))
    write_manifest(folder, manifest)
    return manifest


def constants(proto: ModelProto) -> dict[str, NDArray[np.float64]]:
    """The numbers of the file that its upsampling nodes read."""
    wanted = {name for node in proto.graph.node if node.op_type in ASKED for name in node.input}
    inline = TensorProto.DEFAULT
    found = (
        one for one in proto.graph.initializer if one.name in wanted and one.data_location == inline
    )
    return {one.name: np.asarray(numpy_helper.to_array(one), np.float64) for one in found}


def _replace_weights(proto: ModelProto, nodes: list[NodeProto], rich: bool) -> None:
    stored = {one.name: one for one in proto.graph.initializer}
    done: set[str] = set()
    for node in nodes:
        for name in node.input[1:]:
            if name in stored and name not in done:
                done.add(name)
                old = numpy_helper.to_array(stored[name])
                values = _bias(old) if old.ndim == 1 else _kernel(old, rich)
                kept = numpy_helper.from_array(values.astype(old.dtype), name)
                stored[name].CopyFrom(kept)


def _bias(old: NDArray[Any]) -> NDArray[Any]:
    """Small, and another one in each channel: it tells what a border is made of."""
    return 1 + np.arange(old.size) % 3


def _kernel(old: NDArray[Any], rich: bool) -> NDArray[Any]:
    if rich:
        values: NDArray[Any] = np.random.default_rng(0).integers(1, LARGEST + 1, old.shape)
        return values
    values = np.zeros(old.shape, np.int64)
    taps = values.reshape(*old.shape[:2], -1)
    for row in range(old.shape[0]):
        taps[row, row % old.shape[1], row % taps.shape[2]] = 1
    return values


def _expose(proto: ModelProto) -> None:
    known = {one.name for one in (*proto.graph.output, *proto.graph.input)}
    stored = {one.name for one in proto.graph.initializer}
    for node in proto.graph.node:
        for name in (*node.input[:1], *node.output[:1]) if node.op_type in ASKED else ():
            if name and name not in known | stored:
                known.add(name)
                proto.graph.output.append(helper.make_empty_tensor_value_info(name))
                proto.graph.output[-1].type.tensor_type.elem_type = 1


def _inputs(model: Model, largest: int, small: bool) -> Iterator[dict[str, Any]]:
    """Whole numbers everywhere; then a few pixels of each channel alone."""
    step = 1 if small else FINE
    rng = np.random.default_rng(1)
    shapes = {one.name: _fixed(one.shape or ()) for one in model.inputs}
    dense = {n: rng.integers(0, largest + 1, s) * step for n, s in shapes.items()}
    yield {name: values.astype(np.float32) for name, values in dense.items()}
    yield {name: _impulses(values).astype(np.float32) for name, values in dense.items()}


def _impulses(values: NDArray[Any]) -> NDArray[Any]:
    """The first and the last value, and every 23rd, which lands on no axis in steps."""
    kept = np.zeros(values.size, values.dtype)
    places = [0, values.size - 1, *range(11, values.size, 23)] if values.size else []
    kept[places] = np.maximum(values.reshape(-1)[places], 1)
    return kept.reshape(values.shape)


def _fixed(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Open sizes: one image, and axes that are odd and differ."""
    return tuple(
        size if isinstance(size, int) else 1 if axis == 0 else 2 * axis + 5
        for axis, size in enumerate(shape)
    )
