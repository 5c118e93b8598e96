"""Every kind of notice is told by a rule, and every kind is one that a reader gives."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.model import Model, Notice, NoticeKind
from upconv.linter.notices import NOTICES
from upconv.linter.rules import RULES
from upconv.linter.running.engine import check_model

READERS = Path(__file__).parents[2] / "converters" / "readers"
KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)


def test_the_table_has_every_kind() -> None:
    assert set(NOTICES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_tells_each_kind_once(kind: NoticeKind) -> None:
    notice = Notice(kind, UpconvError("something is odd", path="m.odd"))
    model = Model("m", "m.odd", "caffe", (), (), (), notices=(notice,))
    if kind == "template":
        assert check_model(model).reason == "a template: something is odd"
        return
    (finding,) = [one for one in check_model(model).findings if one.message == "something is odd"]
    told = NOTICES[kind]
    assert (finding.code, finding.help) == (told.code, told.help)
    assert finding.severity == (told.severity or RULES[told.code].severity)


def test_a_reader_gives_each_kind() -> None:
    trees = [ast.parse(file.read_text("utf-8")) for file in READERS.rglob("*.py")]
    texts = {
        node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)
    }
    assert set(KINDS) <= texts


def test_converters_know_no_code_of_a_rule() -> None:
    from re import search

    files = READERS.parent.rglob("*.py")
    assert [file.name for file in files if search("UP[0-9]{3}", file.read_text("utf-8"))] == []
