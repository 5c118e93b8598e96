"""Which fork's Upsample it is: decided by what is present, asked for, or refused."""

from __future__ import annotations

import pytest

from tests.converters.readers.caffe.lowered import caffe_layer, lowered
from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UsageError
from upconv.converters.readers.caffe.dialects import choose_dialect, known_dialects, require_dialect

ONE = 'type: "Upsample" bottom: "x" top: "y"'
TWO = 'type: "Upsample" bottom: "x" bottom: "m" top: "y"'


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (f"{TWO} upsample_param {{ scale: 2 }}", "segnet"),
        (f"{TWO} upsample_param {{ upsample_h: 9 upsample_w: 8 }}", "segnet"),
        (f"{TWO} upsample_param {{ scale_h: 2 scale_w: 2 pad_out_h: true }}", "segnet"),
        (f"{ONE} upsample_param {{ scale: 2 }}", "yolo"),
        (f"{TWO} upsample_param {{ mode: BILINEAR }}", "tiny-dsod"),
        (f"{ONE} upsample_param {{ height: 9 width: 8 }}", "tiny-dsod"),
        (f"{ONE} upsample_param {{ mode: NEAREST height_scale: 2 width_scale: 3 }}", "tiny-dsod"),
        ('type: "ReLU" bottom: "x" top: "y"', ""),
    ],
)
def test_present_fields_decide(body: str, dialect: str) -> None:
    assert choose_dialect(caffe_layer(body), "") == dialect


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (TWO, "one with 2 bottoms and no fields may be several of them"),
        (ONE, "one with 1 bottom and no fields is none of those known"),
        (
            f"{ONE} upsample_param {{ stride: 2 }}",
            "one with 1 bottom and stride is none of those known",
        ),
        (
            f"{TWO} upsample_param {{ scale: 2 mode: BILINEAR }}",
            "one with 2 bottoms and mode, scale is none of those known",
        ),
        (
            f"{ONE} upsample_param {{ height: 9 }}",
            "one with 1 bottom and height is none of those known",
        ),
    ],
)
def test_doubt_is_refused_with_the_choices(body: str, reason: str) -> None:
    with pytest.raises(AmbiguousError) as caught:
        lowered(body)
    assert str(caught.value) == (
        "net.prototxt:2:7: layer 'it': Upsample is another layer in each fork of Caffe, and "
        f"{reason} (name the fork with --dialect segnet|yolo|tiny-dsod)"
    )


def test_the_user_decides_where_the_layer_does_not() -> None:
    assert choose_dialect(caffe_layer(TWO), "segnet") == "segnet"
    assert choose_dialect(caffe_layer(TWO), "tiny-dsod") == "tiny-dsod"


def test_a_dialect_does_not_concern_layers_without_it() -> None:
    assert choose_dialect(caffe_layer('type: "TanH" bottom: "x" top: "y"'), "yolo") == ""


def test_a_dialect_that_no_layer_has_is_a_usage_error() -> None:
    assert known_dialects() == ["crop=aligned", "crop=bvlc", "segnet", "tiny-dsod", "yolo"]
    for known in ("", *known_dialects()):
        require_dialect(known)
    with pytest.raises(UsageError) as caught:
        require_dialect("darknet")
    choices = "crop=aligned, crop=bvlc, segnet, tiny-dsod, yolo"
    assert str(caught.value) == f"unknown dialect 'darknet' (one of {choices})"


def test_a_dialect_may_be_of_one_type_alone() -> None:
    for known in ("upsample=yolo", "yolo,crop=aligned", "CROP=BVLC"):
        require_dialect(known)
    for wrong in ("crop=yolo", "aligned=crop", "crop=", "yolo,", "relu=yolo"):
        with pytest.raises(UsageError):
            require_dialect(wrong)
    masked = caffe_layer(TWO)
    assert choose_dialect(masked, "tiny-dsod,upsample=segnet,crop=bvlc") == "segnet"


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="unknown layer type 'Frobnicate'"):
        lowered('type: "Frobnicate" bottom: "x" top: "y"')
