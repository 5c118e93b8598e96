"""PyTorch's files against PyTorch: right ones pass, a reader's mistake is found."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from tests.converters.proof.source.support import against_source, compare, shifted
from tests.converters.readers.torch.nets import NETS, initialised
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.against_source import source_stimuli, verify_against
from upconv.converters.proof.report import Verification
from upconv.converters.proof.source import run_source, torch_programs
from upconv.converters.proof.source.pt2_vetting import is_arithmetic
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")
AUTO = torch.export.Dim.AUTO
F = torch.nn.functional


class Upsampler(torch.nn.Module):  # type: ignore[misc]
    """One transposed convolution with uneven pads, two results."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.up = torch.nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)

    def forward(self, x: Any, scale: float = 2.0, *, skip: Any) -> Any:
        y = self.up(x)
        return {"sum": y + skip, "pair": (y * scale, y)}


class Unpooler(torch.nn.Module):  # type: ignore[misc]
    """Max pooling of pixels in equal fours, so that any of four is a maximum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = torch.nn.Conv2d(3, 4, 3, 1, 1)

    def forward(self, x: Any) -> Any:
        return self.finished(*self.pooled(x))

    def pooled(self, x: Any) -> tuple[Any, Any]:
        pixels = F.interpolate(x, scale_factor=2.0, mode="nearest")
        values, indices = F.max_pool2d(pixels, 2, 2, return_indices=True)
        return values, indices

    def finished(self, values: Any, indices: Any) -> Any:
        return self.last(F.max_unpool2d(values, indices, 2, 2, 0, (10, 14)))


def exported(module: Any, folder: Path, *inputs: Any, **keywords: Any) -> Path:
    path = folder / "net.pt2"
    program = torch.export.export(module.eval(), inputs, keywords)
    torch.export.save(program, path)
    return path


@pytest.fixture
def upsampler(tmp_path: Path) -> Path:
    skip = torch.zeros(2, 4, 10, 14)
    return exported(Upsampler(), tmp_path, torch.zeros(2, 3, 5, 7), skip=skip)


def test_structured_arguments_and_results_pass(upsampler: Path) -> None:
    result = against_source(upsampler)
    assert result.verdict == "pass"
    assert [one.name for one in result.outputs] == ["output", "output_1", "output_2"]
    assert result.source is not None
    assert (result.source.framework, result.source.version) == ("PyTorch", torch.__version__)


@pytest.mark.parametrize("name", ["segnet", "fpn"])
def test_nets_pass(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    program = torch.export.export(
        initialised(net), (torch.randn(net.example),), dynamic_shapes=net.dynamic or None
    )
    torch.export.save(program, tmp_path / "net.pt2")
    assert against_source(tmp_path / "net.pt2").verdict == "pass"


def test_a_mistake_of_the_reader_fails(upsampler: Path) -> None:
    result = against_source(upsampler, change=shifted)
    assert result.verdict == "fail"
    assert {one.verdict for one in result.outputs} == {"fail"}


def unpooled(folder: Path, moved: int) -> Verification:
    """The comparison with a framework that takes the maximum so many pixels further."""
    module = Unpooler()
    path = exported(module, folder, torch.zeros(2, 3, 5, 7))
    model = open_model(str(path), ReadOptions())
    write_onnx(model, folder / "net.onnx")
    run = run_source(model, ReadOptions(), source_stimuli(model, 0))
    (name,) = run.outputs["noise"].keys() - {"output"}
    made = {}
    for stimulus, feeds in source_stimuli(model, 0).items():
        values, indices = module.pooled(torch.from_numpy(feeds["x"]))
        output = module.finished(values, indices + moved).detach().numpy()
        made[stimulus] = {name: (indices + moved).numpy(), "output": output}
        if not moved:
            np.testing.assert_array_equal(run.outputs[stimulus][name], indices)
    return verify_against(model, str(folder / "net.onnx"), replace(run, outputs=made))


@pytest.mark.parametrize("moved", [0, 1, 14, 15])
def test_each_side_may_take_its_own_of_equal_maxima(moved: int, tmp_path: Path) -> None:
    """The outputs differ by as much as they are, both are right, and the tolerance stays."""
    result = unpooled(tmp_path, moved)
    assert result.verdict == "pass"
    assert result.outputs[0].tolerance < 0.02


def test_a_choice_that_is_no_maximum_fails(tmp_path: Path) -> None:
    assert unpooled(tmp_path, 2).verdict == "fail"


class Pooled(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return F.max_pool2d(x, 2, 2, return_indices=True)


def test_indices_have_no_tolerance(tmp_path: Path) -> None:
    """A ten-thousandth of the largest index is many pixels."""
    path = exported(Pooled(), tmp_path, torch.zeros(1, 1, 240, 320))
    model = open_model(str(path), ReadOptions())
    write_onnx(model, tmp_path / "net.onnx")
    run = run_source(model, ReadOptions(), source_stimuli(model, 0))
    assert verify_against(model, str(tmp_path / "net.onnx"), run).verdict == "pass"
    moved = {s: {**made, "output_1": made["output_1"] + 1} for s, made in run.outputs.items()}
    wrong = replace(run, outputs=moved)
    result = verify_against(model, str(tmp_path / "net.onnx"), wrong)
    assert [one.verdict for one in result.outputs] == ["pass", "fail"]


def test_choices_that_the_framework_hides_are_said(tmp_path: Path) -> None:
    """TorchScript shows its results only."""
    path = exported(Unpooler(), tmp_path, torch.zeros(2, 3, 5, 7))
    model = open_model(str(path), ReadOptions())
    script = tmp_path / "net.pt"
    torch.jit.trace(Unpooler().eval(), torch.zeros(2, 3, 5, 7)).save(script)
    scripted = replace(model, path=str(script))
    write_onnx(model, tmp_path / "net.onnx")
    assert compare(scripted, tmp_path / "net.onnx").verdict == "pass"

    other = Unpooler()
    torch.nn.init.constant_(other.last.bias, 1.0)
    other_path = exported(other, tmp_path, torch.zeros(2, 3, 5, 7))
    write_onnx(open_model(str(other_path), ReadOptions()), tmp_path / "net.onnx")
    result = compare(scripted, tmp_path / "net.onnx")
    assert result.verdict == "incomplete"
    assert "maxima" in result.outputs[0].reason


class Scripted(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.up = torch.nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return self.up(x), {"relu": torch.relu(self.up(x))}


@pytest.mark.parametrize("make", [torch.jit.script, torch.jit.trace])
def test_torchscript_passes_and_fails(make: Callable[..., Any], tmp_path: Path) -> None:
    module = Scripted().eval()
    x = torch.zeros(2, 3, 5, 7)
    made = make(module) if make is torch.jit.script else make(module, x, strict=False)
    made.save(tmp_path / "net.pt")
    model = scripted_model(module, tmp_path / "net.pt")
    write_onnx(model, tmp_path / "net.onnx")
    result = compare(model, tmp_path / "net.onnx")
    assert result.verdict == "pass"
    assert [one.name for one in result.outputs] == ["output", "output_1"]
    write_onnx(replace(model, layers=tuple(map(shifted, model.layers))), tmp_path / "net.onnx")
    assert compare(model, tmp_path / "net.onnx").verdict == "fail"


def test_a_torchscript_file_as_it_is_read(tmp_path: Path) -> None:
    torch.jit.script(Scripted().eval()).save(tmp_path / "net.pt")
    options = ReadOptions(inputs={"x": (2, 3, 5, 7)})
    assert against_source(tmp_path / "net.pt", options).verdict == "pass"
    assert against_source(tmp_path / "net.pt", options, shifted).verdict == "fail"


def test_torchscript_takes_no_other_weights(tmp_path: Path) -> None:
    torch.jit.script(Scripted().eval()).save(tmp_path / "net.pt")
    model = scripted_model(Scripted(), tmp_path / "net.pt")
    with pytest.raises(UnsupportedError, match="cannot be given other weights"):
        run_source(model, ReadOptions(weights="other.pth"), {})


def scripted_model(module: Any, path: Path) -> Model:
    """What a reader makes of the module."""
    up = ops.ConvTranspose(4, (3, 3), (2, 2), (1, 1), (1, 1), (0, 0), (0, 0))
    weights = {
        name: weight_of(getattr(module.up, name).detach().numpy()) for name in ("weight", "bias")
    }
    layers = (
        Layer("up", up, ("x",), ("output",), weights),
        Layer("relu", ops.Relu(), ("output",), ("output_1",)),
    )
    inputs = (ModelInput("x", (symbol("N"), 3, 5, 7)),)
    return Model("net", str(path), "pytorch", inputs, ("output", "output_1"), layers)


def rewritten(path: Path, change: Callable[[str, bytes], bytes], **more: bytes) -> Path:
    """A copy of an archive with some members changed."""
    target = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
        for name, data in more.items():
            new.writestr(f"net/{name.replace('__', '/')}", data)
    return target


def test_what_pytorch_refuses_is_one_line(upsampler: Path) -> None:
    """We do not need the archive's own version; PyTorch does."""
    path = rewritten(upsampler, lambda name, data: b"7" if "archive_version" in name else data)
    with pytest.raises(UnreadableError, match="PyTorch refuses it: ") as caught:
        run_source(open_model(str(path), ReadOptions()), ReadOptions(), {})
    assert "\n" not in str(caught.value)


def test_example_inputs_are_never_unpickled(upsampler: Path, tmp_path: Path) -> None:
    """torch.export.load falls back to a plain pickle where its careful one refuses."""
    mark = tmp_path / "ran"
    hostile = b"cbuiltins\nopen\n(V" + str(mark).encode() + b"\nVw\ntR."

    def change(name: str, data: bytes) -> bytes:
        return hostile if "sample_inputs" in name else data

    path = rewritten(upsampler, change)
    model = open_model(str(path), ReadOptions())
    write_onnx(model, tmp_path / "net.onnx")
    assert compare(model, tmp_path / "net.onnx").verdict == "pass"
    assert not mark.exists()


def test_compiled_code_is_not_loaded(upsampler: Path) -> None:
    path = rewritten(upsampler, lambda name, data: data, data__aotinductor__model__x=b"\x7fELF")
    with pytest.raises(UnsupportedError, match="compiled code"):
        run_source(open_model(str(path), ReadOptions()), ReadOptions(), {})


def test_a_pickled_constant_is_not_loaded(upsampler: Path) -> None:
    entry = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True}

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("constants_config.json"):
            return data
        return json.dumps({"config": {"unused": {**entry, "tensor_meta": None}}}).encode()

    path = rewritten(upsampler, change)
    with pytest.raises(UnsupportedError, match="pickle"):
        run_source(open_model(str(path), ReadOptions()), ReadOptions(), {})


@pytest.mark.parametrize("name", ["opaque_obj_0", "custom_obj_0", "other"])
def test_an_object_that_is_a_pickle_by_its_name_is_not_loaded(name: str, upsampler: Path) -> None:
    """What PyTorch calls opaque it gives to pickle.loads, whatever else is said of it."""
    entry = {"path_name": name, "is_param": False, "use_pickle": False, "tensor_meta": None}

    def change(member: str, data: bytes) -> bytes:
        wanted = member.endswith("constants_config.json")
        return json.dumps({"config": {"unused": entry}}).encode() if wanted else data

    path = rewritten(upsampler, change)
    with pytest.raises(UnsupportedError, match="names a pickle"):
        run_source(open_model(str(path), ReadOptions()), ReadOptions(), {})


def test_a_member_that_pytorch_finds_under_another_name_is_not_loaded(upsampler: Path) -> None:
    """PyTorch finds members in upper and lower case alike, and may take this for the model."""
    path = rewritten(upsampler, lambda name, data: data, MODELS__MODEL=b"{}")
    moved = path.with_name("moved.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(moved, "w") as new:
        for entry in old.infolist():
            name = entry.filename.replace("MODELS/MODEL", "MODELS/MODEL.JSON")
            new.writestr(f"net/{name.partition('/')[2]}", old.read(entry))
    with pytest.raises(UnsupportedError, match="something else than upconv"):
        run_source(open_model(str(moved), ReadOptions()), ReadOptions(), {})


class Writer(torch.nn.Module):  # type: ignore[misc]
    """Writes a file as soon as torch.jit.load makes it."""

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark
        self.up = torch.nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(x)

    @torch.jit.export  # type: ignore[untyped-decorator]
    def __getstate__(self) -> tuple[str, torch.Tensor, bool]:
        return self.mark, self.up.weight, self.training

    @torch.jit.export  # type: ignore[untyped-decorator]
    def __setstate__(self, state: tuple[str, torch.Tensor, bool]) -> None:
        torch.save(state[1], state[0])
        self.mark = state[0]
        self.training = state[2]


def test_torchscript_code_that_reaches_files_is_not_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "written"
    torch.jit.script(Writer(str(mark)).eval()).save(tmp_path / "net.pt")
    model = scripted_model(Scripted().eval(), tmp_path / "net.pt")
    with pytest.raises(UnsupportedError, match="operator 'save'"):
        run_source(model, ReadOptions(), {})
    assert not mark.exists()


def test_a_size_that_is_code_is_not_evaluated(tmp_path: Path) -> None:
    """Where upconv has no use for the size, PyTorch would still evaluate it."""
    module, x = Scripted().eval(), torch.zeros(2, 3, 5, 7)
    program = torch.export.export(module, (x,), dynamic_shapes={"x": {0: AUTO}})
    torch.export.save(program, tmp_path / "net.pt2")
    code = "__import__('os').getcwd()"

    def change(name: str, data: bytes) -> bytes:
        if "/models/" not in name:
            return data
        value = json.loads(data)
        value["graph_module"]["graph"]["sym_int_values"]["unused"] = {
            "as_expr": {"expr_str": code, "hint": {"as_int": 2}}
        }
        return json.dumps(value).encode()

    path = rewritten(tmp_path / "net.pt2", change)
    with pytest.raises(UnsupportedError, match="would evaluate the size"):
        run_source(open_model(str(path), ReadOptions()), ReadOptions(), {})


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s0', positive=True, integer=True)",
        "Add(Mul(Integer(2), Symbol('s0')), Integer(-1))",
        "2*(s0//3) - 1",
        "Eq(Mod(s0, 2), 0)",
        "FloorToInt(IntTrueDiv(s0, 1.5))",
    ],
)
def test_sizes_are_arithmetic(text: str) -> None:
    assert is_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    [
        "open('x', 'w')",
        "().__class__",
        "Symbol.mro()",
        "Symbol('s0').func",
        "Add(exec('x'))",
        "[x for x in (1,)]",
        "(lambda: 1)()",
        "Lambda(x, x)(1)",
        "S('os.system')",
        "Symbol('__import__')",
        "f'{s0}'",
        "s0[0]",
        "1 if s0 else 2",
        "(" * 2000 + "1" + ")" * 2000,
        "1 +",
    ],
)
def test_code_is_no_arithmetic(text: str) -> None:
    assert not is_arithmetic(text)


def test_a_mistake_of_ours_is_not_pytorchs(
    upsampler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while the file is loaded nor while it runs."""
    monkeypatch.setattr(torch_programs, "by_name", None)
    with pytest.raises(TypeError, match="not callable"):
        against_source(upsampler)
    monkeypatch.setattr(torch_programs, "require_inert", None)
    with pytest.raises(TypeError, match="not callable"):
        against_source(upsampler)
