from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.converters.reference import transposed_views as views
from tests.converters.reference.build import deconvolution, noise, run, torch_of
from upconv.converters.ir.geometry import conv_transpose_size
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.reference.call import Array, Shape
from upconv.converters.reference.conv_transpose import transposed_convolve
from upconv.converters.reference.windows import Windows


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    channels: int
    size: Shape
    op: ConvTranspose
    bias: bool = True
    batch: int = 2
    output: Shape = field(init=False)

    def __post_init__(self) -> None:
        op = self.op
        sizes = zip(
            self.size,
            op.kernel,
            op.stride,
            op.dilation,
            op.pads_begin,
            op.pads_end,
            op.output_padding,
            strict=True,
        )
        output = tuple(conv_transpose_size(*settings) for settings in sizes)
        object.__setattr__(self, "output", output)

    def arrays(self) -> tuple[Array, Array, Array | None]:
        """x, weight, bias"""
        weight = (self.channels, self.op.out_channels // self.op.groups, *self.op.kernel)
        x = noise(self.batch, self.channels, *self.size, seed=1)
        bias = noise(self.op.out_channels, seed=3) if self.bias else None
        return x, noise(*weight, seed=2), bias


def _case(name: str, channels: int, size: Shape, out: int, **given: Any) -> Case:
    bias = given.pop("bias", True)
    return Case(name, channels, size, deconvolution(len(size), out, **given), bias)


CASES = [
    _case("non-square", 3, (3, 5), 2, kernel=(3, 2), stride=(2, 3), pad=(1, 0)),
    _case("pad 2", 2, (4, 3), 3, kernel=(5, 5), stride=(2, 2), pad=(2, 2)),
    _case("dilation 2", 2, (3, 4), 2, kernel=(3, 3), stride=(1, 2), dilation=(2, 2), pad=(2, 1)),
    _case("groups", 6, (3, 4), 4, kernel=(3, 4), stride=(2, 2), pad=(1, 2), groups=2),
    _case("depthwise", 4, (3, 2), 4, kernel=(4, 4), stride=(2, 2), pad=(1, 1), groups=4),
    _case("no bias", 2, (2, 3), 2, kernel=(2, 3), stride=(2, 1), bias=False),
    _case("output padding", 2, (3, 4), 2, kernel=(3, 3), stride=(3, 2), output_padding=(2, 1)),
    _case("kernel < stride", 2, (3, 3), 2, kernel=(1, 2), stride=(3, 4)),
    _case("line", 3, (5,), 2, kernel=(4,), stride=(3,), pad=(2,), dilation=(2,)),
    _case(
        "volume",
        4,
        (2, 3, 2),
        2,
        kernel=(2, 3, 1),
        stride=(2, 1, 3),
        pad=(1, 1, 0),
        dilation=(1, 2, 1),
        output_padding=(1, 0, 2),
        groups=2,
    ),
]
"""What torch can say too."""

ASYMMETRIC = [
    _case(
        "asymmetric", 2, (4, 3), 2, kernel=(4, 3), stride=(2, 2), pads_begin=(2, 0), pads_end=(1, 2)
    ),
    _case(
        "negative pads",
        2,
        (3, 3),
        2,
        kernel=(2, 3),
        stride=(2, 1),
        pads_begin=(-2, 1),
        pads_end=(1, -3),
    ),
    _case("pad beyond the kernel", 2, (5, 4), 2, kernel=(2, 2), stride=(2, 2), pad=(4, 3)),
    _case("dilation 0", 2, (3, 2), 2, kernel=(3, 2), stride=(2, 2), dilation=(0, 0)),
    _case("much output padding", 1, (2, 2), 1, kernel=(1, 1), output_padding=(4, 0)),
]
VIEWS = [views.distribution, views.collection, views.matrix]
ids = [case.name for case in CASES + ASYMMETRIC]


def _torch(case: Case, x: Any, weight: Any, bias: Any) -> Any:
    from torch.nn import functional

    op = case.op
    functions = {
        1: functional.conv_transpose1d,
        2: functional.conv_transpose2d,
        3: functional.conv_transpose3d,
    }
    # torch refuses an output padding that reaches both stride and dilation; none here does.
    return functions[len(op.kernel)](
        x, weight, bias, op.stride, op.pads_begin, op.output_padding, op.groups, op.dilation
    )


@pytest.mark.parametrize("case", CASES + ASYMMETRIC, ids=ids)
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_views_agree_with_the_table(case: Case, view: Any) -> None:
    x, weight, bias = case.arrays()
    expected = run(case.op, x, weight=weight, bias=bias)
    assert expected.shape == (2, case.op.out_channels, *case.output)
    np.testing.assert_allclose(view(case.op, x, weight, bias, case.output), expected, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_forward_is_torch(case: Case) -> None:
    x, weight, bias = case.arrays()
    expected = _torch(
        case, torch_of(x), torch_of(weight), None if bias is None else torch_of(bias)
    ).numpy()
    np.testing.assert_allclose(run(case.op, x, weight=weight, bias=bias), expected, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients_are_autograd(case: Case) -> None:
    x, weight, _ = case.arrays()
    bias = noise(case.op.out_channels, seed=3)
    tensors = [torch_of(values).requires_grad_() for values in (x, weight, bias)]
    output = _torch(case, *tensors)
    upstream = noise(*output.shape, seed=4)
    output.backward(torch_of(upstream))
    wanted = [tensor.grad.numpy() for tensor in tensors]
    found = [
        views.input_gradient(case.op, upstream, weight, case.size),
        views.weight_gradient(case.op, upstream, x),
        views.bias_gradient(upstream),
    ]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("case", ASYMMETRIC, ids=lambda case: case.name)
def test_gradients_are_adjoint(case: Case) -> None:
    """<y, T x> is <T* y, x> in each argument of the bilinear map (x, weight) -> y."""
    x, weight, _ = case.arrays()
    y = views.distribution(case.op, x, weight, None, case.output)
    upstream = noise(*y.shape, seed=5)
    product = float((y * upstream).sum())
    back_x = views.input_gradient(case.op, upstream, weight, case.size)
    back_weight = views.weight_gradient(case.op, upstream, x)
    np.testing.assert_allclose(float((back_x * x).sum()), product, rtol=1e-12)
    np.testing.assert_allclose(float((back_weight * weight).sum()), product, rtol=1e-12)


def test_matrix_is_the_transpose_of_a_convolution() -> None:
    case = CASES[0]
    _, weight, _ = case.arrays()
    y = noise(1, case.op.out_channels, *case.output)
    unrolled = views.convolution_matrix(case.op, weight, (3, *case.size), case.output)
    forward = (unrolled @ y.reshape(-1)).reshape(1, 3, *case.size)
    np.testing.assert_allclose(
        views.input_gradient(case.op, y, weight, case.size), forward, atol=1e-13
    )


def test_impulse_returns_the_kernel() -> None:
    x = np.zeros((1, 1, 5, 4))
    x[0, 0, 2, 1] = 1.0
    kernel = noise(1, 1, 3, 2)
    y = transposed_convolve(x, kernel, Windows((3, 2), (2, 3), (1, 1), (0, 0)), (11, 11))
    np.testing.assert_array_equal(y[0, 0, 4:7, 3:5], kernel[0, 0])
    assert np.count_nonzero(y) == kernel.size
