"""What rules ask of a prototxt's blocks: texts, places, and where a further field goes."""

from __future__ import annotations

import pytest

from upconv.converters.ir.source import Source
from upconv.converters.ir.written import NOTHING, Block
from upconv.converters.readers.files.prototxt import Message, parse


def block(text: str) -> Message:
    return parse(Source("a.prototxt", text)).root


def with_field(text: str, name: str, field: str, *after: str) -> str:
    """The text with a field added to its first block of that name."""
    span, before = block(text).blocks(name)[0].room(after)
    assert span.start == span.end
    return text[: span.start] + before + field + text[span.start :]


def test_a_field_may_hold_anything() -> None:
    root = block("x: \"a\" x { y: 1 } x: [2, 'b'] z: 3")
    assert root.texts("x") == ["a", "2", "b"]
    assert [span.text for span in root.spans("x")] == ['"a"', "{ y: 1 }", "2", "'b'"]
    assert [inner.texts("y") for inner in root.blocks("x")] == [["1"]]
    first = root.span_of("none", "x")
    assert first is not None
    assert first.text == 'x: "a"'
    assert root.span_of("none") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b { x: 1 y: 2 }", "b { x: 1 n: 0 y: 2 }"),
        ("b {\n  x: 1\n  y: 2\n}", "b {\n  x: 1\n  n: 0\n  y: 2\n}"),
        ("b {\r\n  x: 1  # one\r\n}", "b {\r\n  x: 1  # one\r\n  n: 0\r\n}"),
        ("b {\n  y: 2; x: 1;\n}", "b {\n  y: 2; x: 1 n: 0;\n}"),
        ("b { y: 2 }", "b { y: 2 n: 0 }"),
        ("b { }", "b { n: 0 }"),
    ],
)
def test_room_for_a_field(text: str, expected: str) -> None:
    changed = with_field(text, "b", "n: 0", "x")
    assert changed == expected
    assert block(changed).blocks("b")[0].texts("n") == ["0"]


def test_the_innermost_block_around_a_place() -> None:
    root = block("a { b { c: 1 } d: 2 } e: 3")
    (a,) = root.blocks("a")
    (b,) = a.blocks("b")
    for owner, name in ((b, "c"), (a, "d"), (root, "e")):
        place = owner.span_of(name)
        assert place is not None
        assert root.around(place) is owner


def test_nothing_is_a_block_without_fields() -> None:
    empty: Block = NOTHING
    there: Block = block("")
    for one in (empty, there):
        assert (one.has("x"), one.texts("x"), one.spans("x"), one.span_of("x")) == (
            False,
            [],
            [],
            None,
        )
        assert (one.int("x", 1), one.float("x", 2.0), one.bool("x", True)) == (1, 2.0, True)
        assert (one.str("x", "s"), one.strs("x"), one.message("x")) == ("s", [], None)
        assert [*one.blocks("x"), *one.messages("x")] == []
