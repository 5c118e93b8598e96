"""Which input sizes a net accepts, against building it at each size."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.linter.test_merges import deconv, layer, pool
from upconv.converters.audit.sizes import AxisRule, axis_rule, conditions, period
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.open_sizes import with_free_sizes
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import CheckOptions, check_source

HALF = "kernel_size: 2 stride: 2"
UP2 = "kernel_size: 4 stride: 2 pad: 1"


def u_net(depth: int, pooling: str = HALF) -> str:
    names = ["data", *(f"p{level}" for level in range(depth))]
    net = 'input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }\n'
    for before, after in pairwise(names):
        net += pool(after, before, pooling)
    current = names[-1]
    for level in reversed(range(depth)):
        net += deconv(f"up{level}", current, UP2)
        net += layer(f"fuse{level}", "Eltwise", f"up{level} {names[level]}")
        current = f"fuse{level}"
    return net


def rule_of(text: str, axis: str = "H") -> AxisRule | None:
    free = with_free_sizes(read_caffe_source(Source("a", text), ReadOptions()))
    assert free is not None
    return axis_rule(conditions(free), axis)


@pytest.mark.parametrize(("depth", "text"), [(1, "H % 2 == 0"), (3, "H % 8 == 0")])
def test_u_nets_want_multiples(depth: int, text: str) -> None:
    assert str(rule_of(u_net(depth))) == text


@pytest.mark.parametrize(
    "text",
    [
        u_net(2),
        u_net(2, "kernel_size: 3 stride: 2"),
        u_net(3, "kernel_size: 2 stride: 2 round_mode: FLOOR"),
        u_net(1, "kernel_size: 3 stride: 3").replace(UP2, "kernel_size: 3 stride: 3"),
    ],
)
def test_the_rule_is_what_each_size_says(text: str) -> None:
    rule = rule_of(text)
    for size in range(40, 72):
        options = CheckOptions(ReadOptions(inputs={"data": (1, 3, size, 64 * 9)}))
        report = check_source(Source("a", text), options)
        fits = not any("height" in f.message for f in report.findings if f.code == "UP103")
        assert fits == (rule is None or rule.accepts(size)), size


def test_crops_make_any_size_fit() -> None:
    net = 'input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }\n' + pool("p", "data", HALF)
    net += deconv("up", "p", UP2) + layer("crop", "Crop", "up data")
    assert rule_of(net + layer("fuse", "Eltwise", "crop data")) is None


def test_periods_multiply_where_divisions_nest() -> None:
    height = symbol("H")
    assert period(height // 2 + height // 3) == 6
    assert period((height // 2 + height) // 4) == 8
    assert period(5) == 1
