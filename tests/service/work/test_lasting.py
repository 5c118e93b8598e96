"""What weights have said of a layer is told of a later text for as long as the layer is as it was,
and is then what a look with the weights would say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.linter.rule_cases import case_options
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.finding import Finding
from upconv.service.work.lasting import lasting, with_lasting
from upconv.service.work.looking import Look, look, with_weights

CASE = ROOT / "fixtures" / "rules" / "UP211"
TEXT = (CASE / "bad.prototxt").read_text(encoding="utf-8")


@pytest.fixture
def looks(tmp_path: Path) -> tuple[Look, Look]:
    """The text without its weights and with them."""
    options = case_options(CASE, "bad", tmp_path)
    alone = replace(options, read=replace(options.read, weights=""))
    before = look(Source("net.prototxt", TEXT), alone)
    return before, with_weights(before, options.read.weights)


def told(found: Look) -> list[Finding]:
    return [replace(one, fix=None) for one in found.findings]


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("", "", ["up", "conv"]),
        ('name: "UP211-bad"', '# two lines\n# more\nname: "b"', ["up", "conv"]),
        ('  param { lr_mult: 0 }\n', "", ["conv"]),
        ('"conv"\n  type', '"conv2"\n  type', ["up"]),
        ("dim: 16 dim: 16", "dim: 16 dim: 17", []),  # who works on another size is another layer
        ('layer {\n  name: "conv"', '\n  layer {\n  name: "conv"', ["up"]),
    ],
)  # fmt: skip
def test_what_lasts(looks: tuple[Look, Look], old: str, new: str, left: list[str]) -> None:
    before, deep = looks
    assert [one.layer for one in deep.findings if one.code == "UP211"] == ["up", "conv"]
    now = look(Source("net.prototxt", TEXT.replace(old, new, 1)), before.options)
    shown = with_lasting(lasting(before, deep), now)
    assert [one.layer for one in shown.findings if one.code == "UP211"] == left
    fresh = told(with_weights(now, deep.options.read.weights))
    said = [one for one in told(shown) if one.layer in (*left, "")]
    assert [one for one in fresh if one in said] == said
    if len(left) == 2:
        assert told(shown) == fresh, "what weights answer is not told either"


def test_a_text_that_cannot_be_read_tells_nothing_of_them(looks: tuple[Look, Look]) -> None:
    before, deep = looks
    now = look(Source("net.prototxt", "{{{"), before.options)
    assert with_lasting(lasting(before, deep), now).findings == now.findings
