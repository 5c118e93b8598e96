from __future__ import annotations

import pytest

from tests.converters.readers.caffe.support import DATA, layer, notices, read
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.phases import NetState, is_included
from upconv.converters.readers.files.prototxt import parse

TEST, TRAIN = NetState("TEST"), NetState("TRAIN")
DEPLOYED = NetState("TEST", 1, frozenset({"deploy"}))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", (True, True, True)),
        ("include { phase: TEST }", (True, False, True)),
        ("include { phase: TRAIN }", (False, True, False)),
        ("include { phase: 0 }", (False, True, False)),
        ("exclude { phase: TEST }", (False, True, False)),
        ("include { stage: 'deploy' }", (False, False, True)),
        ("include { not_stage: 'deploy' }", (True, True, False)),
        ("include { min_level: 1 }", (False, False, True)),
        ("include { max_level: 0 }", (True, True, False)),
        ("include { phase: TRAIN } include { stage: 'deploy' }", (False, True, True)),
        ("include { phase: TEST stage: 'deploy' }", (False, False, True)),
        ("exclude { phase: TRAIN } exclude { min_level: 1 }", (True, False, False)),
        ("include { }", (True, True, True)),
    ],
)
def test_rules(rules: str, expected: tuple[bool, bool, bool]) -> None:
    node = parse(Source("net", rules)).root
    assert tuple(is_included(node, state) for state in (TEST, TRAIN, DEPLOYED)) == expected


TWINS = (
    DATA
    + layer("ReLU", "include { phase: TRAIN }", name="r", top="y")
    + layer("TanH", "include { phase: TEST }", name="r", top="y")
)


def test_twins_of_two_phases_are_one_layer_each() -> None:
    for phase, kind in (("TEST", "TanH"), ("TRAIN", "ReLU")):
        model = read(TWINS, phase=phase)
        assert [entry.origin.type for entry in model.layers] == [kind]
        assert notices(model) == []
        assert model.phase == phase


def test_stages_of_the_net_itself_count() -> None:
    text = DATA + layer("ReLU", "include { stage: 'deploy' }")
    assert read(text).layers == ()
    assert len(read("state { stage: 'deploy' }\n" + text).layers) == 1


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("include { phase: TEST } exclude { stage: 'a' }", "has both include and exclude rules"),
        ("include { phase: DEPLOY }", "phase is DEPLOY, which is neither TRAIN nor TEST"),
    ],
)
def test_rules_that_caffe_refuses(rules: str, message: str) -> None:
    model = read(DATA + layer("ReLU", rules))
    assert notices(model) == [("unreadable-part", "x", message)]
    assert len(model.layers) == 1
