"""Where values lie in the input, interpolations beside their ideals, and what does not fit."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.converters.audit.nets import HEAD, NETS, conv, crop, deconv, fcn, merge, pool
from upconv.converters.audit.misaligned import crop_misalignments, merge_misalignments
from upconv.converters.audit.positions import Interpolation, Position, interpolations, positions
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source
from upconv.converters.ir.places import Coordinates
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions

BILINEAR = 'group: 2 bias_term: false weight_filler { type: "bilinear" }'


def read(text: str) -> Model:
    return read_caffe_source(Source("net.prototxt", text), ReadOptions())


def placed(text: str) -> dict[str, Position]:
    model = read(text)
    return {one.value: one for one in positions(model, infer(model).shapes)}


def beside(text: str) -> list[Interpolation]:
    model = read(text)
    return list(interpolations(model, infer(model).shapes))


def test_every_value_of_fcn_8s() -> None:
    """By hand: five poolings by 2 double the scale; the published offsets bring all back."""
    found = placed(fcn(8))
    scales = {name: one.maps[0].scale for name, one in found.items()}
    assert [scales[f"pool{n}"] for n in range(1, 6)] == [2, 4, 8, 16, 32]
    shifts = {name: one.maps[0].shift for name, one in found.items()}
    assert shifts["stage1"] == -99
    assert shifts["pool1"] == -99 + Fraction(1, 2)
    assert shifts["pool5"] == -99 + Fraction(31, 2)
    assert shifts["fc6"] == -99 + Fraction(31, 2) + 3 * 32
    assert scales["score"] == 1
    assert shifts["score"] == 0
    assert shifts["fuse4"] == shifts["skip4"] == shifts["up4"]
    reach = found["fc7"].reach
    assert reach is not None
    assert reach[0].pixels == 32 * 6 + 1 + 31 + sum(2 * 2**n for n in range(5))


def test_what_the_file_says_is_not_mended() -> None:
    """A Crop that is off by one moves all that is behind it."""
    text = fcn(8).replace("offset: 31", "offset: 30")
    assert placed(text)["score"].maps[0].shift == -1


@pytest.mark.parametrize(
    ("words", "off"),
    [
        (f"kernel_size: 4 stride: 2 pad: 1 {BILINEAR}", 0),
        (f"kernel_size: 4 stride: 2 {BILINEAR}", -1),
        (f"kernel_size: 3 stride: 2 pad: 1 {BILINEAR}", Fraction(1, 2)),
        (f"kernel_size: 16 stride: 8 pad: 4 {BILINEAR}", 0),
    ],
)
def test_bilinear_layers_beside_half_pixel(words: str, off: Fraction) -> None:
    (one,) = beside(HEAD + conv("a", "data") + deconv("up", "a", words))
    assert one.off_half_pixel == (off, off)


def test_learned_layers_are_no_interpolation() -> None:
    assert beside(HEAD + conv("a", "data") + deconv("up", "a", "kernel_size: 4 stride: 2")) == []


def test_an_interp_beside_both() -> None:
    zoom = 'layer { name: "z" type: "Interp" bottom: "a" top: "z" interp_param { zoom_factor: 2 } }'
    (one,) = beside(HEAD + conv("a", "data") + zoom)
    assert one.own == one.align_corners
    assert one.own[0].scale == Fraction(63, 126)
    assert one.half_pixel[0].scale == Fraction(64, 127)
    assert one.half_pixel[0].shift == (Fraction(64, 127) - 1) / 2


def test_misalignments_propose_offsets() -> None:
    text = fcn(8).replace("offset: 31", "offset: 30").replace("offset: 5", "offset: 4")
    model = read(text)
    shapes = infer(model).shapes
    found = list(crop_misalignments(Coordinates(model, shapes), shapes))
    told = [(one.layer.name, one.kind, *map(int, set(one.offsets))) for one in found]
    assert told == [("skip4", "offset", 5), ("score", "offset", 31)]
    assert found[0].help == "set offset: 5"
    assert list(merge_misalignments(model, Coordinates(model, shapes), shapes)) == []


def test_a_merge_of_branches_that_lie_apart() -> None:
    text = HEAD + conv("a", "data") + pool("p", "a")
    text += deconv("up", "p", "kernel_size: 4 stride: 2") + crop("cut", "up a", 0)
    text = text.replace('top: "cut"', 'top: "cut"')
    model = read(text + merge("sum", "cut a"))
    shapes = infer(model).shapes
    (off,) = crop_misalignments(Coordinates(model, shapes), shapes)
    assert (off.layer.name, *map(int, off.offsets)) == ("cut", 1, 1)
    unmended = Coordinates(model, shapes, mended=())
    (apart,) = merge_misalignments(model, unmended, shapes)
    assert (apart.layer.name, apart.kind) == ("sum", "merge")
    assert apart.relative[0].shift == 1


@pytest.mark.parametrize("name", NETS)
def test_every_value_of_every_net_has_a_place(name: str) -> None:
    model = read(NETS[name]())
    found = placed(NETS[name]())
    assert {value for layer in model.layers for value in layer.outputs} == set(found)
    assert all(one.root == "data" for one in found.values())
