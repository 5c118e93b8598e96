"""First failures, the layer that lost the pixel, and the nearest sizes that run."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.converters.audit.nets import HEAD, NETS, conv, crop, merge, pool, read, u_net
from tests.converters.audit.test_input_sizes import one
from upconv.converters.audit.explained import first_failures, loss_text, lost_by, why_text
from upconv.converters.audit.input_sizes import InputSizes, input_sizes
from upconv.converters.audit.neighbours import accepts, changes
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Layer, Model, ModelInput


def failures(text: str) -> dict[int, tuple[str, str]]:
    """Size -> the layer that fails there, and why."""
    model = read(text)
    found = input_sizes(model)
    told = first_failures(model, found, one(found, "H"))
    return {each.size: (each.layer, each.reason) for each in told}


def test_each_layer_that_fails_first_is_told_with_its_arithmetic() -> None:
    told = failures(u_net(2, "FLOOR"))
    assert told[1] == ("pool0", "the pooling gives height 0: pool0: floor((1-2)/2)+1 = 0")
    assert told[2] == ("pool1", "the pooling gives height 0: pool1: floor((1-2)/2)+1 = 0")
    layer, reason = told[6]
    assert layer == "join1"
    assert "pool1: floor((3-2)/2)+1 = 1; up1: 2*(1-1)+2 = 2; merged with down1's 3" in reason
    assert reason.endswith("'pool1' rounded 1.5 down to 1, which is 1 pixel at the merge")
    assert told[5][0] == "join0"
    assert set(told) == {1, 2, 5, 6}


def test_a_layer_that_makes_one_size_of_all_is_named() -> None:
    (reason,) = (reason for _, reason in failures(NETS["PSPNet"]()).values())
    assert reason.endswith("'in2' makes 18 of every size")


def test_a_pooling_of_one_pixel_still_halves() -> None:
    _, reason = failures(u_net(1, "CEIL"))[1]
    assert "pool0: ceil((1-2)/2)+1 = 1; up0: 2*(1-1)+2 = 2; merged with down0's 1" in reason
    assert reason.endswith("'pool0' rounded 0.5 up to 1, which is 1 pixel at the merge")


def test_a_crop_that_leaves_its_input() -> None:
    text = HEAD + conv("a", "data", "kernel_size: 3") + crop("cut", "a data", 0)
    assert failures(text) == {
        1: ("a", "the convolution gives height -1: a: 1-3+1 = -1"),
        3: ("cut", "axis 2 holds 1, which is less than offset 0 + size 3"),
    }


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("U-Net, floor", "'pool0' rounded 112.5 down to 112"),
        ("U-Net, ceil", "'pool3' rounded 14.5 up to 15"),
        ("SegNet", "'pool2' rounded 28.5 up to 29"),
        ("FCN-8s", ""),
        ("PSPNet", "'pool1' gained 1 pixel"),
    ],
)
def test_which_layer_lost_the_pixel(name: str, loss: str) -> None:
    model = read(NETS[name]())
    found = input_sizes(model)
    blamed = lost_by(model, found, one(found, "H"))
    assert (loss_text(blamed) if blamed is not None else "") == loss


def test_a_normalisation_by_neighbours_has_a_size_that_is_no_target() -> None:
    """Its `size` is how many channels it looks at, and the batch has no stride."""
    text = HEAD + pool("p", "data") + 'layer { name: "n" type: "LRN" bottom: "p" top: "n" } '
    text += conv("u", "n", "kernel_size: 1", out=3) + merge("m", "data u")
    model = read(text)
    found = input_sizes(model)
    assert lost_by(model, found, one(found, "H")) is None
    batched = replace(model, inputs=(ModelInput("data", (symbol("N"), 3, 8, 8)),))
    assert [axis.axis for axis in input_sizes(batched).axes] == ["N"]


def test_a_pixel_that_is_gained_at_the_end_has_its_layer() -> None:
    """Sizes that run and give another size: 127 runs, and gives 128."""
    text = HEAD + pool("down", "data") + 'layer { name: "up" type: "Deconvolution" '
    text += (
        'bottom: "down" top: "up" convolution_param { num_output: 2 kernel_size: 2 stride: 2 } }'
    )
    model = read(text)
    found = input_sizes(model)
    axis = one(found, "H")
    assert axis.runs is not None
    assert axis.same_size is not None
    assert (axis.runs.rule("H"), axis.same_size.rule("H")) == ("H >= 1", "H % 2 == 0")
    blamed = lost_by(model, found, axis)
    assert blamed is not None
    assert loss_text(blamed) == "'down' rounded 112.5 up to 113"


def test_why_sizes_have_to_divide() -> None:
    model = read(u_net(3, "FLOOR"))
    found = input_sizes(model)
    assert why_text(model, found, one(found, "H")) == (
        "'pool0', 'pool1', 'pool2' divide the size by 8, "
        "and the merges want back what is rounded there"
    )


def test_why_sizes_have_to_be_one_where_a_layer_makes_one_of_all() -> None:
    model = read(NETS["PSPNet"]())
    found = input_sizes(model)
    said = why_text(model, found, one(found, "H"))
    assert re.fullmatch(r"'\w+' makes \d+ of every size", said)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        (
            (1213, 1546),
            [
                "pad to 1216x1568 (+31390 pixels, 1.7%)",
                "crop to 1184x1536 (-56674 pixels, 3.0%)",
                "resize to 1216x1568 (+31390 pixels, 1.7%)",
            ],
        ),
        (
            (358, 358),
            [
                "pad to 384x384 (+19292 pixels, 15.1%)",
                "crop to 352x352 (-4260 pixels, 3.3%)",
                "resize to 352x352 (-4260 pixels, 3.3%)",
            ],
        ),
        ((20, 64), ["pad to 32x64 (+768 pixels, 60.0%)", "resize to 32x64 (+768 pixels, 60.0%)"]),
        ((64, 96), []),
    ],
)
def test_nearest_sizes_and_their_cost(sizes: tuple[int, int], told: list[str]) -> None:
    found = input_sizes(read(u_net(5, "FLOOR")))
    assert list(map(str, changes(found, dict(zip("HW", sizes, strict=True))))) == told


def _coupled() -> InputSizes:
    H, W = symbol("H"), symbol("W")
    pooling = ops.Pool("max", (2, 1), (2, 1), (1, 1), (0, 0), (0, 0), "floor", "never", False)
    layers = (
        Layer("turn", ops.Permute((0, 1, 3, 2)), ("x",), ("turned",)),
        Layer("sum", ops.Eltwise("sum"), ("x", "turned"), ("s",)),
        Layer("pool", pooling, ("s",), ("p",)),
        Layer("up", ops.Resize("nearest", "asymmetric", factor=(2, 1)), ("p",), ("u",)),
        Layer("join", ops.Concat(1), ("s", "u"), ("y",)),
    )
    return input_sizes(Model("net", "", "", (ModelInput("x", (1, 1, H, W)),), ("y",), layers))


def test_coupled_axes_change_together() -> None:
    found = _coupled()
    assert accepts(found, {"H": 6, "W": 6})
    assert accepts(found, {"H": 6, "W": 8}) is False
    assert [str(change) for change in changes(found, {"H": 7, "W": 9})] == [
        "pad to 10x10 (+37 pixels, 58.7%)",
        "crop to 6x6 (-27 pixels, 42.9%)",
        "resize to 6x6 (-27 pixels, 42.9%)",
    ]


def test_what_is_not_known_is_not_promised() -> None:
    text = u_net(1, "FLOOR") + 'layer { name: "odd" type: "Foo" bottom: "score" top: "odd" }\n'
    found = input_sizes(read(text + merge("both", "odd score")))
    assert accepts(found, {"H": 2, "W": 2}) is None
    assert accepts(found, {"H": 3, "W": 2}) is False
