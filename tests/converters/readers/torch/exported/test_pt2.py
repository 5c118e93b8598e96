"""What the reader says of a network: names, origins, sizes, and what it does not understand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.converters.readers.torch.conftest import export
from tests.converters.readers.torch.nets import NETS
from tests.converters.readers.torch.support import AUTO, Function, compare, model_of, values
from upconv import from_torch
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, evaluate, leaves, symbol
from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.aliases import is_in_place
from upconv.converters.readers.torch.aten.lowering import LOWERINGS, lowers
from upconv.converters.readers.torch.exported.schema import user_line

F: Any = nn.functional
OPEN = ({0: AUTO, 2: AUTO, 3: AUTO},)


def opened(exported: dict[str, Any], name: str, **options: Any) -> Model:
    _, path = export(exported, name)
    return open_model(str(path), ReadOptions(**options))


def test_names_are_the_modules_own(exported: dict[str, Any]) -> None:
    model = opened(exported, "unet")
    names = [layer.name for layer in model.layers]
    assert names[:3] == ["down1.0", "down1.1", "down1.2"]
    assert {"up2", "up1", "head", "pad", "cat"} <= set(names)
    assert [entry.name for entry in model.inputs] == ["image"]
    assert model.outputs == ("output",)
    assert model.framework == "pytorch"
    assert opened(exported, "fpn").outputs == ("output", "output_1", "output_2")


def test_layers_know_the_users_line(exported: dict[str, Any]) -> None:
    model = opened(exported, "unet")
    _, path = export(exported, "unet")
    source = (Path(__file__).parents[1] / "nets.py").read_text().splitlines()
    up = model.layer("up1").origin
    file, _, line = up.code.rpartition(":")
    assert up.path == str(path)
    assert Path(file).name == "nets.py"
    assert "self.up1(x)" in source[int(line) - 1]
    assert up.type == "aten.conv_transpose2d.input"


def test_open_axes_have_letters(exported: dict[str, Any]) -> None:
    (entry,) = opened(exported, "unet").inputs
    assert entry.shape == (symbol("N"), 3, symbol("H"), symbol("W"))
    (volume,) = opened(exported, "vnet").inputs
    assert volume.shape == (2, 1, 8, 10, 12)


@pytest.mark.parametrize("name", NETS)
def test_inferred_shapes_are_the_ones_torch_has(name: str, exported: dict[str, Any]) -> None:
    """At the example's sizes and at others, of every output."""
    module, _ = export(exported, name)
    model = opened(exported, name)
    assert not infer(model).errors
    found = [infer(model).shapes[value] for value in model.outputs]
    for shape in (NETS[name].example, *NETS[name].others):
        letters = {}
        for size, number in zip(model.inputs[0].shape or (), shape, strict=True):
            letters.update(
                {leaf.name: number for leaf in leaves(size) if not isinstance(leaf, Like)}
            )
        with torch.no_grad():
            results = module(torch.zeros(shape))
        many = list(results.values()) if isinstance(results, dict) else results
        wanted = [tuple(one.shape) for one in (many if isinstance(many, list | tuple) else [many])]
        assert [tuple(evaluate(n, letters) for n in s or ()) for s in found] == wanted


@pytest.mark.parametrize("name", ["unet", "segnet", "fpn", "vnet"])
def test_certified_layer_by_layer(name: str, exported: dict[str, Any], tmp_path: Path) -> None:
    from upconv.converters.onnx_writer import write_onnx

    model = opened(exported, name)
    write_onnx(model, tmp_path / "net.onnx")
    found = verify(model, str(tmp_path / "net.onnx"))
    assert found.verdict == "pass", [one for one in found.layers if one.verdict != "pass"]


def test_a_live_module_gives_the_same_model(exported: dict[str, Any]) -> None:
    module, path = export(exported, "unet")
    net = NETS["unet"]
    live = from_torch(module, (torch.randn(net.example),), dynamic_shapes=net.dynamic)
    filed = open_model(str(path), ReadOptions())
    assert live.inputs[0].shape == filed.inputs[0].shape
    assert live.outputs == filed.outputs
    assert len(live.layers) == len(filed.layers)
    for ours, theirs in zip(live.layers, filed.layers, strict=True):
        assert (ours.name, ours.operator, ours.inputs, ours.outputs) == (
            theirs.name,
            theirs.operator,
            theirs.inputs,
            theirs.outputs,
        )
        assert ours.origin.code == theirs.origin.code
        for name, weight in ours.weights.items():
            np.testing.assert_array_equal(weight.array(), theirs.weights[name].array())
    assert live.path == "UNet"


def test_what_is_no_module() -> None:
    with pytest.raises(UsageError, match=r"not a torch.nn.Module: int"):
        from_torch(3, ())
    with pytest.raises(UnsupportedError, match=r"torch\.export refuses the module"):
        from_torch(nn.Conv2d(3, 4, 3), (torch.zeros(1, 2, 5, 5),))


def test_reading_imports_neither_torch_nor_numpy(exported: dict[str, Any], root: Path) -> None:
    _, path = export(exported, "unet")
    program = (
        "import sys\n"
        "from upconv.converters.readers.formats import open_model\n"
        "from upconv.converters.readers.options import ReadOptions\n"
        "open_model(sys.argv[1], ReadOptions())\n"
        "assert not {'torch', 'numpy', 'onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, check=True)


def test_the_users_shape(exported: dict[str, Any]) -> None:
    model = opened(exported, "unet", inputs={"image": (1, 3, 64, symbol("X"))})
    assert model.inputs[0].shape == (1, 3, 64, symbol("X"))
    assert infer(model).shapes["output"] == (1, 2, 64, symbol("X"))
    with pytest.raises(UsageError, match="was exported as Nx3xHxW, which 1x4x64x64 does not fit"):
        opened(exported, "unet", inputs={"image": (1, 4, 64, 64)})
    with pytest.raises(UsageError, match=r"no input 'x' \(its inputs are image\)"):
        opened(exported, "unet", inputs={"x": (1, 3, 64, 64)})


def test_multiples_stay_multiples(tmp_path: Path) -> None:
    """Dim("h") * 8: the letter is an eighth of the axis."""
    h = torch.export.Dim("h", min=1, max=50)
    module = Function(lambda m, x: F.interpolate(F.max_pool2d(x, 4), size=x.shape[2:]))
    model = compare(
        module, (values(2, 3, 16, 8),), tmp_path, ({2: 8 * h},), [(values(2, 3, 40, 8),)]
    )
    assert model.inputs[0].shape == (2, 3, 8 * symbol("H"), 8)


def test_unknown_operators_flow_through() -> None:
    module = Function(lambda m, x: torch.fft.fft(x.relu()).real.relu())
    model = model_of(module, (values(2, 3, 4, 5),))
    kinds = {layer.name: type(layer.operator) for layer in model.layers}
    assert kinds["fft_fft"] is ops.Unknown
    assert kinds["relu_1"] is ops.Relu
    notice = model.notices[0]
    assert notice.kind == "unknown-layer-type"
    assert notice.error.code == model.layer("fft_fft").origin.code != ""
    assert f"{notice.error.code}: layer 'fft_fft': the operator aten.fft_fft" in str(notice.error)


def test_training_mode_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    model = from_torch(module, (torch.zeros(2, 3, 4, 4),))
    messages = [str(notice.error) for notice in model.notices]
    assert len(messages) == 2
    assert "it normalises by the batch" in messages[0]
    assert "it drops values at random" in messages[1]
    assert all("call .eval() before exporting" in message for message in messages)


IN_PLACE: dict[str, Any] = {
    "read again by its old name": lambda m, x: _then(x + 1, lambda y: y.mul_(2), lambda y: y),
    "twice": lambda m, x: _then(x + 1, lambda y: F.relu_(y.mul_(2)), lambda y: y - 1),
    "after a copy": lambda m, x: _then(x + 1, lambda y: y.add_(x), lambda y: y.clone()),
}


def _then(y: Any, change: Any, read: Any) -> Any:
    before = y * 3
    change(y)
    return before, read(y)


@pytest.mark.parametrize("name", IN_PLACE)
def test_changes_in_place(name: str, tmp_path: Path) -> None:
    compare(Function(IN_PLACE[name]), (values(2, 3, 4, 5),), tmp_path)


def test_changes_of_what_nobody_reads_again(tmp_path: Path) -> None:
    """A dropout that does nothing gives its input itself, which the activation then changes."""

    def last(m: Any, x: Any) -> Any:
        return F.leaky_relu(F.dropout(x + 1, training=False), inplace=True) * 2

    compare(Function(last), (values(2, 3, 4, 5),), tmp_path)


VIEWS: dict[str, Any] = {
    "the view": lambda m, x: _viewed(x + 1, lambda y, v: v.mul_(2)),
    "the base": lambda m, x: _viewed(x + 1, lambda y, v: y.mul_(2)),
    "an element": lambda m, x: _viewed(x + 1, lambda y, v: y.__setitem__((0, 0), 3.0)),
}


def _viewed(y: Any, change: Any) -> Any:
    view = y[:, 0]
    change(y, view)
    return y + 1, view + 1


@pytest.mark.parametrize("name", VIEWS)
def test_changes_of_shared_memory_are_refused(name: str) -> None:
    model = model_of(Function(VIEWS[name]), (values(2, 3, 4, 5),))
    assert any("there are views" in notice.error.message for notice in model.notices)


def test_in_place_names() -> None:
    assert is_in_place("aten.add_.Tensor")
    assert not is_in_place("aten.add.Tensor")
    assert not is_in_place("math.trunc")


def test_outputs_that_are_inputs_or_leave_twice(tmp_path: Path) -> None:
    def both(m: Any, x: Any) -> Any:
        y = x.relu()
        return y, x, y

    model = compare(Function(both), (values(2, 3, 4, 5),), tmp_path)
    assert model.outputs == ("output", "output_1", "output_2")


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    import onnx

    from upconv.converters.onnx_writer import write_onnx

    class Tied(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 3, bias=False), nn.Conv2d(3, 3, 3, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x))

    write_onnx(from_torch(Tied(), (values(1, 3, 9, 9),)), tmp_path / "net.onnx")
    shapes = [tuple(one.dims) for one in onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert shapes.count((3, 3, 3, 3)) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_types_become_float32(dtype: Any, tmp_path: Path) -> None:
    stored = values(3, 2, 2, 2).to(dtype)
    module = Function(lambda m, x: F.conv_transpose2d(x, m.weight.float(), stride=2), weight=stored)
    compare(module, (values(1, 3, 4, 5),), tmp_path)


@pytest.mark.filterwarnings("ignore:No complete tensor:UserWarning")
def test_weights_keep_their_strides(tmp_path: Path) -> None:
    weight = values(2, 3, 2, 2).transpose(0, 1)
    assert not weight.is_contiguous()
    module = Function(lambda m, x: F.conv_transpose2d(x, m.weight, stride=2), weight=weight)
    compare(module, (values(1, 3, 4, 5),), tmp_path)


def test_indices_may_be_inputs(tmp_path: Path) -> None:
    _, indices = F.max_pool2d(values(2, 3, 6, 8), 2, return_indices=True)
    module = Function(lambda m, x, i: F.max_unpool2d(x, i, 2))
    model = compare(module, (values(2, 3, 3, 4), indices), tmp_path)
    assert [entry.integer for entry in model.inputs] == [False, True]


def test_a_size_that_depends_on_data_is_refused() -> None:
    module = Function(lambda m, x: x[:, :, x[0, 0, 0].nonzero().flatten()])
    model = model_of(module, (values(2, 3, 4, 5),))
    assert all(notice.kind == "unknown-layer-type" for notice in model.notices)
    assert model.notices


def test_an_exported_file_is_told_by_its_content(exported: dict[str, Any], tmp_path: Path) -> None:
    _, path = export(exported, "dcgan")
    copy = tmp_path / "model.bin"
    copy.write_bytes(path.read_bytes())
    assert identify(str(copy)) == "PyTorch"


def test_a_lowering_given_twice_raises() -> None:
    assert "aten.relu.default" in LOWERINGS
    with pytest.raises(ValueError, match=r"aten.relu.default is entered twice"):
        lowers("relu.default")(lambda call: None)


def test_the_users_line_is_the_innermost_of_his_own() -> None:
    trace = (
        '  File "/home/me/net.py", line 7, in forward\n    y = self.up(x)\n'
        '  File "/usr/lib/python3/site-packages/mylib/up.py", line 3, in forward\n    z\n'
        '  File "/usr/lib/python3/site-packages/torch/nn/modules/conv.py", line 9, in forward\n'
    )
    assert user_line(trace) == "/usr/lib/python3/site-packages/mylib/up.py:3"
    assert user_line("") == ""
