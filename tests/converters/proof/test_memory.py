"""A verification that cannot fit is refused before it is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.proof import memory

MODEL = Model(
    "net",
    "net.prototxt",
    "caffe",
    (ModelInput("data", (1, 3, 10, 10)),),
    ("y",),
    (Layer("up", ops.Resize("nearest", "asymmetric", factor=(2, 2)), ("data",), ("y",)),),
)


def test_the_estimate_counts_every_value_and_the_largest() -> None:
    values = 300 + 1200
    wanted = memory.BYTES_PER_VALUE * values + memory.BYTES_PER_LARGEST * 1200
    assert memory.bytes_needed(MODEL, {"data": (1, 3, 10, 10)}) == wanted


def test_a_size_that_cannot_fit_is_refused_with_the_way_out() -> None:
    shapes = {"data": (1, 3, 100_000, 100_000)}
    with pytest.raises(UsageError, match="data=1x3x100000x100000 takes about") as caught:
        memory.require_memory(MODEL, shapes)
    assert "--input data=1x3x224x224" in caught.value.hint


def test_what_fits_or_is_not_known_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.require_memory(MODEL, {"data": (1, 3, 10, 10)})
    monkeypatch.setattr(memory, "bytes_there", lambda: None)
    memory.require_memory(replace(MODEL), {"data": (1, 3, 100_000, 100_000)})


def test_a_container_has_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limit = tmp_path_factory.mktemp("cgroup") / "memory.max"
    limit.write_text("1000\n")
    monkeypatch.setattr(memory, "CGROUP_LIMIT", limit)
    assert memory.bytes_there() == 1000
    limit.write_text("max\n")
    assert (memory.bytes_there() or 0) > 1000
