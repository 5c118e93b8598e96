"""Which layers a net has in a phase: include and exclude rules (net.cpp, Net::StateMeetsRule)."""

from __future__ import annotations

from typing import Final, Literal

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.prototxt import Message

Phase = Literal["TEST", "TRAIN"]

_PHASES: Final = {"TRAIN": "TRAIN", "TEST": "TEST", "0": "TRAIN", "1": "TEST"}


@record(frozen=True, slots=True)
class NetState:
    """What rules are held against."""

    phase: Phase = "TEST"
    level: int = 0
    stages: frozenset[str] = frozenset()


def is_included(layer: Message, state: NetState) -> bool:
    """Whether a net in this state has the layer.

    With include rules one must be met, with exclude rules none may be. Raises UnreadableError
    for a layer with both, which Caffe refuses, and for a rule that cannot be read.
    """
    includes, excludes = layer.messages("include"), layer.messages("exclude")
    if includes and excludes:
        raise UnreadableError(
            "has both include and exclude rules",
            where=excludes[0].span,
            hint="Caffe allows one kind in a layer",
        )
    if includes:
        return any(meets(rule, state) for rule in includes)
    return not any(meets(rule, state) for rule in excludes)


def meets(rule: Message, state: NetState) -> bool:
    """Whether the state meets all conditions of a NetStateRule; one without any is met.

    Raises UnreadableError for a condition that cannot be read.
    """
    if rule.has("phase") and _phase(rule) != state.phase:
        return False
    if state.level < rule.int("min_level", state.level):
        return False
    if state.level > rule.int("max_level", state.level):
        return False
    if not state.stages.issuperset(rule.strs("stage")):
        return False
    return state.stages.isdisjoint(rule.strs("not_stage"))


def _phase(rule: Message) -> str:
    given = rule.enum("phase", "")
    if given not in _PHASES:
        value = rule.get("phase")
        raise UnreadableError(
            f"phase is {given}, which is neither TRAIN nor TEST",
            where=value.span if value is not None else rule.span,
        )
    return _PHASES[given]
