from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import (
    check_valid,
    compare_one,
    convert_and_compare,
    letters,
    model,
    one_layer,
    run_onnx,
    values,
    weights,
)
from upconv.converters.ir.dims import like, symbol
from upconv.converters.ir.geometry import (
    bilinear_kernel_size,
    bilinear_pad,
    conv_transpose_size,
)
from upconv.converters.ir.kernels import bilinear_kernel, bilinear_row
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.emitters.factored import interpolation_rows
from upconv.converters.onnx_writer.emitters.transposed_axes import TransposedAxis


@st.composite
def cases(draw: Any) -> tuple[ConvTranspose, tuple[int, ...], str, bool]:
    """(operator, input shape, dynamic axes, bias), with every output at least one pixel."""
    axes = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_axis = []
    for _ in range(axes):
        size, kernel = draw(st.integers(1, 5)), draw(st.integers(1, 4))
        stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        extra = draw(st.integers(0, 5))
        full = conv_transpose_size(size, kernel, stride, dilation, 0, 0, extra)
        begin = draw(st.integers(-2, min(3, full - 1)))
        end = draw(st.integers(-2, min(3, full - 1 - max(begin, 0))))
        per_axis.append((size, kernel, stride, dilation, begin, end, extra))
    sizes, kernel, stride, dilation, begin, end, extra = zip(*per_axis, strict=True)
    shape = (draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), *sizes)
    out = groups * draw(st.integers(1, 2))
    operator = ConvTranspose(out, kernel, stride, dilation, begin, end, extra, groups)
    return operator, shape, draw(st.sampled_from(["", "N", "HW", "NDHW"])), draw(st.booleans())


@given(cases(), st.integers(0, 9))
@settings(max_examples=150)
def test_any_geometry(case: Any, seed: int) -> None:
    operator, shape, dynamic, has_bias = case
    channels = operator.out_channels
    weight = values(shape[1], channels // operator.groups, *operator.kernel, seed=seed)
    stored = {"bias": values(channels, seed=1) + 3} if has_bias else {}
    x = values(*shape, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        compare_one(
            operator,
            Path(folder),
            x,
            dynamic=dynamic,
            opsets=((13, 18, 22)[seed % 3],),
            weight=weight,
            **stored,
        )


def conv_transpose(channels: int, k: int, s: int, p: int, **more: Any) -> ConvTranspose:
    settings: dict[str, Any] = {"dilation": (1, 1), "output_padding": (0, 0), "groups": 1} | more
    return ConvTranspose(channels, (k, k), (s, s), pads_begin=(p, p), pads_end=(p, p), **settings)


def test_impulses_find_every_pixel(tmp_path: Path) -> None:
    operator = conv_transpose(2, 3, 2, 1, output_padding=(1, 1))
    for place in range(12):
        x = np.zeros((1, 1, 3, 4), np.float32)
        x.flat[place] = 1.0
        compare_one(operator, tmp_path, x, tolerance=0, weight=values(1, 2, 3, 3))


def nodes(path: Path) -> list[onnx.NodeProto]:
    return list(onnx.load(path).graph.node)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


@pytest.mark.parametrize("dynamic", ["", "HW"])
def test_one_node_with_explicit_pads(dynamic: str, tmp_path: Path) -> None:
    source = one_layer(
        conv_transpose(2, 4, 2, 1),
        letters((1, 3, 5, 6), dynamic),
        weight=values(3, 2, 4, 4),
        bias=values(2),
    )
    written = write_onnx(source, tmp_path / "m.onnx")
    (node,) = nodes(written.path)
    assert (node.op_type, node.name, list(node.output)) == ("ConvTranspose", "layer", ["y0"])
    found = attributes(node)
    assert found["pads"] == [1, 1, 1, 1]
    assert set(found) == {"kernel_shape", "strides", "dilations", "pads", "group"}
    assert written.forms == {"layer": "ConvTranspose"}


def test_output_padding_uses_up_the_end_pad_first(tmp_path: Path) -> None:
    source = one_layer(
        conv_transpose(1, 3, 2, 1, output_padding=(2, 1)), (1, 1, 4, 4), weight=values(1, 1, 3, 3)
    )
    (node,) = nodes(write_onnx(source, tmp_path / "m.onnx").path)
    assert attributes(node)["pads"] == [1, 1, 0, 0]
    assert attributes(node)["output_padding"] == [1, 0]


def test_bias_reaches_the_rows_that_padding_adds(tmp_path: Path) -> None:
    operator = conv_transpose(1, 1, 1, 0, output_padding=(2, 3))
    written = compare_one(
        operator,
        tmp_path,
        values(1, 1, 2, 2),
        dynamic="NHW",
        weight=values(1, 1, 1, 1),
        bias=np.array([7.0]),
    )
    assert written.forms["layer"] == "ConvTranspose+Pad+Add"
    got = run_onnx(written.path, {"x0": values(2, 1, 3, 2)})["y0"]
    assert got.shape == (2, 1, 5, 5)
    assert (got[:, :, 3:] == 7.0).all()


@pytest.mark.parametrize("dynamic", ["", "HW", "NHW"])
@pytest.mark.parametrize("target", [(9, 12), (12, 15), (14, 9)])
def test_target_of_another_tensor(target: tuple[int, int], dynamic: str, tmp_path: Path) -> None:
    operator = conv_transpose(2, 4, 2, 1, target=(like("skip", 2), like("skip", 3)))
    layer = Layer(
        "up", operator, ("x", "skip"), ("y",), weights(weight=values(2, 2, 4, 4), bias=[1, -2])
    )
    x, reference = values(1, 2, 5, 6), values(1, 1, *target)
    shapes = {"x": letters(x.shape, dynamic), "skip": _renamed(reference.shape, dynamic)}
    source = model([layer], shapes, ["y"])
    convert_and_compare(source, {"x": x, "skip": reference}, tmp_path)


def _renamed(shape: tuple[int, ...], dynamic: str) -> tuple[Any, ...]:
    plain = letters(shape, dynamic)
    return tuple(size if isinstance(size, int) else symbol(f"{size}2") for size in plain)


def bilinear(channels: int, factor: int, dense: bool, bias: bool) -> tuple[ConvTranspose, Any]:
    k = 2 * factor - factor % 2
    kernel = bilinear_kernel(k)
    scales = 4.0 ** np.arange(channels)  # their roots are exact
    shape = (channels, channels if dense else 1, k, k)
    weight = np.zeros(shape, np.float32)
    for channel in range(channels):
        weight[channel, channel if dense else 0] = kernel * scales[channel]
    groups = 1 if dense else channels
    operator = conv_transpose(channels, k, factor, factor // 2, groups=groups)
    return operator, {"weight": weight} | ({"bias": values(channels)} if bias else {})


@pytest.mark.parametrize("form", ["separable", "matmul", "auto"])
@pytest.mark.parametrize("factor", [2, 3, 4, 12])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("dynamic", ["", "NHW"])
def test_bilinear_forms(form: str, factor: int, dense: bool, dynamic: str, tmp_path: Path) -> None:
    operator, stored = bilinear(3, factor, dense, bias=factor == 3)
    written = compare_one(
        operator,
        tmp_path,
        values(2, 3, 4, 5),
        dynamic=dynamic,
        opsets=(13, 22),
        options={"bilinear": form},
        **stored,
    )
    one = "grouped" if dense else "ConvTranspose"
    chosen = "separable" if dynamic else "matmul"  # of an input as small as this
    expected = {"auto": chosen if factor in (2, 4) else one}.get(form, form)
    assert written.forms["layer"] == expected


@pytest.mark.parametrize("form", ["separable", "matmul"])
def test_power_of_two_factors_are_bit_equal_for_integers(form: str, tmp_path: Path) -> None:
    operator, stored = bilinear(2, 8, True, bias=False)
    x = np.random.default_rng(3).integers(-9, 9, (1, 2, 5, 7)).astype(np.float32)
    compare_one(operator, tmp_path, x, tolerance=0, options={"bilinear": form}, **stored)


def test_forms_leave_other_kernels_alone(tmp_path: Path) -> None:
    operator = conv_transpose(2, 4, 2, 1, groups=2)
    written = compare_one(
        operator,
        tmp_path,
        values(1, 2, 4, 5),
        options={"bilinear": "separable"},
        weight=values(2, 1, 4, 4),
    )
    assert written.forms["layer"] == "ConvTranspose"


def test_a_mixing_kernel_stays_dense(tmp_path: Path) -> None:
    operator, stored = bilinear(2, 2, True, bias=False)
    stored["weight"][0, 1] = 0.5
    source = one_layer(operator, (1, 2, 4, 4), **stored)
    written = write_onnx(source, tmp_path / "m.onnx", WriteOptions(bilinear="separable"))
    assert written.forms["layer"] == "ConvTranspose"
    check_valid(written.path)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8, 12])
def test_the_matrix_of_the_convention_is_the_hat(factor: int) -> None:
    """Of output i and input j: max(0, 1 - |(i+0.5)/f - 0.5 - j|)."""
    k, pad = bilinear_kernel_size(factor), bilinear_pad(factor)
    axis = TransposedAxis(k, factor, 1, pad, pad, 0)
    found = interpolation_rows(axis, bilinear_row(k)[None], 5)[0]
    i, j = np.arange(5 * factor), np.arange(5)[:, None]
    hat = np.maximum(0, 1 - np.abs((i + 0.5) / factor - 0.5 - j))
    np.testing.assert_allclose(found, hat, atol=2e-7)
