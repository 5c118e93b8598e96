"""Whole networks, traced, scripted and frozen, converted without torch and compared with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.converters.readers.torch.nets import initialised
from tests.converters.readers.torch.script.nets import (
    INPUTS,
    KINDS,
    SCRIPTABLE,
    Loops,
    NoChannels,
    Optionals,
    Unused,
)
from tests.converters.readers.torch.script.support import converted, equal, opened, saved
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.inference import infer

CONVERT = """
import json, sys
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

jobs = json.loads(sys.argv[1])
models = [open_model(path, ReadOptions(inputs={n: tuple(shape)})) for path, n, shape in jobs]
assert not {"torch", "numpy", "onnx"} & set(sys.modules)

from upconv.converters.onnx_writer import write_onnx

for model in models:
    write_onnx(model, model.path + ".onnx")
assert "torch" not in sys.modules
"""


def files(name: str, folder: Path) -> tuple[Any, dict[str, Path]]:
    """A network, and its file of every kind."""
    net = SCRIPTABLE[name]
    module, example = initialised(net), torch.zeros(net.example)
    named = {kind: folder / f"{kind}.pt".replace(" ", "_") for kind in KINDS}
    return module, {kind: saved(module, kind, example, path) for kind, path in named.items()}


def written_without_torch(name: str, paths: Iterable[Path], root: Path) -> None:
    """The files as ONNX at their example's size, by a process that never imports torch."""
    jobs = [(str(path), INPUTS.get(name, "x"), SCRIPTABLE[name].example) for path in paths]
    command = [sys.executable, "-c", CONVERT, json.dumps(jobs)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SCRIPTABLE)
def test_a_whole_network_of_every_kind(name: str, tmp_path: Path, root: Path) -> None:
    """One test a network, since making its files takes the longest."""
    module, paths = files(name, tmp_path)
    written_without_torch(name, paths.values(), root)
    for kind, path in paths.items():
        equal(module, path.with_name(f"{path.name}.onnx"), [SCRIPTABLE[name].example])
        _followed_without_shapes(name, kind, path)
    for kind in ("traced", "scripted"):
        _open_sizes(name, module, paths[kind], tmp_path)


def _open_sizes(name: str, module: Any, path: Path, folder: Path) -> None:
    """Letters leave sizes open."""
    net = SCRIPTABLE[name]
    letters = "NCHW" if len(net.example) == 4 else "NCDHW"
    shape: tuple[Size, ...] = tuple(
        n if axis == 1 or (name == "dcgan" and axis) else symbol(letter)
        for axis, (n, letter) in enumerate(zip(net.example, letters, strict=True))
    )
    target = converted(path, {INPUTS.get(name, "x"): shape}, folder)
    equal(module, target, [net.example, *net.others])


def _followed_without_shapes(name: str, kind: str, path: Path) -> None:
    """A trace keeps its example's shape, which nothing else does; all are followed."""
    model = opened(path)
    assert not model.notices
    assert not infer(model).errors
    (entry,) = model.inputs
    assert entry.name == INPUTS.get(name, "x")
    assert entry.shape == (SCRIPTABLE[name].example if kind == "traced" else None)
    known = opened(path, **{entry.name: SCRIPTABLE[name].example})
    kinds = [type(layer.operator) for layer in model.layers]
    assert kinds == [type(layer.operator) for layer in known.layers]


@pytest.mark.parametrize("kind", ["traced", "scripted"])
def test_layers_are_named_and_placed_as_in_an_exported_program(kind: str, tmp_path: Path) -> None:
    net = SCRIPTABLE["unet"]
    path = saved(initialised(net), kind, torch.zeros(net.example), tmp_path / "net.pt")
    up = opened(path).layer("up2")
    assert up.origin.type in ("aten._convolution.default", "aten.conv_transpose2d.input")
    file, _, line = up.origin.code.rpartition(":")
    assert "self.up2(deep)" in Path(file).read_text().splitlines()[int(line) - 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", [Loops, NoChannels, Optionals, Unused])
def test_control_flow_and_stored_tensors(module: Any, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, example = module().eval(), (2, 3, 9, 12)
    path = saved(net, kind, torch.zeros(example), tmp_path / "net.pt")
    shape = (symbol("N"), 3, symbol("H"), symbol("W"))
    equal(net, converted(path, {"x": example}, tmp_path), [example])
    equal(net, converted(path, {"x": shape}, tmp_path), [example, (1, 3, 14, 7)])
