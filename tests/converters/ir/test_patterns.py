"""A pattern that is compiled when it is asked says what `re` says."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from upconv.converters.ir.patterns import pattern


def test_says_what_re_says() -> None:
    made, model = pattern(r"(a+)|B", re.IGNORECASE), re.compile(r"(a+)|B", re.IGNORECASE)
    for text in ("", "xaAb", "AA"):
        assert made.findall(text) == model.findall(text)
        assert made.sub("-", text) == model.sub("-", text)
        assert bool(made.fullmatch(text)) is bool(model.fullmatch(text))
    assert (made.pattern, made.flags, made.groups) == (model.pattern, model.flags, model.groups)
    assert pattern(rb"\d").findall(b"a1b2") == [b"1", b"2"]


def test_is_compiled_when_it_is_asked() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.match("x")


def test_is_copied_and_sent_to_other_processes() -> None:
    made = pattern("a+")
    for one in (made, copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert one.fullmatch("aa")
