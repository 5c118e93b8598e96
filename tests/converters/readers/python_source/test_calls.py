"""Which calls are found, through which imports, and with which arguments."""

from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import TORCH, read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.readers.python_source.call import Call


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn as nn\nnn.Upsample(scale_factor=2)",
        "from torch import nn\nnn.Upsample(scale_factor=2)",
        "import torch\ntorch.nn.Upsample(scale_factor=2)",
        "import torch as t\nt.nn.Upsample(None, 2)",
        "from torch.nn import Upsample as U\nU(scale_factor=2)",
        "from torch.nn import *\nUpsample(scale_factor=2)",
        "from torch.nn.modules.upsampling import Upsample\nUpsample(scale_factor=2)",
        "import torch\nup = torch.nn.Upsample\nmake = up\nmake(scale_factor=2)",
        "def f():\n    from torch import nn\n    return nn.Upsample(scale_factor=2)",
        "try:\n    from torch import nn\nexcept ImportError:\n    nn = None\nnn.Upsample(None, 2)",
        "import torch.nn.functional as F\nF.interpolate(x, scale_factor=2)",
        "from torch.nn import functional as G\nG.upsample(x, None, 2)",
    ],
)
def test_imports_lead_to_the_call(code: str) -> None:
    (layer,) = read(code).layers
    assert layer.operator == ops.Resize("nearest", "asymmetric", factor=(2, 2))


@pytest.mark.parametrize(
    "code",
    [
        "nn.Upsample(scale_factor=2)",
        "import paddle.nn as nn\nnn.Upsample(scale_factor=2)",
        "import torch.nn as nn\nnn = other()\nnn.Upsample(scale_factor=2)",
        "from torch.nn import Upsample\nclass Upsample:\n    pass\nUpsample(scale_factor=2)",
        "def f(nn):\n    import torch.nn\n    return nn.Upsample(scale_factor=2)",
        "import numpy as F\nF.interpolate(x, scale_factor=2)",
    ],
)
def test_other_names_do_not(code: str) -> None:
    assert read(code).layers == ()


def test_arguments_by_place_and_by_name() -> None:
    code = TORCH + "up = nn.ConvTranspose2d(8, 4, (3, 5), 2, output_padding=1, padding=(1, 2))"
    (layer,) = read(code).layers
    assert layer.name == "up"
    assert layer.operator == ops.ConvTranspose(4, (3, 5), (2, 2), (1, 1), (1, 2), (1, 2), (1, 1), 1)
    shape = read(code).inputs[0].shape
    assert shape is not None
    assert list(map(str, shape)) == ["N", "8", "H", "W"]
    call = layer.origin.written.call
    assert isinstance(call, Call)
    span = call.span_of("kernel_size")
    named = call.span_of("output_padding")
    assert span is not None
    assert named is not None
    assert (span.text, named.text) == ("(3, 5)", "output_padding=1")


def test_columns_count_code_points() -> None:
    code = TORCH + 's = "\N{GRINNING FACE}é"; up = nn.Upsample(scale_factor=2)'
    (layer,) = read(code).layers
    assert layer.origin.span is not None
    assert layer.origin.span.text == "nn.Upsample(scale_factor=2)"
    assert (layer.origin.span.line, layer.origin.span.column) == (4, 16)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends(end: str) -> None:
    code = TORCH.replace("\n", end) + f"x = 1{end}up = nn.Upsample(scale_factor=2){end}"
    (layer,) = read(code).layers
    assert layer.origin.span is not None
    assert layer.origin.span.text == "nn.Upsample(scale_factor=2)"
    assert layer.origin.span.line == 5


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("nn.ConvTranspose2d(8, 8, k, 2)", "kernel_size: 'k' is not bound in this file"),
        ("nn.ConvTranspose2d(*args)", "kernel_size may come from *args or **kwargs"),
        ("nn.ConvTranspose2d(8, 8, 3, **kw)", "stride may come from *args or **kwargs"),
        ("nn.ConvTranspose2d(8, 8)", "kernel_size is not given"),
        ("F.conv_transpose2d(x, w, stride=2)", "the kernel's size is the weight's"),
        ("nn.Upsample(scale_factor=s)", "scale_factor: 's' is not bound in this file"),
        ("nn.Upsample(size, scale_factor=s)", "scale_factor: 's' is not bound in this file"),
        ("F.interpolate(x, size, mode=m)", "mode: 'm' is not bound in this file"),
        ("nn.Upsample(scale_factor=0.1234567)", "makes sizes that no integers say"),
        ("nn.PixelShuffle(r)", "upscale_factor: 'r' is not bound in this file"),
    ],
)
def test_what_is_not_provable_is_counted_and_stays_unknown(call: str, why: str) -> None:
    model = read(TORCH + call)
    (layer,) = model.layers
    assert isinstance(layer.operator, ops.Unknown)
    (reason,) = reasons(TORCH + call)
    assert why in reason
    (notice,) = model.notices
    assert notice.kind == "unread-calls"
    assert "1 of 1 upsampling calls could not be read" in notice.error.message


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("nn.Upsample(size)", "its size is decided where the model runs"),
        ("F.interpolate(x, y.shape[2:], mode='bilinear')", "its size is decided where"),
        ("F.interpolate(x, size, None, 'nearest')", "its size is decided where"),
        ("F.max_unpool2d(x, i, 2, output_size=y.shape)", "its size is decided where"),
        ("nn.Upsample(scale_factor=2, mode='area')", "mode 'area' pools"),
        ("nn.ConvTranspose2d(8, 8, kernal_size=3)", "kernal_size, did you mean kernel_size?"),
        ("nn.ConvTranspose2d(8, 8, 3, quality=3)", "PyTorch refuses it: it takes no argument q"),
        ("nn.ConvTranspose2d(8, 8, 3, kernel_size=3)", "kernel_size is given twice"),
        ("nn.ConvTranspose2d(8, 8, 0)", "kernel_size is 0, which is out of range"),
        ("nn.ConvTranspose2d(8, 8, 3.0)", "which is no int"),
        ("nn.ConvTranspose2d(8, 8, (3, 3, 3))", "3 numbers for 2 axes"),
        ("nn.ConvTranspose2d(8, 8, 3, True)", "which is no int"),
        ("nn.ConvTranspose2d(9, 8, 3, groups=4)", "groups 4 does not divide in_channels 9"),
        ("nn.ConvTranspose2d(8, c, 3, groups=0)", "groups is 0"),
        ("nn.Upsample(scale_factor=-1, mode='bilinear')", "scale_factor is -1"),
        ("nn.Upsample(scale_factor=(2, 2), mode='linear')", "2 numbers for 1 axes"),
        ("F.conv_transpose1d(x, w, None, 2, 0, 2)", "not smaller than max(stride 2, dilation 1)"),
    ],
)
def test_what_no_operator_says_is_read_all_the_same(call: str, why: str) -> None:
    model = read(TORCH + call)
    (layer,) = model.layers
    assert isinstance(layer.operator, ops.Unknown)
    assert why in layer.operator.reason
    assert reasons(TORCH + call) == []
    kinds = ["refused-call"] if layer.operator.reason.startswith("PyTorch refuses it") else []
    assert [notice.kind for notice in model.notices] == kinds


def test_channels_may_be_open_where_sizes_are_not() -> None:
    code = TORCH + "def up(c):\n    return nn.ConvTranspose3d(c, c // 2, 4, 2, 1)"
    (layer,) = read(code).layers
    assert isinstance(layer.operator, ops.ConvTranspose)
    assert layer.operator.kernel == (4, 4, 4)
    assert layer.weights["weight"].shape is None
    assert reasons(code) == []


def test_names() -> None:
    code = TORCH + (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        self.up = nn.Upsample(scale_factor=2)\n"
        "        one = nn.Upsample(scale_factor=2)\n"
        "        for i in range(3):\n"
        "            self.add(nn.Upsample(scale_factor=2))\n"
        "    def forward(self, x):\n"
        "        x = F.interpolate(x, None, 2)\n"
        "        x = F.interpolate(x, None, 2)\n"
    )
    assert [layer.name for layer in read(code).layers] == [
        "Net.up",
        "Net.__init__.one",
        "Net.__init__.Upsample",
        "Net.forward.interpolate",
        "Net.forward.interpolate@2",
    ]
