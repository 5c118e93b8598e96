"""Receptive fields against moving one pixel of the input and looking what moves."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.converters.audit.reach import Reach, receptive_fields
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.places import Coordinates
from upconv.converters.ir.tensors import weight_of
from upconv.converters.reference import run_layer

SIZE = 60


def _ones(*shape: int) -> Mapping[str, Any]:
    return {"weight": weight_of(np.ones(shape, np.float32))}


def _conv(kernel: int, stride: int, dilation: int, pad: int) -> ops.Operator:
    return ops.Conv(1, (kernel,), (stride,), (dilation,), (pad,), (pad,))


def _up(kernel: int, stride: int, pad: int) -> ops.Operator:
    return ops.ConvTranspose(1, (kernel,), (stride,), (1,), (pad,), (0,), (0,))


def _pool(kernel: int, stride: int, pad: int) -> ops.Operator:
    args = ((kernel,), (stride,), (1,), (pad,), (pad,), "floor", "never", True)
    return ops.Pool("average", *args)  # type: ignore[arg-type]


NEAREST: list[Any] = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]
OPERATORS: st.SearchStrategy[ops.Operator] = st.one_of(
    st.builds(_conv, st.integers(1, 5), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2)),
    st.builds(_pool, st.integers(2, 3), st.integers(1, 3), st.integers(0, 1)),
    st.builds(
        lambda s, more, pad: _up(s + more, s, pad),
        st.integers(1, 4),
        st.integers(0, 3),
        st.integers(0, 1),
    ),
    st.builds(
        lambda mode, where, factor, nearest: ops.Resize(
            mode, where, factor=(factor,), nearest_mode=nearest
        ),
        st.sampled_from(["nearest", "linear", "cubic"]),
        st.sampled_from(["half_pixel", "asymmetric"]),
        st.integers(1, 3),
        st.sampled_from(NEAREST),
    ),
    st.builds(
        lambda begin, end: ops.Pad((0, 0, begin), (0, 0, end)),
        st.integers(-3, 3),
        st.integers(-3, 3),
    ),
    st.just(ops.Relu()),
    st.just(ops.SpaceToDepth(2)),
)


def _weights(op: ops.Operator, channels: int) -> Mapping[str, Any]:
    if isinstance(op, ops.Conv):
        return _ones(1, channels, *op.kernel)
    return _ones(channels, 1, *op.kernel) if isinstance(op, ops.ConvTranspose) else {}


def _chain(operators: list[ops.Operator]) -> Model:
    layers, channels = [], 1
    for index, op in enumerate(operators):
        names = (f"v{index}",), (f"v{index + 1}",)
        layers.append(Layer(f"l{index}", op, *names, _weights(op, channels)))
        channels = channels * 2 if isinstance(op, ops.SpaceToDepth) else channels
        if isinstance(op, ops.Conv | ops.ConvTranspose):
            channels = 1
    inputs = (ModelInput("v0", (1, 1, SIZE)),)
    return Model("chain", "", "", inputs, (f"v{len(operators)}",), tuple(layers))


def _run(model: Model, x: Any) -> dict[str, Any]:
    values = {"v0": x}
    for layer in model.layers:
        results = run_layer(layer, [values[name] for name in layer.inputs])
        values.update(zip(layer.outputs, results, strict=True))
    return values


def _touched(model: Model, value: str, pixel: int) -> set[int]:
    """The pixels of a value that change with one pixel of the input."""
    base = np.ones((1, 1, SIZE))
    moved = base.copy()
    moved[0, 0, pixel] += 1.0
    change = np.abs(_run(model, moved)[value] - _run(model, base)[value])
    return set(np.flatnonzero(change.reshape(-1, change.shape[-1]).max(0)).tolist())


@settings(max_examples=120)
@given(st.lists(OPERATORS, min_size=1, max_size=4))
def test_nothing_out_of_reach_is_touched_and_the_limits_are_reached(
    operators: list[ops.Operator],
) -> None:
    model = _chain(operators)
    inference = infer(model)
    value = model.outputs[0]
    shape = inference.shapes[value]
    if inference.errors or shape is None:
        return
    places = Coordinates(model, inference.shapes)
    (reach,) = receptive_fields(model, inference.shapes, places)[value] or (None,)
    assert reach is not None
    (one,) = places.places[value].maps
    seen: dict[int, set[int]] = {}
    for pixel in range(SIZE):
        for index in _touched(model, value, pixel):
            place = one.scale * index + one.shift
            on_edge = any(isinstance(op, ops.Resize) for op in operators) and pixel in (0, SIZE - 1)
            assert on_edge or place + reach.low <= pixel <= place + reach.high
            seen.setdefault(index, set()).add(pixel)
    inner = [pixels for pixels in seen.values() if min(pixels) > 6 and max(pixels) < SIZE - 7]
    if all(isinstance(op, ops.Conv | ops.Pool | ops.Relu) for op in operators) and inner:
        assert max(max(pixels) - min(pixels) + 1 for pixels in inner) <= reach.pixels


@pytest.mark.parametrize(
    ("operators", "reach", "pixels"),
    [
        ([_conv(3, 1, 1, 1), _conv(3, 1, 1, 1)], Reach(Fraction(-2), Fraction(2)), 5),
        ([_pool(2, 2, 0), _conv(3, 1, 1, 1)], Reach(Fraction(-5, 2), Fraction(5, 2)), 6),
        ([_conv(3, 2, 1, 1), _conv(3, 1, 2, 0)], Reach(Fraction(-5), Fraction(5)), 11),
        ([_up(4, 2, 1)], Reach(Fraction(-3, 4), Fraction(3, 4)), 2),
    ],
)
def test_known_receptive_fields(operators: list[ops.Operator], reach: Reach, pixels: int) -> None:
    model = _chain(operators)
    shapes = infer(model).shapes
    (found,) = receptive_fields(model, shapes, Coordinates(model, shapes))[model.outputs[0]] or ()
    assert (found, found.pixels) == (reach, pixels)


def test_branches_are_seen_together() -> None:
    layers = (
        Layer("wide", _conv(5, 1, 1, 2), ("x",), ("wide",)),
        Layer("right", ops.Pad((0, 0, -3), (0, 0, 3)), ("x",), ("right",)),
        Layer("sum", ops.Eltwise("sum"), ("wide", "right"), ("y",)),
    )
    model = Model("net", "", "", (ModelInput("x", (1, 1, SIZE)),), ("y",), layers)
    shapes = infer(model).shapes
    (found,) = receptive_fields(model, shapes, Coordinates(model, shapes))["y"] or ()
    assert found == Reach(Fraction(-2), Fraction(3))


@pytest.mark.parametrize(
    "op", [ops.GlobalPool("max"), ops.MeanVarianceNorm(True, False, 1e-5), ops.Softmax(2)]
)
def test_what_looks_at_everything_has_no_limit(op: ops.Operator) -> None:
    model = _chain([op])
    shapes = infer(model).shapes
    assert receptive_fields(model, shapes, Coordinates(model, shapes))[model.outputs[0]] is None
