"""Warnings kept back, by one thread at a time."""

from __future__ import annotations

import ast
import threading
import warnings

import pytest

from upconv.converters.ir.quiet import quietly

ODD = 'name = "\\d"'


def test_odd_escapes_are_no_warning() -> None:
    with pytest.warns(Warning, match="invalid escape"):
        ast.parse(ODD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quietly(), quietly():
            ast.parse(ODD)
        with pytest.raises(SyntaxError, match="invalid escape"):
            ast.parse(ODD)


def test_threads_wait_for_each_other_and_leave_the_filters_as_they_were() -> None:
    """Without the wait the first would restore the filters, and the second bring its own back."""
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def second() -> None:
        with quietly():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=second)
    with quietly():
        thread.start()
        assert not inside.wait(0.1)
    assert inside.wait(10)
    leave.set()
    thread.join()
    assert list(warnings.filters) == before
