"""UP112: the sizes that fit, said as the audit says them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.converters.audit.nets import HEAD, NETS, crop, deconv, merge, pool, u_net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context
from upconv.linter.rule import Hit
from upconv.linter.rules.sizes import fragile_input_size


def hits(model: Model) -> list[Hit]:
    return list(fragile_input_size(Context("a", None, model)))


def read(text: str, *shape: int) -> Model:
    inputs = {"data": shape} if shape else {}
    return read_caffe_source(Source("a", text), ReadOptions(inputs=inputs))


def test_the_rule_the_size_and_the_layer_that_lost_the_pixel() -> None:
    (hit,) = hits(read(u_net(3, "FLOOR")))
    assert hit.message == (
        "only inputs with H % 8 == 0 and W % 8 == 0 fit: with H = 228, 'join2' fails "
        "(its inputs are 57 and 56: 'pool2' rounded 28.5 down to 28)"
    )
    assert hit.layer is not None
    assert (hit.layer.name, hit.severity) == ("join2", "info")


@pytest.mark.parametrize(("shape", "severity"), [((64, 96), "info"), ((64, 100), None)])
def test_a_size_of_the_file_that_fails_is_a_warning(
    shape: tuple[int, int], severity: str | None
) -> None:
    (hit,) = hits(read(u_net(3, "FLOOR"), 1, 3, *shape))
    assert hit.severity == severity


@pytest.mark.parametrize("name", ["FCN-32s", "FCN-8s", "HED", "U-Net, valid", "PSPNet"])
def test_nets_for_all_large_sizes_or_for_one_are_not_fragile(name: str) -> None:
    assert hits(read(NETS[name]())) == []


def test_a_crop_that_does_not_fit_every_size() -> None:
    text = HEAD + pool("p", "data", "kernel_size: 2 stride: 2 round_mode: FLOOR")
    text += deconv("up", "p", "kernel_size: 2 stride: 2") + crop("skip", "up data", 0)
    (hit,) = hits(read(text))
    lost = "its input is 1 pixel too small: 'p' rounded 112.5 down to 112"
    assert f"with H = 225, 'skip' fails ({lost})" in hit.message


def test_crops_make_any_size_fit() -> None:
    text = HEAD + pool("p", "data") + deconv("up", "p", "kernel_size: 2 stride: 2")
    assert hits(read(text + crop("skip", "up data", 0) + merge("fuse", "skip data"))) == []


def test_squares_only() -> None:
    model = read(HEAD + pool("p", "data") + deconv("up", "p", "kernel_size: 2 stride: 2"))
    layers = (
        Layer("turn", ops.Permute((0, 1, 3, 2)), ("data",), ("turned",)),
        Layer("sum", ops.Eltwise("sum"), ("data", "turned"), ("s",)),
    )
    (hit,) = hits(replace(model, layers=(*model.layers, *layers), outputs=("s", "up")))
    assert hit.message == "only inputs with H == W fit"
    assert hit.layer is not None
    assert hit.layer.name == "sum"
