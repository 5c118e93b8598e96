"""The other forms of transposed convolutions: of any number of axes, with factors and pads an axis,
for sizes that are known and open; each against the reference, and proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import OPSETS, compare_one, letters, one_layer, values
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad, conv_transpose_size
from upconv.converters.ir.kernels import factored, linear_kernel, mixture, separate
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.options import Bilinear
from upconv.converters.proof.verify import verify


def enlarging(channels: int, factors: tuple[int, ...], pads: Any = None) -> ConvTranspose:
    """Grouped, with the pads of the convention, or with `pads` (begin, end)."""
    kernel, one = tuple(map(bilinear_kernel_size, factors)), (1,) * len(factors)
    begin, end = pads or (tuple(map(bilinear_pad, factors)),) * 2
    return ConvTranspose(channels, kernel, factors, one, begin, end, (0,) * len(one), channels)


def kernels(channels: int, factors: tuple[int, ...]) -> Any:
    kernel = linear_kernel(factors).astype(np.float32)
    return np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy()


def proven(model: Model, path: Path, **options: Any) -> str:
    """The form of the one layer, in a file that is proven."""
    form = write_onnx(model, path, WriteOptions(**options)).forms["layer"]
    proof = verify(model, str(path))
    assert proof.verdict == "pass", str(proof)
    assert proof.layers[0].form == form
    return form


SHAPES: Final = {
    "line": ((2,), (2, 3, 7)),
    "one pixel": ((4, 4), (1, 2, 1, 1)),
    "factors an axis": ((2, 4), (2, 3, 5, 3)),
    "an axis that stays": ((1, 8), (1, 2, 3, 4)),
    "odd": ((3, 5), (1, 2, 4, 3)),
    "volume": ((2, 4, 2), (2, 3, 3, 2, 4)),
}


@pytest.mark.parametrize("dynamic", ["", "NDHW"])
@pytest.mark.parametrize("form", ["separable", "matmul", "resize"])
@pytest.mark.parametrize("case", SHAPES)
def test_forms_of_any_rank(case: str, form: str, dynamic: str, tmp_path: Path) -> None:
    factors, shape = SHAPES[case]
    operator = enlarging(shape[1], factors)
    stored = {"weight": kernels(shape[1], factors), "bias": values(shape[1], seed=3)}
    written = compare_one(
        operator,
        tmp_path,
        values(*shape),
        dynamic=dynamic,
        opsets=(13, 22),
        options={"bilinear": form},
        **stored,
    )
    is_node = form == "separable" and len(factors) == 1
    assert written.forms["layer"] == ("ConvTranspose" if is_node else form)
    model = one_layer(operator, letters(shape, ""), **stored)
    proven(model, tmp_path / "proven.onnx", bilinear=form)


@pytest.mark.parametrize("dynamic", ["", "HW"])
@pytest.mark.parametrize(
    ("factors", "begin", "end", "extra"),
    [
        ((8, 8), (0, 0), (0, 0), (0, 0)),
        ((4, 2), (0, 3), (2, 1), (0, 0)),
        ((3, 3), (1, 0), (2, 4), (0, 0)),
        ((4, 5), (2, 2), (0, 0), (3, 4)),
        ((2, 3), (0, 1), (1, 0), (1, 2)),
    ],
)
def test_a_resize_with_other_pads(
    factors: Any, begin: Any, end: Any, extra: Any, dynamic: str, tmp_path: Path
) -> None:
    operator = replace(enlarging(2, factors, (begin, end)), output_padding=extra)
    stored = {"weight": kernels(2, factors), "bias": values(2, seed=3)}
    x = values(2, 2, 4, 5)
    options = {"bilinear": "resize"}
    written = compare_one(
        operator, tmp_path, x, dynamic=dynamic, opsets=(13, 22), options=options, **stored
    )
    assert written.forms["layer"] == "resize"
    assert proven(one_layer(operator, x.shape, **stored), tmp_path / "p.onnx", **options)


@settings(
    max_examples=40,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_form_has_any_margin(data: Any, tmp_path: Path) -> None:
    """Interpolations whose borders and output padding are any: each form has all their pixels."""
    axes = data.draw(st.integers(1, 3))

    def each(least: int, largest: Sequence[int]) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(least, most)) for most in largest)

    factors = each(1, (5,) * axes)
    size, last = each(2, (5,) * axes), [bilinear_kernel_size(one) - 1 for one in factors]
    operator = enlarging(3, factors, (each(-2, last), each(-2, last)))
    operator = replace(operator, output_padding=each(0, [factor - 1 for factor in factors]))
    stored = {"weight": kernels(3, factors), "bias": values(3, seed=3)}
    out = [
        conv_transpose_size(n, k, s, 1, begin, end, extra)
        for n, k, s, begin, end, extra in zip(
            size,
            operator.kernel,
            factors,
            operator.pads_begin,
            operator.pads_end,
            operator.output_padding,
            strict=True,
        )
    ]
    assume(min(out) > 0)
    for form in get_args(Bilinear):
        compare_one(
            operator,
            tmp_path,
            values(2, 3, *size),
            dynamic=data.draw(st.sampled_from(("", "DHW", "W"))),
            opsets=(data.draw(st.sampled_from(OPSETS)),),
            options={"bilinear": form},
            **stored,
        )


def test_a_resize_of_powers_of_two_is_exact_for_integers(tmp_path: Path) -> None:
    x = np.random.default_rng(3).integers(-9, 9, (1, 2, 5, 7)).astype(np.float32)
    options = {"bilinear": "resize"}
    for pads in (None, ((0, 0), (0, 0))):
        operator = enlarging(2, (8, 4), pads)
        weight = kernels(2, (8, 4))
        compare_one(operator, tmp_path, x, tolerance=0, options=options, weight=weight)


def test_a_resize_that_is_off_by_a_pixel_is_no_proof(tmp_path: Path) -> None:
    operator, path = enlarging(2, (4, 4)), tmp_path / "m.onnx"
    model = one_layer(operator, (1, 2, 6, 7), weight=kernels(2, (4, 4)))
    write_onnx(model, path, WriteOptions(bilinear="resize"))
    file = onnx.load(path)
    (node,) = (node for node in file.graph.node if node.op_type == "Resize")
    for attribute in node.attribute:
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = b"asymmetric"
    onnx.save(file, path)
    assert verify(model, str(path)).verdict == "fail"


def test_a_border_without_its_map_is_no_proof(tmp_path: Path) -> None:
    operator, path = enlarging(2, (4, 4)), tmp_path / "m.onnx"
    model = one_layer(operator, (1, 2, 6, 7), weight=kernels(2, (4, 4)))
    write_onnx(model, path, WriteOptions(bilinear="resize"))
    file = onnx.load(path)
    for tensor in file.graph.initializer:
        line = onnx.numpy_helper.to_array(tensor)
        if line.size in (24, 28):
            ones = np.ones_like(line)
            tensor.CopyFrom(onnx.numpy_helper.from_array(ones, tensor.name))
    onnx.save(file, path)
    assert verify(model, str(path)).verdict == "fail"


def test_what_does_not_interpolate_is_not_resized(tmp_path: Path) -> None:
    weight = kernels(2, (4, 4))
    weight[1] *= 2
    model = one_layer(enlarging(2, (4, 4)), (1, 2, 6, 7), weight=weight)
    assert proven(model, tmp_path / "m.onnx", bilinear="resize") == "ConvTranspose"


@pytest.mark.parametrize("form", ["separable", "matmul", "auto"])
@pytest.mark.parametrize("factors", [(2, 2), (3, 3), (2, 4, 2)])
def test_channels_that_are_mixed_before(
    form: str, factors: tuple[int, ...], tmp_path: Path
) -> None:
    """The bilinear filler in every pair of channels, as it stands in files with one group; and with
    a gain of its own in each pair."""
    kernel = linear_kernel(factors).astype(np.float32)
    gains = np.random.default_rng(1).integers(-3, 4, (5, 3)).astype(np.float32)
    weight = gains.reshape(5, 3, *(1,) * kernel.ndim) * kernel
    operator = replace(enlarging(3, factors), groups=1)
    stored = {"weight": weight, "bias": values(3)}
    x = values(2, 5, *(3, 4, 2)[: kernel.ndim])
    options = {"bilinear": form}
    written = compare_one(operator, tmp_path, x, opsets=(13, 22), options=options, **stored)
    is_exact = factors != (3, 3)
    expected = {"auto": "Conv+matmul" if is_exact else "ConvTranspose"}.get(form, f"Conv+{form}")
    assert written.forms["layer"] == expected
    assert proven(one_layer(operator, x.shape, **stored), tmp_path / "p.onnx", **options)


def test_a_learned_weight_is_no_mixture(tmp_path: Path) -> None:
    weight = values(5, 3, 4, 4)
    assert mixture(weight) is None
    kernel = linear_kernel((2, 2)).astype(np.float32)
    weight = np.broadcast_to(kernel, (5, 3, 4, 4)).copy()
    found = mixture(weight)
    assert found is not None
    assert found.exact
    weight[4, 2, 3, 3] *= np.float32(1.01)
    assert mixture(weight) is None


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_kernel_of_one_pixel_is_a_convolution(groups: int, axes: int, tmp_path: Path) -> None:
    one, none = (1,) * axes, (0,) * axes
    operator = ConvTranspose(6, one, one, one, none, none, none, groups)
    stored = {"weight": values(4, 6 // groups, *one), "bias": values(6, seed=2)}
    x = values(2, 4, *(3, 2, 5)[:axes])
    options = {"bilinear": "auto"}
    written = compare_one(operator, tmp_path, x, dynamic="H", options=options, **stored)
    assert written.forms["layer"] == "Conv"
    model, path = one_layer(operator, x.shape, **stored), tmp_path / "p.onnx"
    assert proven(model, path, **options) == "Conv"
    file = onnx.load(path)
    (tensor,) = (one for one in file.graph.initializer if one.name.endswith("pointwise"))
    turned = onnx.numpy_helper.to_array(tensor).copy()
    turned.flat[1] = np.nextafter(turned.flat[1], np.float32(9))
    tensor.CopyFrom(onnx.numpy_helper.from_array(turned, tensor.name))
    onnx.save(file, path)
    assert "of its pointwise" in verify(model, str(path)).layers[0].reason


@pytest.mark.parametrize(
    "factors", [(2,), (2, 8), (16, 4), (2, 4, 8), (8, 8, 8), (3, 5), (12, 2, 3)]
)
def test_the_factors_of_a_kernel_are_its_own(factors: tuple[int, ...]) -> None:
    kernel = linear_kernel(factors).astype(np.float32)
    signed = kernel * np.float32(-3)
    for one in (kernel, signed):
        found = separate(one)
        assert found is not None
        product = reduce(np.multiply.outer, [part.astype(np.float64) for part in found])
        np.testing.assert_allclose(product, one, rtol=2**-21)
        if all(factor & (factor - 1) == 0 for factor in factors):
            np.testing.assert_array_equal(product, one)


def test_factors_of_channels_differ() -> None:
    stack = np.stack([linear_kernel((2, 4)), 3 * linear_kernel((2, 4))]).astype(np.float32)
    found = factored(stack)
    assert found is not None
    assert found.exact
    product = found.taps[0][:, :, None] * found.taps[1][:, None, :]
    np.testing.assert_array_equal(product, stack)
