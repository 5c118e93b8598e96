"""Solved layers against what PyTorch, onnxruntime and the readers make of their words."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.converters.reference.build import layer, run
from upconv.converters.audit.solve import (
    Answer,
    Padding,
    Wanted,
    bilinear_layer,
    keras_cuts,
    keras_output,
    solve,
)
from upconv.converters.audit.solve_words import WORDS
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.kernels import bilinear_kernel
from upconv.converters.ir.model import Model, ModelInput
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 40))
SOME: list[tuple[int, int]] = [(16, 32), (5, 13), (7, 21), (10, 37), (1, 4), (4, 4), (3, 12)]
ANSWERS = [(a, b, one) for a, b in SOME for one in solve(a, b)[:8]]
DILATED = [(6, 20, one) for one in solve(6, 20, Wanted(dilation=2))]


def _impulse_response(answer: Answer) -> Any:
    """What the layer makes of a ramp with a kernel of different taps, in float64."""
    weight = np.arange(1.0, answer.kernel + 1)[None, None]
    return run(answer.operator, np.arange(1.0, answer.size + 1)[None, None], weight=weight)[0, 0]


@settings(max_examples=60)
@given(SIZES)
def test_every_answer_makes_the_wanted_size(sizes: tuple[int, int]) -> None:
    size, output = sizes
    found = solve(size, output)
    assert len(set(found)) == len(found)
    assert [one.difficulty for one in found] == sorted(one.difficulty for one in found)
    for one in found[:12]:
        model = Model(
            "net", "", "", (ModelInput("x0", (1, 1, size)),), ("y0",), (layer(one.operator),)
        )
        inference = infer(model)
        assert not inference.errors
        assert inference.shapes["y0"] == (1, 1, output)
        assert one.multiplies is all(
            Answer(n, one.kernel, one.stride, one.dilation, one.begin, one.end).output
            == n * one.stride
            for n in (7, 11, 30)
        )


@settings(max_examples=40)
@given(st.tuples(st.integers(2, 9), st.integers(2, 24)))
def test_no_layer_of_pytorch_or_keras_is_missing(sizes: tuple[int, int]) -> None:
    """Every setting within the bounds is tried."""
    size, output = sizes
    found = set(solve(size, output))
    for stride in range(1, output + 1):
        for kernel in range(1, 4 * stride + 1):
            whole = stride * (size - 1) + kernel
            for pad in range(kernel):
                for extra in range(max(stride, 1)):
                    if whole - 2 * pad + extra == output and 2 * pad - extra < kernel:
                        assert Answer(size, kernel, stride, 1, pad, pad - extra) in found
            for padding in get_args(Padding):
                if keras_output(size, kernel, stride, 1, padding) == output:
                    cuts = keras_cuts(size, kernel, stride, 1, padding)
                    if sum(cuts) < kernel:
                        assert Answer(size, kernel, stride, 1, *cuts) in found


@pytest.mark.parametrize(("size", "output", "answer"), [*ANSWERS, *DILATED])
def test_pytorch_computes_what_its_words_say(size: int, output: int, answer: Answer) -> None:
    words = WORDS["torch"](answer, 1).replace("ConvTranspose2d(1, 1", "ConvTranspose1d(1, 1")
    words = words.replace(f"[..., :{output}, :{output}]", f"[..., :{output}]")
    made = words if "(x)" in words else f"{words}(x)"
    x = torch.arange(1.0, size + 1, dtype=torch.float64)[None, None]
    taps = torch.arange(1.0, answer.kernel + 1, dtype=torch.float64)[None, None]

    def module(*args: Any, **words: Any) -> nn.Module:
        found = nn.ConvTranspose1d(*args, **words, bias=False, dtype=torch.float64)
        found.weight.data = taps
        return found

    class Words:
        ConvTranspose1d = staticmethod(module)

    result = eval(made, {"nn": Words, "x": x}).detach().numpy()[0, 0]
    np.testing.assert_allclose(result, _impulse_response(answer))


@pytest.mark.parametrize(("size", "output", "answer"), ANSWERS)
def test_caffe_has_the_size_that_its_words_say(size: int, output: int, answer: Answer) -> None:
    words = WORDS["caffe"](answer, 2)
    if answer.end < 0:
        assert "cannot add" in words
        return
    head = "".join(
        f'input: "{name}" input_shape {{ dim: 1 dim: 2 dim: {n} dim: {n} }}\n'
        for name, n in (("x", size), ("like", output))
    )
    model = read_caffe_source(Source("net.prototxt", head + words), ReadOptions())
    shapes = infer(model).shapes
    result = "crop" if "Crop" in words else "up"
    assert shapes[result] == (1, 2, output, output)
    offset = int(words.split("offset: ")[1].split()[0]) if result == "crop" else 0
    pad = int(words.split("pad: ")[1].split()[0]) if "pad: " in words else 0
    assert pad + offset == answer.begin


@pytest.mark.parametrize(("size", "output", "answer"), ANSWERS[::3])
def test_onnxruntime_computes_what_its_words_say(size: int, output: int, answer: Answer) -> None:
    import onnxruntime
    from onnx import TensorProto, helper

    words = WORDS["onnx"](answer, 1).removeprefix("ConvTranspose")
    attributes: dict[str, Any] = eval(f"dict{words}")
    if attributes.get("output_padding", [0])[0] >= answer.stride:
        return
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)
    taps = np.zeros((1, 1, answer.kernel, answer.kernel), np.float32)
    taps[..., 0] = np.arange(1, answer.kernel + 1)
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    weight = helper.make_tensor("w", TensorProto.FLOAT, taps.shape, taps.ravel())
    graph = helper.make_graph([node], "g", info[:1], info[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.zeros((1, 1, size, size), np.float32)
    x[..., 0] = np.arange(1, size + 1)
    (result,) = session.run(None, {"x": x})
    assert result.shape == (1, 1, output, output)
    if answer.begin == 0:  # the first column is then the first tap's
        np.testing.assert_allclose(result[0, 0, :, 0], _impulse_response(answer), rtol=1e-5)


@pytest.mark.parametrize(("size", "output", "answer"), ANSWERS)
def test_keras_words_cut_what_the_answer_cuts(size: int, output: int, answer: Answer) -> None:
    """By the formulas that the Keras reader's tests hold against TensorFlow."""
    words = WORDS["keras"](answer, 1)
    settings_ = (size, answer.kernel, answer.stride, 1)
    if 'padding="same"' in words:
        assert keras_cuts(*settings_, "same") == (answer.begin, answer.end)
        return
    begin, end = (
        map(int, words.split("Cropping2D(((")[1].split(")")[0].split(","))
        if "Cropping2D" in words
        else (0, 0)
    )
    extra = (
        int(words.split("output_padding=")[1].split(")")[0]) if "output_padding" in words else None
    )
    own_end = -extra if extra is not None else keras_cuts(*settings_, "valid")[1]
    assert (begin, own_end + end) == (answer.begin, answer.end)


@pytest.mark.parametrize(
    ("sizes", "wanted", "first"),
    [
        ((16, 32), Wanted(), (2, 2, 0, 0)),
        ((16, 32), Wanted(kernel=4), (4, 2, 1, 1)),
        ((16, 32), Wanted(kernel=3), (3, 2, 0, 1)),
        ((16, 32), Wanted(kernel=3, output_padding=1), (3, 2, 1, 0)),
        ((16, 544), Wanted(stride=32), (64, 32, 0, 0)),
        ((17, 33), Wanted(stride=2, kernel=3), (3, 2, 1, 1)),
        ((10, 37), Wanted(), (5, 4, 2, 2)),
    ],
)
def test_the_simplest_comes_first(
    sizes: tuple[int, int], wanted: Wanted, first: tuple[int, ...]
) -> None:
    one = solve(*sizes, wanted)[0]
    assert (one.kernel, one.stride, one.begin, one.end) == first


def test_settings_are_kept() -> None:
    wanted = Wanted(stride=2, dilation=3, pad=2, output_padding=1)
    for one in solve(9, 20, wanted):
        assert (one.stride, one.dilation, one.begin, one.end) == (2, 3, 2, 1)
    assert solve(9, 200, Wanted(stride=2, kernel=3)) == []


@pytest.mark.parametrize(
    ("size", "output", "wanted", "told"),
    [
        (0, 4, Wanted(), "input 0 is no size"),
        (4, 1 << 30, Wanted(), "output 1073741824 is no size"),
        (4, 8, Wanted(stride=0), "stride 0 is no size"),
        (4, 8, Wanted(pad=-1), "pad -1 is no size"),
    ],
)
def test_what_no_layer_has_is_refused(size: int, output: int, wanted: Wanted, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        solve(size, output, wanted)


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8, 32])
def test_the_bilinear_layer_of_a_factor(factor: int) -> None:
    found = bilinear_layer(factor)
    answer = Answer(10, found.kernel, factor, 1, found.pad, found.pad)
    assert answer.multiplies
    assert answer.shift == 0
    row = np.array(found.taps) / found.denominator
    np.testing.assert_allclose(
        np.multiply.outer(row, row), bilinear_kernel(found.kernel), atol=2e-7
    )
