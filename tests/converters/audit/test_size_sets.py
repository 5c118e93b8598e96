"""Sets of sizes against plain Python sets of their first members."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet

PATTERNS = st.tuples(
    st.lists(st.booleans(), max_size=12), st.lists(st.booleans(), min_size=1, max_size=12)
)
SHOWN = 160


def _members(head: list[bool], cycle: list[bool]) -> set[int]:
    bits = (head + cycle * SHOWN)[:SHOWN]
    return {n for n, bit in enumerate(bits, 1) if bit}


def _shown(found: SizeSet) -> set[int]:
    return {n for n in range(1, SHOWN + 1) if n in found}


@given(PATTERNS)
def test_the_four_numbers_say_the_set(pattern: tuple[list[bool], list[bool]]) -> None:
    found, wanted = SizeSet.of_pattern(*pattern), _members(*pattern)
    said = {
        n
        for n in range(1, SHOWN + 1)
        if n in found.exceptions or (n >= found.start and n % found.modulus in found.rests)
    }
    assert said == _shown(found) == wanted
    assert set(islice(found.members(), len(wanted))) == wanted
    assert not found.rests or found.start in found
    assert all(n < found.start for n in found.exceptions)


@given(PATTERNS)
def test_the_rule_is_python(pattern: tuple[list[bool], list[bool]]) -> None:
    found, wanted = SizeSet.of_pattern(*pattern), _members(*pattern)
    rule = found.rule("H")
    if rule == "no H":
        assert not wanted
    elif "values" not in rule:
        assert {n for n in range(1, SHOWN + 1) if eval(rule, {"H": n})} == wanted


@given(PATTERNS, st.integers(0, 30), st.integers(1, 3))
def test_equal_sets_compare_equal(
    pattern: tuple[list[bool], list[bool]], more: int, times: int
) -> None:
    head, cycle = pattern
    unrolled = (head + cycle * SHOWN)[: len(head) + more]
    turned = (head + cycle * SHOWN)[len(unrolled) :][: len(cycle) * times]
    assert SizeSet.of_pattern(unrolled, turned) == SizeSet.of_pattern(head, cycle)


@given(PATTERNS, PATTERNS)
def test_set_algebra(
    one: tuple[list[bool], list[bool]], other: tuple[list[bool], list[bool]]
) -> None:
    left, right = SizeSet.of_pattern(*one), SizeSet.of_pattern(*other)
    assert _shown(left & right) == _shown(left) & _shown(right)
    assert _shown(left | right) == _shown(left) | _shown(right)
    assert _shown(~left) == set(range(1, SHOWN + 1)) - _shown(left)
    assert left & ~left == NONE
    assert left | ~left == EVERY


@given(PATTERNS, st.integers(1, 60))
def test_neighbours(pattern: tuple[list[bool], list[bool]], size: int) -> None:
    found, wanted = SizeSet.of_pattern(*pattern), _members(*pattern)
    assert found.above(size) == min((n for n in wanted if n >= size), default=None)
    assert found.below(size) == max((n for n in wanted if n <= size), default=None)


@given(PATTERNS, st.integers(-20, 20))
def test_shifting(pattern: tuple[list[bool], list[bool]], by: int) -> None:
    found = SizeSet.of_pattern(*pattern).shifted(by)
    wanted = {n + by for n in _members(*pattern) if n + by >= 1}
    assert {n for n in range(1, SHOWN - 20) if n in found} == {n for n in wanted if n < SHOWN - 20}


@pytest.mark.parametrize(
    ("head", "cycle", "rule"),
    [
        ("", "1", "H >= 1"),
        ("", "0", "no H"),
        ("00", "1", "H >= 3"),
        ("", "01", "H % 2 == 0"),
        ("", "1110", "H % 4 != 0"),
        ("0000", "1000", "H >= 5 and H % 4 == 1"),
        ("110", "1", "H != 3"),
        ("111000", "1", "H <= 3 or H >= 7"),
        ("0001", "0", "H == 4"),
        ("00111", "0", "3 <= H <= 5"),
        ("01010", "0", "H in {2, 4}"),
        ("0101" + "0" * 86, "0000010000000001", "H in {2, 4} or H >= 96 and H % 16 in {0, 10}"),
        ("", "0" * 8 + "1" * 24, "not 1 <= H % 32 <= 8"),
    ],
)
def test_rules_as_people_write_them(head: str, cycle: str, rule: str) -> None:
    found = SizeSet.of_pattern((bit == "1" for bit in head), (bit == "1" for bit in cycle))
    assert found.rule("H") == rule
