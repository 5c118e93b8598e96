from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import noise, run, torch_of
from upconv.converters.ir import operators as ops


def _torch_cases() -> list[tuple[ops.Operator, Callable[[Any], Any]]]:
    import torch
    from torch.nn import functional

    return [
        (ops.Relu(), torch.relu),
        (ops.Relu(0.1), lambda x: functional.leaky_relu(x, 0.1)),
        (ops.Elu(0.7), lambda x: functional.elu(x, 0.7)),
        (ops.Sigmoid(), torch.sigmoid),
        (ops.Tanh(), torch.tanh),
        (ops.Swish(1.5), lambda x: x * torch.sigmoid(1.5 * x)),
        (ops.Power(3.0, 0.5, 1.5), lambda x: (1.5 + 0.5 * x) ** 3),
        (ops.Power(1.0, 2.0, -1.0), lambda x: 2 * x - 1),
        (ops.Power(0.0), torch.ones_like),
        (ops.Power(0.5), torch.sqrt),
        (ops.Exp(), torch.exp),
        (ops.Exp(2.0, 0.3, 0.1), lambda x: torch.exp2(0.1 + 0.3 * x)),
        (ops.Log(), torch.log),
        (ops.Log(10.0, 2.0, 9.0), lambda x: torch.log10(9 + 2 * x)),
        (ops.Abs(), torch.abs),
        (ops.Erf(), torch.erf),
        (ops.Softplus(), lambda x: functional.softplus(x, threshold=1e9)),
        (ops.Sin(), torch.sin),
        (ops.Cos(), torch.cos),
        (ops.Round(), torch.round),
        (ops.Floor(), torch.floor),
        (ops.Ceil(), torch.ceil),
        (ops.Sign(), torch.sign),
        (ops.Compare("less", 0.2), lambda x: (x.float() < 0.2).double()),
        (ops.Compare("less_equal", 0.2), lambda x: (x.float() <= 0.2).double()),
        (ops.Compare("greater", 0.2), lambda x: (x.float() > 0.2).double()),
        (ops.Compare("greater_equal", 0.2), lambda x: (x.float() >= 0.2).double()),
        (ops.Compare("equal", -30.0), lambda x: (x == -30).double()),
        (ops.Compare("not_equal", -30.0), lambda x: (x != -30).double()),
        (ops.Where(0.1, -np.inf), lambda x: torch.where(x != 0, 0.1, -np.inf).float().double()),
        (ops.Clip(-0.3, 0.6), lambda x: torch.clamp(x, -0.3, 0.6)),
        (ops.Gelu(), functional.gelu),
        (ops.Gelu(tanh=True), lambda x: functional.gelu(x, approximate="tanh")),
    ]


@pytest.mark.parametrize("index", range(33))
def test_is_torch(index: int) -> None:
    op, function = _torch_cases()[index]
    x = noise(2, 3, 4, 5)
    x.flat[:4] = [0.0, 0.2, -30.0, 30.0]
    x.flat[8:12] = [0.5, 1.5, -2.5, -0.5]
    x.flat[4:6] = [700.0, -700.0] if isinstance(op, ops.Sigmoid | ops.Swish) else [0.6, -0.3]
    x = x.astype(np.float32).astype(np.float64)  # as all values of a network are
    expected = function(torch_of(x)).numpy()
    np.testing.assert_allclose(run(op, x), expected, rtol=1e-12, atol=1e-14)


def test_every_torch_case_runs() -> None:
    assert len(_torch_cases()) == 33


@pytest.mark.parametrize("slopes", [1, 3])
def test_prelu_is_torch(slopes: int) -> None:
    from torch.nn import functional

    x, slope = noise(2, 3, 4, 5), noise(slopes, seed=1)
    expected = functional.prelu(torch_of(x), torch_of(slope)).numpy()
    np.testing.assert_allclose(run(ops.PRelu(), x, slope=slope), expected, atol=1e-14)


def test_scale_by_weights_along_its_axes() -> None:
    x = noise(2, 3, 4, 5)
    scale, bias = noise(3, 4, seed=1), noise(3, 4, seed=2)
    expected = x * scale[:, :, None] + bias[:, :, None]
    np.testing.assert_allclose(run(ops.Scale(1), x, scale=scale, bias=bias), expected)
    np.testing.assert_allclose(run(ops.Scale(-3), x, scale=scale, bias=bias), expected)
    np.testing.assert_allclose(run(ops.Scale(1), x, bias=bias), x + bias[:, :, None])


def test_scale_by_a_second_input() -> None:
    x, gate = noise(2, 3, 4, 5), noise(2, 3, seed=1)
    bias = noise(2, 3, seed=2)
    y = run(ops.Scale(0, "scale"), x, gate, bias=bias)
    np.testing.assert_allclose(y, x * gate[:, :, None, None] + bias[:, :, None, None])
    y = run(ops.Scale(0, "bias"), x, gate)
    np.testing.assert_allclose(y, x + gate[:, :, None, None])
    np.testing.assert_array_equal(run(ops.Scale(1, "scale"), x, np.array(2.0)), 2 * x)


def test_eltwise_folds_from_the_left() -> None:
    a, b, c = (noise(2, 3, seed=i) for i in range(3))
    cases: list[tuple[Any, Any]] = [
        ("sum", a + b + c),
        ("product", a * b * c),
        ("max", np.maximum(np.maximum(a, b), c)),
        ("min", np.minimum(np.minimum(a, b), c)),
        ("difference", a - b - c),
        ("quotient", a / b / c),
    ]
    for kind, expected in cases:
        np.testing.assert_array_equal(run(ops.Eltwise(kind), a, b, c), expected)


def test_eltwise_coefficients() -> None:
    a, b = noise(2, 3), noise(2, 3, seed=1)
    np.testing.assert_array_equal(run(ops.Eltwise("sum", (2.0, -0.5)), a, b), 2 * a - 0.5 * b)


def test_undefined_values_pass_silently() -> None:
    """Warnings are errors in this suite; NaN and infinity are results like others."""
    x = np.array([-1.0, 0.0])
    np.testing.assert_array_equal(run(ops.Log(), x), [np.nan, -np.inf])
    np.testing.assert_array_equal(run(ops.Power(0.5), x), [np.nan, 0.0])
    np.testing.assert_array_equal(run(ops.Eltwise("quotient"), x, np.zeros(2)), [-np.inf, np.nan])


def test_two_inputs_are_torch() -> None:
    """Signs of both operands, whole quotients, and powers of negative numbers among them."""
    import torch

    x, y = 4 * noise(2, 3, 4, 5), noise(2, 3, 4, 5, seed=1)
    x.flat[:8], y.flat[:8] = [6, -6, 6, -6, 5, -5, 5, -5], [3, 3, -3, -3, 3, 3, -3, -3]
    cases: list[tuple[Any, Callable[[Any, Any], Any]]] = [
        ("power", torch.pow),
        ("floor_mod", torch.remainder),
        ("trunc_mod", torch.fmod),
    ]
    for kind, function in cases:
        expected = function(torch_of(x), torch_of(y)).numpy()
        np.testing.assert_allclose(run(ops.Eltwise(kind), x, y), expected, rtol=1e-13)
