"""Work shared out among threads is the work done, errors and silence included."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.converters.reference.build import convolution, deconvolution, noise, run
from upconv.converters.ir import operators as ops
from upconv.converters.processors import processors
from upconv.converters.reference import threads
from upconv.converters.reference.threads import each, workers


@pytest.fixture(params=[1, 3, 100])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many processors."""
    monkeypatch.setattr(threads, "processors", lambda: request.param)
    return int(request.param)


def test_there_is_a_processor() -> None:
    assert processors() >= 1


def test_every_item_is_done_once(count: int) -> None:
    done: list[int] = []
    each(done.append, range(20))
    assert sorted(done) == list(range(20))
    each(done.append, [])
    assert 1 <= workers(20) <= min(count, threads.MOST_THREADS)
    assert workers(0) == 1


def test_an_error_of_one_item_is_everyones(count: int) -> None:
    done: list[int] = []
    with pytest.raises(ZeroDivisionError):
        each(lambda item: done.append(1 // item), [1, 0])
    assert done == [1]


def test_a_thread_is_as_silent_as_what_started_it(count: int) -> None:
    x = np.full((1, 2, 9, 5), np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = run(convolution(channels=1, kernel=(2, 2)), x, weight=np.zeros((1, 2, 2, 2)))
    assert np.isnan(y).all()


@pytest.mark.parametrize(
    ("operator", "shape", "weight"),
    [
        (convolution(channels=6, kernel=(3, 2), groups=2, pad=(2, 1)), (2, 4, 11, 5), (6, 2, 3, 2)),
        (deconvolution(channels=6, kernel=(3, 4), stride=(2, 3)), (2, 4, 5, 7), (4, 6, 3, 4)),
        (ops.Linear(7), (3, 4, 5), (7, 20)),
    ],
)
def test_the_values_are_those_of_one_thread(
    operator: ops.Operator,
    shape: tuple[int, ...],
    weight: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("upconv.converters.reference.conv_transpose.PART", 1)
    monkeypatch.setattr("upconv.converters.reference.convolution.LARGEST_SCRATCH", 64)
    found = []
    for count in (1, 4):
        monkeypatch.setattr(threads, "processors", lambda count=count: count)
        found.append(run(operator, noise(*shape), weight=noise(*weight, seed=1)))
    np.testing.assert_array_equal(*found)


def test_a_convolution_widens_float32_itself() -> None:
    x, weight = noise(2, 4, 9, 7).astype(np.float32), noise(3, 4, 3, 3, seed=1)
    operator = convolution(channels=3, kernel=(3, 3), pad=(1, 1))
    narrow = run(operator, x, weight=weight)
    assert narrow.dtype == np.float64
    np.testing.assert_array_equal(narrow, run(operator, x.astype(np.float64), weight=weight))
