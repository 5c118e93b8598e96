"""Limits: float32 never breaks them, and a wrong result does."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import one_layer, values
from tests.converters.operator_cases import MAKERS, RECORDS, weights_for
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.tensors import Weight, weight_of
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.certificates import allowance
from upconv.converters.proof.report import worst_element
from upconv.converters.proof.runtime import read_onnx, run, session
from upconv.converters.proof.verify import verify
from upconv.converters.reference import run_layer

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def noise(*shape: int, seed: int = 0) -> Array:
    """Values that float32 holds exactly."""
    values = np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)
    return values.astype(np.float64)


def bound_of(operator: ops.Operator, x: Array, weights: dict[str, Weight] | None = None) -> Array:
    layer = Layer("x", operator, ("x",), ("y",), weights or {})
    return allowance(layer, [x], run_layer(layer, [x])[0], "").bound


@pytest.mark.parametrize("kind", ["sum", "abs_sum", "square_sum", "mean"])
def test_a_reduction_has_the_theorems_bound(kind: str) -> None:
    """Any order of float32 additions stays inside; a thousandth of one term does not."""
    x = noise(3, 2000)
    operator = ops.Reduce(kind, 1, 2.5)  # type: ignore[arg-type]
    exact = run_layer(Layer("x", operator, ("x",), ("y",)), [x])[0]
    bound = bound_of(operator, x)
    narrow = x.astype(np.float32)
    terms = {"square_sum": narrow * narrow, "abs_sum": np.abs(narrow)}.get(kind, narrow)
    gain = np.float32(2.5) / (np.float32(2000) if kind == "mean" else np.float32(1))
    for order in (slice(None), slice(None, None, -1)):
        total = np.cumsum(terms[:, order], axis=1, dtype=np.float32)[:, -1] * gain
        assert np.all(np.abs(total - exact) <= bound)
    share = {"mean": 1 / 2000}.get(kind, 1.0) * 2.5
    assert np.all(bound < share * np.abs(terms).sum(axis=1) * 2e-4)


NORMS: tuple[tuple[ops.Operator, int], ...] = (
    (ops.MeanVarianceNorm(True, False, 1e-9), 3),
    (ops.MeanVarianceNorm(False, True, 1e-9), 1),
    (ops.GroupNorm(2, 1e-5), 4),
    (ops.LayerNorm(1, 1e-5), 2),
)


@pytest.mark.parametrize(("operator", "seed"), NORMS)
def test_a_normalisation_of_far_offsets_is_right_in_float32(
    operator: ops.Operator, seed: int, tmp_path: Path
) -> None:
    """One channel is a small ripple on a large offset, where float32 loses most of its digits."""
    scale = np.array([1.0, 1e-3, 30.0, 1.0], np.float32)
    shift = np.array([0.0, 40.0, -500.0, 1.0], np.float32)
    affine = {"scale": weight_of(scale), "bias": weight_of(shift)}
    layers = (
        Layer("far", ops.Scale(1), ("data",), ("far",), affine),
        Layer("norm", operator, ("far",), ("norm",)),
    )
    inputs = (ModelInput("data", (2, 4, 9, 7)),)
    model = Model("net", "", "caffe", inputs, ("norm",), layers)
    write_onnx(model, tmp_path / "net.onnx")
    result = {one.layer: one for one in verify(model, str(tmp_path / "net.onnx"), seed).layers}
    assert result["norm"].verdict == "pass"


def test_a_quiet_channel_does_not_borrow_a_loud_ones_tolerance() -> None:
    x = noise(1, 2, 8, 8)
    x[0, 1] = x[0, 1] * 1e-3 + 100
    bound = bound_of(ops.MeanVarianceNorm(True, False, 1e-9), x)
    assert float(bound[0, 0].max()) < 2e-4
    assert float(bound[0, 1].min()) > 1.0


def test_a_sum_too_long_for_a_bound_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.converters.reference.bounds.LARGEST_COUNT", 10)
    layer = Layer("gap", ops.GlobalPool("average"), ("data",), ("gap",))
    inputs = (ModelInput("data", (1, 2, 9, 7)),)
    model = Model("net", "", "caffe", inputs, ("gap",), (layer,))
    write_onnx(model, tmp_path / "net.onnx")
    result = verify(model, str(tmp_path / "net.onnx"))
    assert result.verdict == "incomplete"
    assert result.layers[0].reason == "no finite bound is known for its values"


def test_a_missing_inner_output_is_not_taken_for_the_next(tmp_path: Path) -> None:
    """A Slice into three whose middle part has another name in the file."""
    import onnx

    parts = Layer("parts", ops.Slice(1), ("data",), ("a", "b", "c"))
    inputs = (ModelInput("data", (1, 3, 4, 5)),)
    model = Model("net", "", "caffe", inputs, ("a", "c"), (parts,))
    path = tmp_path / "net.onnx"
    write_onnx(model, path)
    file = onnx.load(path)
    file.graph.node[0].output[1] = "other"
    onnx.save(file, path)
    assert verify(model, str(path)).verdict == "pass"
    assert verify(replace(model, outputs=("a", "b", "c")), str(path)).verdict == "incomplete"


@given(st.floats(3.5e38, 1e200), st.booleans())
def test_overflow_is_infinity(size: float, negative: bool) -> None:
    want = np.array([-size if negative else size])
    assert worst_element(want, np.sign(want) * np.inf, np.zeros(1))[2] == 0.0
    assert worst_element(want, -np.sign(want) * np.inf, np.zeros(1))[2] is None


def spike(channels: int) -> Array:
    """Small values and one that is large in the first channel of each pixel of a row."""
    x = noise(1, channels, 3, 4) * 1e-2
    x[0, 0, 1] = 300.0
    return x


def test_a_sum_that_slides_over_a_large_value_is_allowed_what_it_costs(tmp_path: Path) -> None:
    """onnxruntime adds the next channel's square and takes the last away, in float32."""
    operator = ops.Lrn(3, 1.0, 0.75, 1e-2, "across")
    layer = Layer("lrn", operator, ("data",), ("lrn",))
    inputs = (ModelInput("data", (1, 16, 3, 4)),)
    write_onnx(Model("net", "", "caffe", inputs, ("lrn",), (layer,)), tmp_path / "net.onnx")
    file = read_onnx(str(tmp_path / "net.onnx"))
    x = spike(16)
    got = run(session(file.path, False), {"data": x.astype(np.float32)}, ["lrn"])["lrn"]
    exact = run_layer(layer, [x.astype(np.float32)])[0]
    error, bound = np.abs(got - exact), allowance(layer, [x], exact, "").bound
    assert np.all(error <= bound)
    plain = 64 * 2.0**-24 * (np.abs(exact) + 1e-3 * np.abs(exact).max())
    assert np.any(error > plain)
    assert np.all(bound[:, :, (0, 2)] < 20 * plain[:, :, (0, 2)])


@pytest.mark.parametrize("power", [0.25, 0.5, 0.9])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (3.0, -0.3), (0.7, 1e-9)])
def test_a_root_has_a_finite_bound_where_it_is_steep(
    power: float, scale: float, shift: float
) -> None:
    """A root's slope has no end at 0, which what cancels comes near; its change has."""
    x = np.array([0.0, 1e-30, 1e-12, 0.1, 0.1 + 2.0**-26, 0.5, 9.0], np.float32)
    operator = ops.Power(power, scale, shift)
    inner = np.float32(scale) * x + np.float32(shift)
    wide: Array = x.astype(np.float64)
    exact = run_layer(Layer("x", operator, ("x",), ("y",)), [wide])[0]
    inside = (inner >= 0) & np.isfinite(exact)
    error = np.abs(np.power(np.abs(inner), np.float32(power)) - exact)[inside]
    bound = bound_of(operator, wide)[inside]
    assert np.all(error <= bound)
    assert np.all(bound <= 2 * (64 * 2.0**-24 * (abs(shift) + scale * 9.0)) ** power)


def test_values_without_a_number_give_no_warnings() -> None:
    """Roots and logarithms of negative numbers are NaN, in a certificate too."""
    x = noise(1, 2, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for operator in (ops.Power(0.5), ops.Power(-0.5, 0.0), ops.Log(), ops.Log(10.0, -2.0)):
            assert bound_of(operator, x).shape == x.shape


def with_whole_numbers(model: Model) -> Model:
    """The model whose inputs hold whole numbers where its layer takes them for indices."""
    place = ops.index_place(model.layers[0].operator)
    entries = enumerate(model.inputs)
    return replace(model, inputs=tuple(replace(e, integer=i == place) for i, e in entries))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=8)
@given(data=st.data())
def test_what_is_written_is_certified(record: type, data: st.DataObject) -> None:
    operator, inputs, outputs = MAKERS[record](data.draw)
    shapes = weights_for(operator, inputs[0] if inputs else ())
    arrays = {name: abs(values(*one.shape)) + np.float32(0.1) for name, one in shapes.items()}
    model = with_whole_numbers(one_layer(operator, *inputs, outputs=outputs, **arrays))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        try:
            write_onnx(model, path)
        except UnsupportedError:
            return
        assert verify(model, str(path)).verdict == "pass"


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("spread", [1, 30, 90])
def test_a_softmax_of_large_values_is_right_in_float32(log: bool, spread: int) -> None:
    """One pass, terms added one after the other; a hundredth of the result is not inside."""
    x = noise(2, 3000, seed=spread) * spread
    operator = ops.Softmax(1, log)
    exact = run_layer(Layer("x", operator, ("x",), ("y",)), [x])[0]
    narrow = x.astype(np.float32)
    apart = narrow - narrow.max(axis=1, keepdims=True)
    total = np.cumsum(np.exp(apart), axis=1, dtype=np.float32)[:, -1:]
    got = apart - np.log(total) if log else np.exp(apart) / total
    bound = bound_of(operator, x)
    assert np.all(np.abs(got - exact) <= bound)
    peak = exact.argmax(axis=1)
    rows = np.arange(2)
    assert np.all(bound[rows, peak] < 0.01 * np.abs(exact[rows, peak]) + (0.01 if log else 0))


@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("terms", [500, 200_000])
def test_a_normalisation_of_many_terms_is_right_in_float32(terms: int, offset: float) -> None:
    """Sums over a volume, one term after the other: what a tolerance that does not count the
    terms calls wrong."""
    x = noise(1, 2, terms, seed=4) ** 3 + offset
    operator = ops.GroupNorm(2, 1e-5)
    ones = np.ones(2, np.float32)
    weights = {"scale": weight_of(ones), "bias": weight_of(0 * ones)}
    exact = run_layer(Layer("x", operator, ("x",), ("y",), weights), [x])[0]
    narrow = x.astype(np.float32)
    count = np.float32(terms)
    mean = np.cumsum(narrow, axis=2, dtype=np.float32)[..., -1:] / count
    apart = narrow - mean
    variance = np.cumsum(apart * apart, axis=2, dtype=np.float32)[..., -1:] / count
    got = apart / np.sqrt(variance + np.float32(1e-5))
    bound = bound_of(operator, x, weights)
    assert np.all(np.abs(got - exact) <= bound)
    assert np.all(bound < 0.05 * (np.abs(exact).max() + 1))
