"""A part of a model computes what the whole computes there, and only what is known can be cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.readers.caffe.support import read
from tests.support import shared_file
from upconv.converters.ir.errors import UnsupportedError, UsageError
from upconv.converters.ir.model import Model, validate
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.passes.cut import Cut, cut, frontier
from upconv.converters.passes.fill import fill_missing
from upconv.converters.reference.run import run_model
from upconv.service.python.calls import convert, verify

NET = """
input: "data" input_shape { dim: 2 dim: 3 dim: 9 dim: 7 }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 2 } }
layer { name: "relu" type: "ReLU" bottom: "pool" top: "pool" relu_param { negative_slope: 0.5 } }
layer { name: "slice" type: "Slice" bottom: "pool" top: "a" top: "b"
  slice_param { slice_point: 1 } }
layer { name: "scaled" type: "Power" bottom: "a" top: "scaled" power_param { scale: 3 shift: 1 } }
layer { name: "join" type: "Concat" bottom: "scaled" bottom: "b" top: "join" }
layer { name: "up" type: "Deconvolution" bottom: "join" top: "up" param { lr_mult: 0 }
  convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""

UNKNOWN = NET + 'layer { name: "odd" type: "Oddity" bottom: "up" bottom: "b" top: "odd" }\n'


def whole() -> Model:
    return fill_missing(read(NET), ("bilinear",))


def test_outputs_from_inside_are_what_the_whole_computes() -> None:
    rng = np.random.default_rng(1)
    feeds = {"data": rng.standard_normal((2, 3, 9, 7))}
    part = cut(whole(), Cut(("pool", "up", "b")))
    validate(part)
    assert part.outputs == ("pool", "up", "b")
    found = run_model(part, feeds)
    truth = run_model(whole(), feeds)
    for name in part.outputs:
        np.testing.assert_array_equal(found[name], truth[name])


@pytest.mark.parametrize("starts", [("pool",), ("a", "b"), ("join",), ("scaled", "b")])
def test_inputs_from_inside_lead_to_the_same(starts: tuple[str, ...]) -> None:
    rng = np.random.default_rng(2)
    feeds = {"data": rng.standard_normal((2, 3, 9, 7))}
    truth = run_model(whole(), feeds)
    part = cut(whole(), Cut((), starts))
    validate(part)
    assert [entry.name for entry in part.inputs] == list(starts)
    found = run_model(part, {name: truth[name] for name in starts})
    np.testing.assert_array_equal(found["up"], truth["up"])


def test_one_of_several_outputs_may_come_in_while_the_other_is_computed() -> None:
    part = cut(whole(), Cut((), ("a",)))
    validate(part)
    assert {entry.name for entry in part.inputs} == {"data", "a"}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Cut(("poool",)), "--outputs poool: the model has no such value"),
        (Cut((), ("c",)), "--inputs c: the model has no such value"),
        (Cut(("pool",), ("join",)), "--inputs join: no output depends on it"),
        (Cut(("pool", "pool")), "--outputs: a value is named twice"),
    ],
)
def test_what_cannot_be_cut_is_one_line(how: Cut, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        cut(whole(), how)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_refusal_ends_with_the_cut_that_converts(tmp_path: Path) -> None:
    model = fill_missing(read(UNKNOWN), ("bilinear",))
    assert frontier(model, {"odd"}) == ("up", "b")
    with pytest.raises(UnsupportedError) as caught:
        write_onnx(model, tmp_path / "m.onnx")
    line = str(caught.value).splitlines()[-1]
    assert line == "everything before line 12 converts: --outputs up,b"
    write_onnx(cut(model, Cut(("up", "b"))), tmp_path / "m.onnx")


def test_no_cut_is_offered_where_none_converts(tmp_path: Path) -> None:
    first = NET.replace('"Pooling"', '"Oddity"')
    for text in (first, UNKNOWN.replace("kernel_size: 2", "kernel_size: 20")):
        with pytest.raises(UnsupportedError) as caught:
            write_onnx(fill_missing(read(text), ("bilinear",)), tmp_path / "m.onnx")
        assert "--outputs" not in str(caught.value)


def test_conversion_and_proof_take_the_same_part(tmp_path: Path) -> None:
    file, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    file.write_text(UNKNOWN, "utf-8")
    done = convert(file, out, outputs="up,b", fill_missing="bilinear")
    assert done.verdict == "pass"
    again = verify(file, out, outputs=["up", "b"], fill_missing="bilinear")
    assert again.verdict == "pass"
    with pytest.raises(UsageError, match="its framework runs the whole"):
        verify(file, out, outputs="up", against="source")


def test_a_shape_is_given_for_a_value_behind_an_unknown_layer(tmp_path: Path) -> None:
    file, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    file.write_text(NET.replace('"Concat"', '"Oddity"'), "utf-8")
    with pytest.raises(UnsupportedError, match="the shape of the input 'join' is unknown"):
        convert(file, out, cut_inputs="join", fill_missing="bilinear")
    shapes = {"join": "2x3xHxW"}
    done = convert(file, out, cut_inputs="join", inputs=shapes, fill_missing="bilinear")
    assert done.verdict == "pass"


def test_a_public_case_is_offered_its_cut(tmp_path: Path) -> None:
    file = shared_file("cases/missed/unknown_layer_at_the_end.prototxt")
    with pytest.raises(UnsupportedError) as caught:
        convert(file, tmp_path / "m.onnx")
    assert str(caught.value).endswith("converts: --outputs conv")
