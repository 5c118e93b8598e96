"""What the reader says of TorchScript files: shapes, refusals, pieces it cannot follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.converters.readers.torch.nets import NETS, initialised
from tests.converters.readers.torch.script.nets import DataBranch, Rescaled, SizeBranch, Strict
from tests.converters.readers.torch.script.registry import registered
from tests.converters.readers.torch.script.support import converted, equal, loaded, opened, saved
from tests.support import Golden
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.schemas import SCHEMAS, schemas
from upconv.converters.readers.torch.script.overloads import SAME, overload

SHAPE = (2, 3, 9, 12)
OPEN = (symbol("N"), 3, symbol("H"), symbol("W"))


def scripted(module: Any, folder: Path, kind: str = "scripted") -> Path:
    return saved(module, kind, torch.zeros(SHAPE), folder / "net.pt")


@pytest.mark.golden
def test_the_schemas_are_those_of_torch(golden: Golden) -> None:
    golden(SCHEMAS, registered())


def test_every_schema_is_read() -> None:
    lines = SCHEMAS.read_text("utf-8").splitlines()
    assert sum(map(len, schemas().values())) == len(lines)
    types = {one.type for group in schemas().values() for s in group for one in s.parameters}
    assert types <= {
        *(
            "Tensor",
            "Tensor?",
            "Tensor[]",
            "Tensor?[]",
            "Scalar",
            "Scalar?",
            "int",
            "int?",
            "int[]",
            "int[]?",
        ),
        *("float", "float?", "float[]?", "bool", "bool?", "str", "str?", "ScalarType"),
        *("ScalarType?", "Layout?", "Device", "Device?", "MemoryFormat", "MemoryFormat?"),
        *(f"int[{n}]{q}" for n in (1, 2, 3, 4, 6) for q in ("", "?")),
    }


def test_overloads_are_told_by_their_arguments() -> None:
    from upconv.converters.readers.torch.aten.calls import TensorRef

    x = TensorRef("x")
    wanted = {
        ("add", (x, x)): "aten.add.Tensor",
        ("add", (x, 2)): "aten.add.Scalar",
        ("squeeze", (x,)): "aten.squeeze.default",
        ("squeeze", (x, 1)): "aten.squeeze.dim",
        ("squeeze", (x, (1, 2))): "aten.squeeze.dims",
        ("upsample_nearest2d", (x, None, (2.0, 2.0))): "aten.upsample_nearest2d.vec",
        ("max", (x, 1, True)): "aten.max.dim",
        ("split", (x, (1, 2), 1)): "aten.split_with_sizes.default",
    }
    for (name, arguments), target in wanted.items():
        found = overload(name, arguments, {})
        assert found is not None
        assert SAME.get(found[0].target, found[0].target) == target
    assert overload("add", ("x", x), {}) is None
    assert overload("no_such_operator", (x,), {}) is None


def test_a_branch_that_data_decides_is_an_unknown_piece_on_its_line(tmp_path: Path) -> None:
    model = opened(scripted(DataBranch(), tmp_path), x=SHAPE)
    piece = next(layer for layer in model.layers if layer.operator.__class__ is ops.Unknown)
    assert piece.origin.type == "prim.If"
    file, _, line = piece.origin.code.rpartition(":")
    assert "if bool(x.sum() > 0)" in Path(file).read_text().splitlines()[int(line) - 1]
    assert [notice.kind for notice in model.notices][:1] == ["unknown-layer-type"]
    assert "which branch it takes is not known: it depends on the data" in str(
        model.notices[0].error
    )


def test_what_an_unknown_piece_changes_in_place_does_not_leave_unchanged(tmp_path: Path) -> None:
    """The sum in place stands inside of the branch; without it the outputs would be wrong."""
    model = opened(scripted(DataBranch(), tmp_path), x=SHAPE)
    with pytest.raises(UnsupportedError, match=r"prim\.If"):
        write_onnx(model, tmp_path / "net.onnx")


def test_a_branch_that_sizes_decide(tmp_path: Path) -> None:
    module = SizeBranch()
    path = scripted(module, tmp_path)
    for shape in (SHAPE, (1, 3, 8, 5)):
        equal(module, converted(path, {"x": shape}, tmp_path), [shape])
    model = opened(path, x=OPEN)
    assert "sizes that are left open (give the sizes as numbers, with --input)" in str(
        model.notices[0].error
    )


def test_a_trace_computes_sizes_in_float32(tmp_path: Path) -> None:
    """At some sizes the product with 1.7 falls to another integer than in double precision."""
    path = scripted(Rescaled(), tmp_path, "traced")
    traced = loaded(path)
    for size in range(1, 120, 7):
        shape = (1, 3, size, 10)
        wanted = tuple(traced(torch.zeros(shape)).shape)
        assert infer(opened(path, x=shape)).shapes["output"] == wanted
    assert "which is no simple fraction" in str(opened(path, x=OPEN).notices[0].error)


def test_a_module_that_raises_on_these_shapes(tmp_path: Path) -> None:
    path = scripted(Strict(), tmp_path)
    with pytest.raises(UnsupportedError, match=r"the module raises: expected four axes \(give"):
        opened(path, x=(3, 9, 12))
    assert not opened(path).notices


def test_shapes_that_nobody_gives(tmp_path: Path) -> None:
    model = opened(scripted(Strict(), tmp_path))
    assert model.inputs[0].shape is None
    with pytest.raises(UnsupportedError, match=r"'x' is unknown.*--input x=1x3x500x500"):
        write_onnx(model, tmp_path / "net.onnx")


def test_an_input_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no input 'y' \(its inputs are x\)"):
        opened(scripted(Strict(), tmp_path), y=SHAPE)


def test_weights_of_another_file_are_not_taken(tmp_path: Path) -> None:
    path = scripted(Strict(), tmp_path)
    with pytest.raises(UnsupportedError, match=r"has its own weights"):
        open_model(str(path), ReadOptions(weights="other.safetensors"))


def test_inputs_of_other_kinds(tmp_path: Path) -> None:
    class Numbers(nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor, count: int) -> torch.Tensor:
            return x * count

    with pytest.raises(UnsupportedError, match=r"takes 'count', a int; only tensors can be"):
        opened(scripted(Numbers(), tmp_path))
    halves = saved(nn.Upsample(scale_factor=2), "traced", torch.zeros(SHAPE).double(),
                   tmp_path / "halves.pt")  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"the input 'input' is float64"):
        write_onnx(opened(halves), tmp_path / "net.onnx")


@pytest.mark.parametrize("kind", ["scripted", "traced"])
def test_a_module_saved_in_training_mode(kind: str, tmp_path: Path) -> None:
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Upsample(scale_factor=2), nn.Dropout(0.5))
    path = saved(module.train(), kind, torch.ones(SHAPE), tmp_path / "net.pt")
    name = "input" if kind == "scripted" else opened(path).inputs[0].name
    messages = [str(notice.error) for notice in opened(path, **{name: SHAPE}).notices]
    assert len(messages) == 2
    assert "it normalises by the batch" in messages[0]
    assert "it drops values at random" in messages[1]
    assert all("call .eval()" in message for message in messages)


def test_indices_are_integer_inputs(tmp_path: Path) -> None:
    class Unpooled(nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
            return torch._C._nn.max_unpool2d(x, indices, [6, 8])

    path = scripted(Unpooled(), tmp_path)
    model = opened(path, x=(2, 3, 3, 4), indices=(2, 3, 3, 4))
    assert [entry.integer for entry in model.inputs] == [False, True]
    write_onnx(model, tmp_path / "net.onnx")


def test_certified_layer_by_layer(tmp_path: Path) -> None:
    path = saved(initialised(NETS["unet"]), "scripted", None, tmp_path / "net.pt")
    model = opened(path, image=NETS["unet"].example)
    write_onnx(model, tmp_path / "net.onnx")
    assert verify(model, str(tmp_path / "net.onnx")).verdict == "pass"


def test_a_file_is_told_where_a_large_tensor_hides_its_other_names(tmp_path: Path) -> None:
    for kind in ("traced", "scripted"):
        module = nn.Sequential(nn.Conv2d(3, 3000, 3), nn.Upsample(scale_factor=2)).eval()
        path = saved(module, kind, torch.zeros(1, 3, 5, 5), tmp_path / "net.pt")
        assert b"/code/" not in path.read_bytes()[: 1 << 16]
        assert identify(str(path)) == "PyTorch"
        assert [type(one.operator) for one in opened(path).layers] == [ops.Conv, ops.Resize]
