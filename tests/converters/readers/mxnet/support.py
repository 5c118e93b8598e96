"""Small symbols, read and computed by the reference and by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.make_mxnet import Net, params
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference import run_model

NCHW = ("N", "C", "H", "W")


def noise(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def one_node(op: str, inputs: int = 1, weights: Sequence[str] = (), **attributes: Any) -> str:
    """The symbol of one operator, "y", on the inputs "x0" ... and the weights."""
    net = Net()
    reads = [net.variable(f"x{index}") for index in range(inputs)]
    reads += [net.variable(name) for name in weights]
    return net.text(net.add(op, "y", *reads, **attributes))


def read(
    text: str, folder: Path, arrays: Mapping[str, Any] | None = None, **inputs: Sequence[Any]
) -> Model:
    """The model of a symbol, by way of files; `inputs` are shapes, letters in them open."""
    path = folder / "net-symbol.json"
    path.write_text(text)
    options = ReadOptions(inputs={name: _sizes(shape) for name, shape in inputs.items()})
    if arrays is not None:
        weights = folder / "net-0000.params"
        weights.write_bytes(params({f"arg:{name}": array for name, array in arrays.items()}))
        options = ReadOptions(weights=str(weights), inputs=options.inputs)
    return open_model(str(path), options)


def _sizes(shape: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(symbol(size) if isinstance(size, str) else size for size in shape)


def reasons(model: Model) -> dict[str, str]:
    """Layer -> why it is not understood."""
    operators = ((layer.name, layer.operator) for layer in model.layers)
    return {name: one.reason for name, one in operators if isinstance(one, Unknown)}


def meant(model: Model, *feeds: Any) -> Any:
    """The first output in the reference."""
    assert not reasons(model)
    named = {entry.name: feed for entry, feed in zip(model.inputs, feeds, strict=True)}
    return run_model(model, named, keep=model.outputs)[model.outputs[0]]


def computed(
    text: str, folder: Path, feeds: Sequence[Any], arrays: Mapping[str, Any] | None = None
) -> Any:
    """The first output of a symbol whose inputs have open sizes, as many axes as the feeds."""
    letters = {
        f"x{index}": [f"{axis}{index * bool(at)}" for at, axis in enumerate("NCHWDEF"[: feed.ndim])]
        for index, feed in enumerate(feeds)
    }
    return meant(read(text, folder, arrays, **letters), *feeds)
