from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.converters.reference.build import convolution, deconvolution, layer, noise, pooling, run
from upconv.converters.ir import operators as ops
from upconv.converters.reference.bounds import (
    LARGEST_COUNT,
    LARGEST_LOSS,
    ROUNDINGS_OF_MAGNITUDES,
    SumOfProducts,
    error_bound,
    sum_of_products,
)

U = 2.0**-24


def _products(op: ops.Operator, *inputs: Any, **weights: Any) -> SumOfProducts:
    found = sum_of_products(layer(op, len(inputs), **weights), inputs)
    assert found is not None
    return found


def _brute_count(op: ops.Operator, *inputs: Any, **weights: Any) -> Any:
    """The same operator on ones: each element is the number of its products."""
    ones = [np.ones_like(x) for x in inputs]
    return run(op, *ones, **{name: np.ones_like(w) for name, w in weights.items()})


WINDOWED: list[tuple[str, ops.Operator, tuple[int, ...], dict[str, tuple[int, ...]]]] = [
    (
        "convolution",
        convolution(channels=4, kernel=(3, 2), stride=(2, 1), pad=(2, 1), groups=2),
        (2, 6, 5, 4),
        {"weight": (4, 3, 3, 2)},
    ),
    (
        "transposed",
        deconvolution(channels=4, kernel=(4, 3), stride=(3, 2), pad=(1, 0), groups=2),
        (2, 6, 3, 4),
        {"weight": (6, 2, 4, 3)},
    ),
    (
        "holes",
        deconvolution(channels=2, kernel=(1, 2), stride=(3, 3), output_padding=(2, 1)),
        (1, 3, 3, 2),
        {"weight": (3, 2, 1, 2)},
    ),
    ("linear", ops.Linear(5), (2, 3, 4), {"weight": (5, 12)}),
    ("tile", ops.WindowUnpool("tile", (3, 3), (2, 2), (1, 0), (5, 8)), (1, 2, 3, 4), {}),
]


def assert_barely_above(found: SumOfProducts, magnitudes: Any) -> None:
    """Never less than the exact sums, and hardly more: what float32 may lose over so many terms."""
    assert (found.magnitude >= magnitudes).all()
    steps = np.max(found.count) + ROUNDINGS_OF_MAGNITUDES
    assert (found.magnitude <= magnitudes * (1 + 3 * steps * U)).all()


@pytest.mark.parametrize(("name", "op", "size", "shapes"), WINDOWED)
def test_counts_and_magnitudes_are_their_definition(
    name: str, op: ops.Operator, size: tuple[int, ...], shapes: dict[str, tuple[int, ...]]
) -> None:
    x = noise(*size)
    weights = {key: noise(*shape, seed=1) for key, shape in shapes.items()}
    found = _products(op, x, **weights)
    np.testing.assert_array_equal(found.exact, run(op, x, **weights))
    magnitudes = run(op, np.abs(x), **{key: np.abs(w) for key, w in weights.items()})
    assert_barely_above(found, magnitudes)
    counts = np.broadcast_to(found.count, found.exact.shape)
    np.testing.assert_array_equal(counts, _brute_count(op, x, **weights))


def test_a_bias_adds_its_magnitude() -> None:
    x, weight, bias = noise(1, 2, 3, 3), noise(2, 2, 2, 2, seed=1), np.array([-3.0, 5.0])
    op = deconvolution(channels=2, kernel=(2, 2))
    with_bias = _products(op, x, weight=weight, bias=bias)
    without = _products(op, x, weight=weight)
    added = with_bias.magnitude - without.magnitude
    wanted = np.broadcast_to([[[3.0]], [[5.0]]], added.shape[1:])[None]
    np.testing.assert_allclose(added, wanted, rtol=1e-4)


def test_magnitudes_beyond_float32_are_computed_in_float64() -> None:
    x, weight = np.full((1, 4, 1, 1), 2.0**100), np.full((1, 4, 1, 1), 2.0**100)
    found = _products(convolution(channels=1, kernel=(1, 1)), x, weight=weight)
    assert found.magnitude.item() == 2.0**202


def test_magnitudes_of_long_sums_are_computed_in_float64() -> None:
    count = int(LARGEST_LOSS / U)
    x = np.ones((1, count))
    found = _products(ops.Linear(1), x, weight=np.ones((1, count)))
    assert found.magnitude.item() == count
    assert found.magnitude.dtype == np.float64


@given(st.integers(0, 2**32 - 1), st.integers(1, 3000))
def test_float32_magnitudes_are_enlarged_by_what_they_lost(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((1, size)) * 2.0 ** rng.integers(-60, 40)).astype(np.float32)
    weight = (rng.standard_normal((2, size)) * 2.0 ** rng.integers(-60, 40)).astype(np.float32)
    found = _products(ops.Linear(2), x, weight=weight)
    wide = np.abs(x).astype(np.float64) @ np.abs(weight).T.astype(np.float64)
    assert_barely_above(found, wide)


def test_averages_have_the_magnitude_of_their_parts() -> None:
    x = noise(1, 2, 5, 5)
    op = pooling("average", (3, 3), (2, 2), pad=(1, 1))
    found = _products(op, x)
    np.testing.assert_array_equal(found.magnitude, run(op, np.abs(x)))
    assert found.magnitude[0, 0, 0, 0] < np.abs(x[0, 0, :2, :2]).sum()
    np.testing.assert_array_equal(found.count, [[4, 6, 4], [6, 9, 6], [4, 6, 4]])
    assert _products(ops.GlobalPool("average"), x).count == 25


def test_eltwise_sums_magnitudes_of_coefficients() -> None:
    a, b = noise(2, 3), noise(2, 3, seed=1)
    weighted = _products(ops.Eltwise("sum", (2.0, -3.0)), a, b)
    np.testing.assert_array_equal(weighted.magnitude, 2 * np.abs(a) + 3 * np.abs(b))
    difference = _products(ops.Eltwise("difference"), a, b)
    np.testing.assert_array_equal(difference.magnitude, np.abs(a) + np.abs(b))
    np.testing.assert_array_equal(difference.exact, a - b)
    assert difference.count == 2


def test_scale_is_one_product() -> None:
    x, gate = noise(1, 3, 2), noise(1, 3, seed=1)
    found = _products(ops.Scale(0, "scale"), x, gate, bias=[[-1, 2, 3]])
    bias = np.array([[1, 2, 3]])[..., None]
    np.testing.assert_array_equal(found.magnitude, np.abs(x * gate[..., None]) + bias)
    assert found.count == 1


@pytest.mark.parametrize(
    "op",
    [
        pooling("max", (2, 2), (2, 2)),
        ops.GlobalPool("max"),
        ops.Eltwise("product"),
        ops.Relu(),
        ops.Softmax(1),
    ],
)
def test_others_are_no_sums_of_products(op: ops.Operator) -> None:
    assert sum_of_products(layer(op), [noise(1, 2, 4, 4)]) is None


def test_an_exact_result_is_used_where_given() -> None:
    x = noise(1, 1, 2, 2)
    given_result = np.zeros((1, 1, 3, 3))
    op = deconvolution(kernel=(2, 2))
    one = layer(op, weight=noise(1, 1, 2, 2))
    found = sum_of_products(one, [x], exact=given_result)
    assert found is not None
    assert found.exact is given_result


def _bound(magnitude: float, count: int, **given: Any) -> float:
    return float(error_bound(np.zeros(1), np.array([magnitude]), count, **given)[0])


def _exact_sum(x: Any, w: Any, b: Any) -> Fraction:
    pairs = zip(map(Fraction, map(float, x)), map(Fraction, map(float, w)), strict=True)
    return sum((p * q for p, q in pairs), start=Fraction(float(b)))


def _float32_sum(x: Any, w: Any, b: Any, order: list[int]) -> np.float32:
    """One product after the other in this order, the bias first, each step rounded."""
    total = np.float32(b)
    for i in order:
        total = np.float32(total + np.float32(x[i] * w[i]))
    return total


floats = st.floats(-(2.0**20), 2.0**20, width=32)


@given(st.data(), st.integers(1, 12))
def test_the_theorem_holds(data: st.DataObject, n: int) -> None:
    x = np.array(data.draw(st.lists(floats, min_size=n, max_size=n)), np.float32)
    w = np.array(data.draw(st.lists(floats, min_size=n, max_size=n)), np.float32)
    b = np.float32(data.draw(floats))
    order = data.draw(st.permutations(range(n)))
    exact = _exact_sum(x, w, b)
    magnitude = float(_exact_sum(np.abs(x), np.abs(w), abs(b)))
    error = abs(Fraction(float(_float32_sum(x, w, b, order))) - exact)
    assert error <= Fraction(_bound(magnitude, n))


def test_the_theorem_is_near_what_happens() -> None:
    """1 and then half units in the last place, each of which is rounded away."""
    n = 40
    x = np.array([1.0] + [2.0**-24] * (n - 1), np.float32)
    w = np.ones(n, np.float32)
    exact = _exact_sum(x, w, 0)
    error = abs(Fraction(float(_float32_sum(x, w, 0, list(range(n))))) - exact)
    bound = Fraction(_bound(float(exact), n))
    assert Fraction(9, 10) * bound < error <= bound


def test_without_the_bias_the_theorem_is_false() -> None:
    x, w, b = np.float32(1 + 2.0**-23), np.float32(1), np.float32(2.0**24)
    error = abs(Fraction(float(_float32_sum([x], [w], b, [0]))) - _exact_sum([x], [w], b))
    assert error > Fraction(_bound(float(x), 1))
    assert error <= Fraction(_bound(float(x) + float(b), 1))


def test_without_the_underflow_term_the_theorem_is_false() -> None:
    x, w = np.float32(1.5 * 2.0**-100), np.float32(2.0**-49)
    error = abs(Fraction(float(_float32_sum([x], [w], 0, [0]))) - _exact_sum([x], [w], 0))
    magnitude = float(x) * float(w)
    relative_only = 3 * U * magnitude
    assert error > Fraction(relative_only)
    assert error <= Fraction(_bound(magnitude, 1))


def test_flushed_subnormals_need_the_larger_term() -> None:
    """A product just below 2^-126 becomes zero."""
    magnitude = 2.0**-126 * (1 - 2.0**-20)
    assert magnitude > _bound(magnitude, 1)
    assert magnitude <= _bound(magnitude, 1, flushed=True)


def test_onnxruntime_stays_within() -> None:
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime import InferenceSession

    x, weight, bias = noise(1, 16, 9, 9), noise(8, 16, 3, 3, seed=1), noise(8, seed=2)
    op = convolution(channels=8, kernel=(3, 3), pad=(1, 1))
    found = _products(op, x, weight=weight, bias=bias)
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1] * 4)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "xy"]
    stored = [(weight, "w"), (bias, "b")]
    tensors = [numpy_helper.from_array(v.astype(np.float32), n) for v, n in stored]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x.astype(np.float32)})
    bound = error_bound(found.exact, found.magnitude, found.count)
    assert (np.abs(y - found.exact) <= bound).all()
    assert bound.max() < 2e-3


def test_no_bound_is_claimed_beyond_the_slack() -> None:
    assert np.isfinite(_bound(1.0, LARGEST_COUNT - 1))
    assert np.isinf(_bound(1.0, LARGEST_COUNT))


def test_the_formula() -> None:
    n = 5
    g = (n + 1) * U / (1 - (n + 1) * U)
    wanted = g * 3.0 * (1 + 2.0**-28) + (n + 1) * 2.0**-149
    assert _bound(3.0, n) == wanted
