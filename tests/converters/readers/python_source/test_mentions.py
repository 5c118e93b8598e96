"""The look at bytes that saves parsing: it must never miss a call that is read."""

from __future__ import annotations

import pytest

from upconv.converters.readers.python_source.mentions import mentions
from upconv.converters.readers.python_source.signatures import CAFFE_TYPES, SIGNATURES

PATHS = sorted(path for path, found in SIGNATURES.items() if found.upsamples)


@pytest.mark.parametrize("path", [*PATHS, *(f"caffe.layers.{kind}" for kind in CAFFE_TYPES)])
def test_every_call_that_is_looked_for_is_a_mention(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert mentions(f"import {module} as m\nx = m.{name}(y)".encode())
    assert mentions(f"from {module} import {name}".encode())
    assert not mentions(f"from numpy import {name}".encode())


@pytest.mark.parametrize(
    "code",
    [
        "import torch\nx = self.upsample(x)",
        "import torch\ndef interpolate_pos_encoding(x): ...",
        "import torch\nfrom torchvision.transforms import Crop",
        "import caffe\nx = net.deploy",
        "x = interpolate(y)",
    ],
)
def test_words_that_only_look_alike_are_none(code: str) -> None:
    assert not mentions(code.encode())
