"""Sizes that are made of sizes: what a file could make grow without end is refused, at once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from upconv.converters.ir.dims import (
    MOST_PARTS,
    Size,
    TooLongError,
    evaluate,
    maximum,
    parts_of,
    symbol,
)
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import check_source

H = symbol("H")
GROWING: dict[str, Callable[[Size], Size]] = {
    "quotients": lambda size: (size + (size + 1) // 3) // 2,
    "maxima": lambda size: maximum(size // 2, (size + 1) // 3) + H,
    "products": lambda size: (size + 1) * (size + 2),
    "divisors": lambda size: (size * 7 + 1) // (size + 3),
}


def _grown(step: Callable[[Size], Size]) -> None:
    size: Size = H
    for _ in range(200):
        size = step(size)
        assert parts_of(size) <= 4 * MOST_PARTS
        assert isinstance(hash(size), int)
        assert str(size)
        evaluate(size, {"H": 5})


@pytest.mark.parametrize("name", GROWING)
def test_an_expression_that_doubles_is_refused(name: str) -> None:
    began = time.process_time()
    with pytest.raises(TooLongError):
        _grown(GROWING[name])
    assert time.process_time() - began < 5


def test_sums_of_any_number_of_names_are_refused() -> None:
    names = (symbol(f"s{number}") for number in range(MOST_PARTS + 2))
    with pytest.raises(TooLongError):
        sum(names)


def _net(shape: str, layers: str) -> Source:
    head = f"layer {{ name: 'd' type: 'Input' top: 'd' input_param {{ shape {{ {shape} }} }} }}\n"
    return Source("net.prototxt", head + layers)


def test_sizes_whose_digits_grow_are_one_finding() -> None:
    """Each layer multiplies a size by 2^31: after a hundred it could not be written down."""
    up = "convolution_param { num_output: 3 kernel_size: 2147483647 stride: 2147483647 }"
    layers = "".join(
        f"layer {{ name: 'l{i}' type: 'Deconvolution' bottom: '{f'l{i - 1}' if i else 'd'}' "
        f"top: 'l{i}' {up} }}\n"
        for i in range(500)
    )
    report = check_source(_net("dim: 1 dim: 3 dim: 32 dim: 32", layers))
    assert not report.crashed
    assert [f.layer for f in report.findings if f.severity == "error"] == ["l1"]
