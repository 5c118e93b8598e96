"""Numbers, sizes and shapes, held against Python and PyTorch."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.dims import Dim, evaluate, symbol
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.script import numbers, plain
from upconv.converters.readers.torch.script.output_shapes import OUTPUT_SHAPES, Arguments
from upconv.converters.readers.torch.script.values import Number, Unsure

H, W = symbol("H"), symbol("W")
SIZES = {"H": 37, "W": 12}
OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "remainder": operator.mod,
}
steps = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATORS)), st.sampled_from([H, W, 1, 2, 3, 7])), max_size=6
)


@given(steps)
def test_arithmetic_on_open_sizes_is_that_on_numbers(chain: list[tuple[str, Any]]) -> None:
    size: Any = H
    number = SIZES["H"]
    for name, right in chain:
        try:
            size = plain.call(name, [size, right], {})
        except UnsupportedError:
            return
        number = OPERATORS[name](number, evaluate(right, SIZES))
        assert evaluate(size, SIZES) == number


@given(steps, st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), st.integers(-5, 60))
def test_a_comparison_that_is_decided_holds_for_all_sizes(
    chain: list[tuple[str, Any]], name: str, bound: int
) -> None:
    size: Any = H
    for step, right in chain:
        try:
            size = plain.call(step, [size, right], {})
        except UnsupportedError:
            return
    found = numbers.compare(name)(size, bound)
    if isinstance(found, Unsure):
        assert isinstance(size, Dim)
        return
    rows, columns = np.meshgrid(np.arange(1, 20), np.arange(1, 20))
    held = getattr(operator, name)(evaluate(size, {"H": rows, "W": columns}), bound)
    assert np.all(held == found)


@given(st.integers(1, 5000), st.floats(0.125, 8, width=32))
def test_sizes_of_traces_are_rounded_as_torch_rounds(size: int, factor: float) -> None:
    wanted = int(torch.floor(torch.tensor(float(size)) * torch.tensor(factor)))
    pair = [plain.call("to", [Number(one), 6], {}) for one in (size, factor)]
    product = plain.call("mul", pair, {})
    assert numbers.truncated(plain.call("floor", [product], {}).value) == wanted


def test_a_ratio_is_whole_again() -> None:
    half = plain.call("div", [H, 2], {})
    assert isinstance(half, Ratio)
    assert numbers.truncated(plain.call("mul", [half, 4], {})) == 2 * H
    assert plain.call("floor", [plain.call("mul", [H, 1.5], {})], {}) == (3 * H) // 2


@given(st.integers(-99, 99), st.integers(1, 9), st.sampled_from(["floor", "trunc"]))
def test_division_rounds_as_torch_rounds(left: int, right: int, mode: str) -> None:
    wanted = int(torch.div(torch.tensor(left), right, rounding_mode=mode))
    found = plain.call("div", [Number(left), right], {"rounding_mode": mode})
    assert found.value == wanted


PAIR = (st.booleans() | st.integers(-9, 99),) * 2


@given(st.sampled_from(["and", "or"]), *PAIR)
def test_bits_are_those_of_python(name: str, left: int, right: int) -> None:
    found = plain.call(f"__{name}__", [left, right], {})
    wanted = {"and": operator.and_, "or": operator.or_}[name](left, right)
    if isinstance(left, bool) == isinstance(right, bool):  # TorchScript mixes them nowhere
        assert (type(found), found) == (type(wanted), wanted)


def test_bits_of_open_sizes_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="bits"):
        plain.call("__and__", [H, 6], {})


def test_open_sizes_that_may_be_negative_are_not_rounded_towards_zero() -> None:
    assert numbers.truncated(plain.call("div", [H + W, 2], {})) == (H + W) // 2
    with pytest.raises(UnsupportedError, match=r"may be negative"):
        numbers.truncated(plain.call("div", [H - W, 2], {}))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("mul", [1 << 40, 1 << 40]), ("pow", [3, 1 << 40]), ("no_such", [1]), ("add", [1, None])],
)
def test_what_is_no_number_is_refused(name: str, arguments: list[Any]) -> None:
    with pytest.raises(UnsupportedError):
        plain.call(name, arguments, {})


X = torch.zeros(2, 6, 5, 4)
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "view": ("view.default", {"size": [2, -1, 10]}, lambda x: x.view(2, -1, 10)),
    "reshape": ("reshape.default", {"shape": [-1, 4]}, lambda x: x.reshape(-1, 4)),
    "flatten": ("flatten.using_ints", {"start_dim": 1, "end_dim": -2}, lambda x: x.flatten(1, -2)),
    "unflatten": ("unflatten.int", {"dim": 1, "sizes": [2, -1]}, lambda x: x.unflatten(1, (2, -1))),
    "slice": ("slice.Tensor", {"dim": 2, "start": 1, "end": -1}, lambda x: x[:, :, 1:-1]),
    "steps": ("slice.Tensor", {"dim": 2, "start": -4, "step": 3}, lambda x: x[:, :, -4::3]),
    "nothing": ("slice.Tensor", {"dim": 2, "start": 4, "end": 2}, lambda x: x[:, :, 4:2]),
    "beyond": ("slice.Tensor", {"dim": 3, "start": 2, "end": 99}, lambda x: x[..., 2:99]),
    "select": ("select.int", {"dim": -2, "index": 1}, lambda x: x.select(-2, 1)),
    "narrow": ("narrow.default", {"dim": 1, "start": 1, "length": 3}, lambda x: x.narrow(1, 1, 3)),
    "chunk": ("chunk.default", {"chunks": 4, "dim": 1}, lambda x: x.chunk(4, 1)),
    "split": ("split.Tensor", {"split_size": 2, "dim": 2}, lambda x: x.split(2, 2)),
    "sizes": (
        "split_with_sizes.default",
        {"split_sizes": [1, 5], "dim": 1},
        lambda x: x.split([1, 5], 1),
    ),
    "unbind": ("unbind.int", {"dim": 3}, lambda x: x.unbind(3)),
    "expand": ("expand.default", {"size": [3, -1, 6, 5, 4]}, lambda x: x.expand(3, -1, 6, 5, 4)),
    "squeeze": ("squeeze.dim", {"dim": 1}, lambda x: x.squeeze(1)),
    "unsqueeze": ("unsqueeze.default", {"dim": -2}, lambda x: x.unsqueeze(-2)),
    "transpose": ("transpose.int", {"dim0": 1, "dim1": -1}, lambda x: x.transpose(1, -1)),
    "permute": ("permute.default", {"dims": [0, 2, 3, 1]}, lambda x: x.permute(0, 2, 3, 1)),
    "ones": ("new_ones.default", {"size": [3, 2]}, lambda x: x.new_ones(3, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_shapes_of_views_are_those_of_torch(name: str) -> None:
    target, arguments, function = CASES[name]
    call = Arguments({"self": TensorRef("x"), **arguments}, lambda reference: tuple(X.shape))
    wanted = function(X)
    many = wanted if isinstance(wanted, tuple) else (wanted,)
    assert OUTPUT_SHAPES[f"aten.{target}"](call) == [tuple(one.shape) for one in many]


@pytest.mark.parametrize(
    ("start", "end", "step"), [(0, 10, 3), (2, 11, 3), (9, 0, -2), (0, 0, 1), (0, 7, 7)]
)
def test_counting(start: int, end: int, step: int) -> None:
    call = Arguments({"start": start, "end": end, "step": step}, lambda reference: ())
    wanted = tuple(torch.arange(start, end, step).shape)
    assert OUTPUT_SHAPES["aten.arange.start_step"](call) == [wanted]
