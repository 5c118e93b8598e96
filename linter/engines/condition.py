"""The small language of conditions: tables of facts and what they must be, and nothing that runs.

    { auto_pad = ["SAME_UPPER", "SAME_LOWER"], kernel = { below = "stride" } }

Every fact named must hold. A word or number must equal the fact, a list holds it; a table compares
(`not`, `above`, `at_least`, `below`, `at_most`) with a value or with another fact of the node. A
fact of one number an axis holds where it does along any axis. A list of tables holds where one of
them does. A fact that a node does not have, or that is not known of it, fits nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Fact: TypeAlias = "str | int | float | bool | tuple[int, ...]"
Facts: TypeAlias = Mapping[str, Fact]

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "above": operator.gt,
    "at_least": operator.ge,
    "below": operator.lt,
    "at_most": operator.le,
}


def holds(condition: Any, facts: Facts) -> bool:
    """Whether a condition holds of a node.

    >>> holds({"stride": {"above": "kernel"}}, {"kernel": (3, 2), "stride": (2, 3)})
    True
    >>> holds([{"mode": "cubic"}, {"mode": {"not": ["linear", "nearest"]}}], {"mode": "linear"})
    False
    """
    if isinstance(condition, list):
        return any(holds(one, facts) for one in condition)
    return all(
        name in facts and _fits(test, facts[name], facts) for name, test in condition.items()
    )


def _fits(test: Any, fact: Fact, facts: Facts) -> bool:
    if not isinstance(test, dict):
        return _is_one_of(fact, test)
    return all(_compares(word, value, fact, facts) for word, value in test.items())


def _compares(word: str, value: Any, fact: Fact, facts: Facts) -> bool:
    other = facts.get(value) if isinstance(value, str) else value
    if word == "not":
        return not _is_one_of(fact, value)
    if other is None:
        return False
    return any(COMPARISONS[word](a, b) for a, b in _pairs(fact, other))


def _is_one_of(fact: Fact, value: Any) -> bool:
    wanted = value if isinstance(value, list) else [value]
    return any(one in wanted for one in _axes(fact))


def _pairs(fact: Fact, other: Any) -> list[tuple[Any, Any]]:
    ours, theirs = _axes(fact), _axes(other)
    length = max(len(ours), len(theirs))
    ours, theirs = (one * length if len(one) == 1 else one for one in (ours, theirs))
    return list(zip(ours, theirs, strict=False))


def _axes(fact: Any) -> tuple[Any, ...]:
    return fact if isinstance(fact, tuple) else (fact,)


def problem(condition: Any, known: Mapping[str, type]) -> str:
    """What is wrong with a condition as a profile writes it; "" where nothing is."""
    tables = condition if isinstance(condition, list) else [condition]
    for table in tables:
        if not isinstance(table, dict):
            return "a condition is a table, or a list of tables"
        for name, test in table.items():
            if name not in known:
                return f"there is no fact '{name}'; there are {', '.join(known)}"
            if wrong := _test_problem(test, known):
                return f"{name}: {wrong}"
    return ""


def _test_problem(test: Any, known: Mapping[str, type]) -> str:
    if not isinstance(test, dict):
        return ""
    for word, value in test.items():
        if word not in (*COMPARISONS, "not"):
            return f"'{word}' is none of not, {', '.join(COMPARISONS)}"
        if word != "not" and isinstance(value, str) and value not in known:
            return f"there is no fact '{value}' to compare with"
    return ""


def words(condition: Any) -> str:
    """A condition as people read it.

    >>> words({"kernel": {"below": "stride"}, "auto_pad": ["SAME_UPPER", "SAME_LOWER"]})
    'kernel below stride, auto_pad SAME_UPPER or SAME_LOWER'
    """
    if isinstance(condition, list):
        return "; or ".join(words(one) for one in condition)
    return ", ".join(f"{name} {_test_words(test)}" for name, test in condition.items()) or "always"


def _test_words(test: Any) -> str:
    if isinstance(test, dict):
        return " and ".join(
            f"{word.replace('_', ' ')} {_test_words(v)}" for word, v in test.items()
        )
    if isinstance(test, list):
        return " or ".join(_test_words(one) for one in test)
    return str(test).lower() if isinstance(test, bool) else str(test)
