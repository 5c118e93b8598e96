from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.readers.python_source.mentions import mentions

HEAD = "import mxnet as mx\nfrom mxnet.gluon import nn\n"


@pytest.mark.parametrize("module", ["nn", "mx.gluon.nn", "mx.gluon.nn.conv_layers"])
def test_a_transposed_convolution_of_gluon(module: str) -> None:
    more = "use_bias=False, in_channels=4, groups=2"
    code = HEAD + f"up = {module}.Conv2DTranspose(8, (4, 3), (2, 1), 1, 0, {more})\n"
    assert mentions(code.encode())
    (layer,) = read(code).layers
    want = ops.ConvTranspose(8, (4, 3), (2, 1), (1, 1), (1, 1), (1, 1), (0, 0), 2)
    assert layer.operator == want
    assert layer.origin.framework == "mxnet"
    assert {name: weight.shape for name, weight in layer.weights.items()} == {
        "weight": (4, 4, 4, 3)
    }


def test_channels_that_the_first_input_decides_and_layouts_of_gpus() -> None:
    (layer,) = read(HEAD + "up = nn.Conv2DTranspose(channels=8, kernel_size=4, strides=2)\n").layers
    assert layer.weights["weight"].shape is None
    assert isinstance(layer.operator, ops.ConvTranspose)
    assert layer.operator.out_channels == 8
    (reason,) = reasons(HEAD + "nn.Conv2DTranspose(8, 4, layout='NHWC')\n")
    assert "layout" in reason
