"""A record is what `dataclass(frozen=True, slots=True)` makes, without generated code."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from upconv.converters.ir.records import quick_record, record


@record(frozen=True, slots=True)
class Made:
    """One field of each kind."""

    size: int
    name: str = "up"
    words: dict[str, int] = field(default_factory=dict)
    note: Any = field(default=None, repr=False, compare=False)

    @property
    def double(self) -> int:
        return 2 * self.size


@dataclass(frozen=True, slots=True)
class Model:
    """The same, by the standard library."""

    size: int
    name: str = "up"
    words: dict[str, int] = field(default_factory=dict)
    note: Any = field(default=None, repr=False, compare=False)


@record(frozen=True, slots=True)
class Empty:
    """No field at all."""


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "x"), {}),
    ((1, "x", {"a": 1}, 5), {}),
    ((), {"size": 1, "note": 2}),
    ((1,), {"words": {"a": 1}}),
]


@pytest.mark.parametrize(("args", "named"), ARGUMENTS)
def test_is_made_shown_and_taken_apart_like_a_dataclass(
    args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    made, model = Made(*args, **named), Model(*args, **named)
    assert asdict(made) == asdict(model)
    assert repr(made) == repr(model).replace("Model", "Made")
    assert asdict(replace(made, size=7)) == asdict(replace(model, size=7))
    assert [f.name for f in fields(made)] == [f.name for f in fields(model)]
    assert Made.__match_args__ == Model.__match_args__


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), ((1, "x", {}, 2, 3), {}), ((1,), {"size": 2}), ((1,), {"wrong": 2})],
)
def test_wrong_arguments_are_refused(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Made, Model):
        with pytest.raises(TypeError):
            kind(*args, **named)


def test_equality_and_hash_follow_the_compared_fields() -> None:
    assert Made(1, note=1) == Made(1, note=2) != Made(2)
    others: list[object] = [Model(1), 1]
    assert Made(1) not in others
    frozen = (Made(1, words=(1, 2)), Made(1, words=(1, 2), note=3))  # type: ignore[arg-type]
    assert len(set(frozen)) == 1
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())


def test_defaults_of_a_factory_are_not_shared() -> None:
    assert Made(1).words is not Made(1).words


def test_is_frozen_and_slotted() -> None:
    made = Made(1)
    with pytest.raises(FrozenInstanceError):
        made.size = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.size
    with pytest.raises(FrozenInstanceError):
        made.other = 2  # type: ignore[attr-defined]
    assert not hasattr(made, "__dict__")
    assert made.double == 2


def test_matches_copies_and_pickles() -> None:
    made = Made(1, "x", {"a": [1]}, 5)  # type: ignore[dict-item]
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (other, other.note) == (made, 5)
    match made:
        case Made(size, name="x"):
            assert size == 1
        case _:
            pytest.fail("no match")


def of_sizes(decorator: Callable[..., Any]) -> Any:
    """A class with what a quick record understands: defaults, and a field that it makes itself."""

    @decorator(frozen=True, slots=True)
    class Sizes:
        """Sizes."""

        first: int
        others: tuple[Any, ...] = ()
        total: int = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.first + len(self.others))

        def __hash__(self) -> int:
            return self.total

    return Sizes


@pytest.mark.parametrize(
    ("args", "named"), [((1,), {}), ((1, (2, 3)), {}), ((), {"others": (4,), "first": 2})]
)
def test_a_quick_record_is_a_dataclass(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    quick, plain = of_sizes(quick_record), of_sizes(dataclass)
    made, model = quick(*args, **named), plain(*args, **named)
    assert (asdict(made), hash(made), repr(made)) == (asdict(model), hash(model), repr(model))
    assert quick.__match_args__ == plain.__match_args__
    assert made == quick(*args, **named) != model
    assert replace(made, first=7).total == replace(model, first=7).total
    assert copy.deepcopy(made) == made
    with pytest.raises(FrozenInstanceError):
        made.first = 2
    for arguments in ((), (1, (), 3)):
        for kind in (quick, plain):
            with pytest.raises(TypeError):
                kind(*arguments)


def test_quick_records_are_equal_where_their_fields_are_the_same_objects() -> None:
    """As of a tuple's elements, which spares a comparison of the same large formula with itself."""
    quick, plain = of_sizes(quick_record), of_sizes(dataclass)
    nan = float("nan")
    assert (quick(nan) == quick(nan)) is (plain(nan) == plain(nan)) is True


def test_a_record_that_is_filled_changes_and_has_no_hash() -> None:
    @record(slots=True)
    class Filled:
        """One that grows."""

        names: list[str]
        count: int = 0

    one = Filled(["a"])
    one.count += 1
    assert one == Filled(["a"], 1)
    assert not hasattr(one, "__dict__")
    with pytest.raises(TypeError):
        hash(one)
    del one.count
    assert not hasattr(one, "count")
