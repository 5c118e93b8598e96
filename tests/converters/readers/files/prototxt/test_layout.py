"""The laws of the layout: the text means what it meant, twice is once, no comment is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ROOT
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.files.prototxt import (
    Message,
    Scalar,
    ValueList,
    parse,
    source_comments,
)
from upconv.converters.readers.files.prototxt.layout import laid_out

# Text that nobody would write, but that protobuf reads.

COMMENT = st.sampled_from(["# one\n", "#\n", "#two # three\t \n", '# "x\n', "# }é\U0001f600\n"])
GAP = st.lists(st.sampled_from([" ", "\n", "\t", "\n\n", "\r\n", " \n \n"]) | COMMENT, max_size=3)
SPACE = GAP.map("".join)
SOME = SPACE.map(lambda gap: gap or " ")
NAME = st.sampled_from(["pad", "layer", "a_1", "[a.b]", "[ type.x.com/a.B ]"])
STRING = st.sampled_from(['"a"', "'b'", '"#"', r'"\"{"', '"é\U0001f600"', '""'])
NUMBER = st.sampled_from(["1", "-1", "0x1F", "1.5e-3", "2.f", "- 3", "-inf", "- # no\n nan"])
WORD = st.sampled_from(["MAX", "true", "inf"])


@st.composite
def scalars(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        return draw(NUMBER | WORD)
    return draw(SPACE).join(draw(st.lists(STRING, min_size=1, max_size=3)))


@st.composite
def fields(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(NAME)
    kind = draw(st.integers(0, 4 if depth else 1))
    if kind < 2:
        return f"{name}{draw(SPACE)}:{draw(SPACE)}{draw(scalars())}"
    if kind == 2:
        inner = st.one_of(scalars(), blocks(depth - 1))
        parts = draw(st.lists(inner, max_size=3))
        listed = f"{draw(SPACE)},{draw(SPACE)}".join(parts)
        return f"{name}:{draw(SPACE)}[{draw(SPACE)}{listed}{draw(SPACE)}]"
    colon = draw(st.sampled_from(["", ":"]))
    return f"{name}{draw(SPACE)}{colon}{draw(SPACE)}{draw(blocks(depth - 1))}"


@st.composite
def blocks(draw: st.DrawFn, depth: int) -> str:
    left, right = draw(st.sampled_from([("{", "}"), ("<", ">")]))
    return f"{left}{draw(texts(depth))}{right}"


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    parts = [draw(SPACE)]
    for field in draw(st.lists(fields(depth), max_size=3)):
        parts += [field, draw(SPACE), draw(st.sampled_from(["", ";", ","])), draw(SOME)]
    return "".join(parts)


def meaning(value: Any) -> Any:
    """What protobuf reads: names, in order, with values whose spelling is of no account."""
    if isinstance(value, Scalar):
        return value.as_str() if value.kind == "string" else "".join(_bare(value.text).split())
    if isinstance(value, ValueList):
        return [meaning(one) for one in value.items]
    assert isinstance(value, Message)
    return [("".join(field.name.split()), meaning(field.value)) for field in value.fields]


def _bare(number: str) -> str:
    return "".join(line.partition("#")[0] for line in number.split("\n"))


def words(text: str) -> list[str]:
    return [words.rstrip() for _, words in source_comments(Source("a", text))]


def holds(text: str) -> str:
    """Hold the laws against one text; its layout."""
    before = parse(Source("a", text))
    assert not before.errors, text
    once = laid_out(Source("a", text))
    after = parse(Source("a", once))
    assert not after.errors
    assert meaning(after.root) == meaning(before.root)
    assert words(once) == words(text)
    assert laid_out(Source("a", once)) == once
    return once


@settings(max_examples=250, deadline=None)
@given(texts())
def test_the_laws_hold_for_any_text(text: str) -> None:
    holds(text)
    first = text.find("\n")
    once = laid_out(Source("a", text))
    if first > 0 and text[first - 1] == "\r":
        assert once.count("\n") == once.count("\r\n")


def test_the_laws_hold_for_the_nets_that_are_here() -> None:
    nets = sorted((ROOT / "fixtures").rglob("*.prototxt"))
    read = 0
    for net in nets:
        text = net.read_text(encoding="utf-8")
        if not parse(Source("a", text)).errors:
            holds(text)
            read += 1
    assert read > 80


def test_what_it_looks_like() -> None:
    text = """# a net
name:"n";layer { # first
name : "a" type:"Convolution"


convolution_param< pad:1, # why
kernel_size
: # three
3 weight_filler {type : "xavier"} > }
# last

dim: [1,2 , 3] dim: [
 4, # four
 5]"""
    assert (
        laid_out(Source("a", text))
        == """# a net
name: "n"
layer {  # first
  name: "a"
  type: "Convolution"

  convolution_param {
    pad: 1  # why
    # three
    kernel_size: 3
    weight_filler { type: "xavier" }
  }
}
# last

dim: [1, 2, 3]
dim: [
  4,  # four
  5
]
"""
    )


def test_a_broken_text_is_left_alone() -> None:
    with pytest.raises(UnreadableError, match="never closed"):
        laid_out(Source("a", "layer {"))
