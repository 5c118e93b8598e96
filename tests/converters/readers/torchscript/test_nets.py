"""Whole networks, traced, scripted and frozen, converted without torch and compared with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from converters.dims import Size, symbol
from converters.inference import infer
from tests.converters.readers.pytorch.nets import initialised
from tests.converters.readers.torchscript.nets import INPUTS, KINDS, SCRIPTABLE, Loops, Unused
from tests.converters.readers.torchscript.support import converted, equal, opened, saved

CONVERT = """
import json, sys
from converters.readers import open_model
from converters.readers.options import ReadOptions

jobs = json.loads(sys.argv[1])
models = [open_model(path, ReadOptions(inputs={n: tuple(shape)})) for path, n, shape in jobs]
assert not {"torch", "numpy", "onnx"} & set(sys.modules)

from converters.onnx_writer import write_onnx

for model in models:
    write_onnx(model, model.path + ".onnx")
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Any, Path]]:
    """(network, kind) -> the module and its file."""
    folder = tmp_path_factory.mktemp("torchscript")
    found = {}
    for name, net in SCRIPTABLE.items():
        module = initialised(net)
        for kind in KINDS:
            path = folder / f"{name}-{kind}.pt".replace(" ", "_")
            example = torch.zeros(net.example)
            found[name, kind] = module, saved(module, kind, example, path)
    return found


@pytest.fixture(scope="module")
def written(files: dict[tuple[str, str], tuple[Any, Path]], root: Path) -> None:
    """Every file converted at its example's size, in one process that never imports torch."""
    jobs = [
        (str(path), INPUTS.get(name, "x"), SCRIPTABLE[name].example)
        for (name, _), (_, path) in files.items()
    ]
    command = [sys.executable, "-c", CONVERT, json.dumps(jobs)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCRIPTABLE)
@pytest.mark.usefixtures("written")
def test_files_convert_without_torch_and_compute_the_same(
    name: str, kind: str, files: dict[tuple[str, str], tuple[Any, Path]]
) -> None:
    module, path = files[name, kind]
    equal(module, path.with_name(f"{path.name}.onnx"), [SCRIPTABLE[name].example])


@pytest.mark.parametrize("kind", ["traced", "scripted"])
@pytest.mark.parametrize("name", SCRIPTABLE)
def test_letters_leave_sizes_open(
    name: str, kind: str, files: dict[tuple[str, str], tuple[Any, Path]], tmp_path: Path
) -> None:
    module, path = files[name, kind]
    net = SCRIPTABLE[name]
    letters = "NCHW" if len(net.example) == 4 else "NCDHW"
    shape: tuple[Size, ...] = tuple(
        n if axis == 1 or (name == "dcgan" and axis) else symbol(letter)
        for axis, (n, letter) in enumerate(zip(net.example, letters, strict=True))
    )
    target = converted(path, {INPUTS.get(name, "x"): shape}, tmp_path)
    equal(module, target, [net.example, *net.others])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCRIPTABLE)
def test_without_shapes_files_are_followed_all_the_same(
    name: str, kind: str, files: dict[tuple[str, str], tuple[Any, Path]]
) -> None:
    """A trace keeps its example's shape, which nothing else does."""
    _, path = files[name, kind]
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
def test_layers_are_named_and_placed_as_in_an_exported_program(
    kind: str, files: dict[tuple[str, str], tuple[Any, Path]]
) -> None:
    _, path = files["unet", kind]
    up = opened(path).layer("up2")
    assert up.origin.type in ("aten._convolution.default", "aten.conv_transpose2d.input")
    file, _, line = up.origin.code.rpartition(":")
    source = Path(file).read_text().splitlines()[int(line) - 1]
    assert "self.up2(deep)" in source


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", [Loops, Unused])
def test_control_flow_and_stored_tensors(module: Any, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, example = module().eval(), (2, 3, 9, 12)
    path = saved(net, kind, torch.zeros(example), tmp_path / "net.pt")
    shape = (symbol("N"), 3, symbol("H"), symbol("W"))
    equal(net, converted(path, {"x": example}, tmp_path), [example])
    equal(net, converted(path, {"x": shape}, tmp_path), [example, (1, 3, 14, 7)])
