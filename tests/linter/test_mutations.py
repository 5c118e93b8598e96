"""Recall: every way of breaking a correct net is noticed by a rule that is meant for it."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.linter import mutants
from tests.linter.mutants import Mutant

GROUPS = {
    f"{net}-{kind}-{family}".replace(" ", "_"): list(group)
    for net in mutants.NETS
    for (kind, family), group in groupby(
        sorted(mutants.mutants(net), key=lambda one: (one.kind, one.family)),
        key=lambda one: (one.kind, one.family),
    )
}


@pytest.mark.parametrize("net", mutants.NETS)
def test_the_nets_are_right(net: str) -> None:
    found = mutants.findings(net, mutants.net_text(net), weights=True)
    assert {finding.code for finding in found if finding.severity != "info"} == set()


@pytest.mark.parametrize("group", GROUPS)
def test_every_mutant_is_noticed(group: str) -> None:
    missed = [
        (mutant.id, mutants.noticed(mutant)) for mutant in GROUPS[group] if _is_missed(mutant)
    ]
    assert missed == []


def _is_missed(mutant: Mutant) -> bool:
    """Whether no rule notices what does change: only a rounding or a rewiring may change nothing.

    Pooling an even size rounds neither way; a rewired net may be as sound as the original.
    """
    if mutant.expected & set(mutants.noticed(mutant)):
        return False
    if mutant.kind not in ("rounding", "bottom"):
        return True
    return not (mutants.is_another_net(mutant) or mutants.is_equivalent(mutant))
