"""Models that Keras 1.2.2 saved, against what it predicted; made by fixtures/keras1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.handmade import (
    entry,
    layer,
    model,
    read,
    write_h5,
    write_json,
)
from tests.converters.readers.keras.support import assert_equal
from tests.support import shared_folder
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.onnx_writer import write_onnx


@pytest.mark.parametrize("name", ["tf", "th", "line", "volume_tf", "volume_th"])
def test_recorded_predictions(name: str, root: Path, tmp_path: Path) -> None:
    folder = root / "fixtures" / "keras1"
    found = read(folder / f"{name}.h5", keras_backend="tensorflow")
    assert [(one.kind, one.harmless) for one in found.notices] == [("obsolete-format", True)]
    assert "Keras 1.2.2" in found.notices[0].error.message
    write_onnx(found, tmp_path / "m.onnx")
    with np.load(folder / f"{name}.npz") as recorded:
        got = run_onnx(tmp_path / "m.onnx", {"x": recorded["x"]})
        assert set(got) == set(recorded.files) - {"x"}
        for output in got:
            assert_equal(got[output], recorded[output])


def test_kernels_of_theano_are_turned_over(root: Path) -> None:
    path = root / "fixtures" / "keras1" / "th.h5"
    plain, turned = (read(path, keras_backend=name) for name in ("tensorflow", "theano"))
    for name in ("conv", "valid"):
        kernel, other = (one.layer(name).weights["weight"].array() for one in (plain, turned))
        np.testing.assert_array_equal(kernel[..., ::-1, ::-1], other)


def test_a_backend_that_keras_1_did_not_record_is_asked_for(root: Path, tmp_path: Path) -> None:
    found = read(root / "fixtures" / "keras1" / "tf.h5")
    with pytest.raises(UnsupportedError, match="--keras-backend tensorflow or theano"):
        write_onnx(found, tmp_path / "m.onnx")


def test_a_kernel_that_a_tool_left_in_keras_2_s_order() -> None:
    path = shared_folder() / "cases" / "refused" / "keras1.h5"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    found = read(path)
    assert found.layers[0].weights["weight"].shape == (4, 3, 3, 3)
    assert found.layers[0].origin.type == "Deconvolution2D"


WORDS: dict[str, Any] = {"nb_filter": 2, "nb_row": 3, "nb_col": 3, "subsample": [2, 2]}


@pytest.mark.parametrize(("size", "fits"), [(6, False), (7, True), (8, True), (9, False)])
def test_an_output_shape_that_no_input_leads_to(size: int, fits: bool, tmp_path: Path) -> None:
    wide = WORDS | {"output_shape": [1, size, 7, 2], "border_mode": "valid"}
    net = model(entry("x", 3, 3, 4), layer("Deconvolution2D", "up", "x", **wide))
    found = read(write_h5(tmp_path / "m.h5", net, {}, "1.2.2"), keras_backend="tensorflow")
    assert isinstance(found.layers[-1].operator, ops.ConvTranspose) is fits
    assert [one.kind for one in found.notices[1:]] == [] if fits else ["fails-when-called"]


def test_layers_without_an_order_of_axes_take_the_files(tmp_path: Path) -> None:
    """Keras 1 does not save that of UpSampling2D."""
    first = layer("MaxPooling2D", "p", "x", pool_size=[2, 2], dim_ordering="th")
    net = model(entry("x", 3, 4, 6), first, layer("UpSampling2D", "up", "p", size=[2, 3]))
    found = read(write_h5(tmp_path / "m.h5", net, {}, "1.1.0"))
    assert (found.inputs[0].shape or ())[1:] == (3, 4, 6)
    assert found.channels_last == frozenset()
    mixed = model(*net["config"]["layers"], layer("MaxPooling2D", "q", "up", dim_ordering="tf"))
    (_, notice) = read(write_h5(tmp_path / "n.h5", mixed, {}, "1.1.0")).notices
    assert "both orders of axes" in notice.error.message


@pytest.mark.parametrize(
    ("type_name", "config"),
    [("BatchNormalization", {"mode": 2}), ("Merge", {"mode": "dot"}), ("MaxoutDense", {})],
)
def test_what_only_keras_1_computes_is_refused(
    type_name: str, config: dict[str, Any], tmp_path: Path
) -> None:
    net = model(entry("x", 6, 6, 4), layer(type_name, "one", "x", **config))
    (_, notice) = read(write_h5(tmp_path / "m.h5", net, {}, "1.2.2")).notices
    assert "Keras 1.2.2" in notice.error.message
    assert "save it again" in notice.error.hint


def test_an_architecture_without_a_version_is_told_by_its_words(tmp_path: Path) -> None:
    words = WORDS | {"border_mode": "same", "dim_ordering": "tf"}
    net = model(entry("x", 6, 6, 4), layer("Convolution2D", "c", "x", **words))
    found = read(write_json(tmp_path / "m.json", net), keras_backend="tensorflow")
    operator = found.layer("c").operator
    assert isinstance(operator, ops.Conv)
    assert (operator.out_channels, operator.stride) == (2, (2, 2))


@pytest.mark.parametrize(
    "member",
    [
        {"dim_ordering": ["th"]},
        {"dim_ordering": "xy"},
        {"nb_row": {"a": 1}},
        {"output_shape": [None]},
        {"output_shape": {"class_name": "__tuple__"}},
        {"output_shape": [1, "7", 7, 2]},
        {"border_mode": 3},
        {"subsample": None, "bias": "no"},
    ],
)
def test_members_that_make_no_sense_are_told(member: dict[str, Any], tmp_path: Path) -> None:
    words = WORDS | {"output_shape": [1, 7, 7, 2], "border_mode": "valid", "dim_ordering": "tf"}
    one = layer("Deconvolution2D", "up", "x", **words | member)
    pad = layer("ZeroPadding2D", "pad", "up", padding={"top_pad": [1]}, mode=[1])
    net = model(entry("x", 3, 3, 4), one, pad)
    found = read(write_h5(tmp_path / "m.h5", net, {}, "1.2.2"), keras_backend="tensorflow")
    assert len(found.notices) > 1
