"""The text parser: what it reads, where it says it was written, and files it refuses."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import PROTOBUF_TEXT
from upconv.converters.readers.files.prototxt import (
    Field,
    Message,
    Scalar,
    Source,
    ValueList,
    load_text,
    parse,
    source_comments,
)


def read(text: str) -> Message:
    result = parse(Source("net.prototxt", text))
    assert [str(error) for error in result.errors] == []
    return result.root


# A law: whatever tree is printed, in whatever spacing, the same tree is read.


@dataclass(frozen=True)
class Printed:
    """A value as tokens to be joined by gaps, and what `plain` must give for it."""

    tokens: list[str]
    plain: Any


def quoted(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\\"'" else {"\n": "\\n"}.get(c, c) for c in text)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
numbers = st.sampled_from(["0", "-1", "1.5", "1.", ".5", "0.1f", "1e-3", "0x1F", "-017", "2E+4"])
strings = st.builds(
    lambda text, quote: quote + quoted(text) + quote,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["'", '"']),
)
scalar_values = st.one_of(
    (numbers | names).map(lambda text: Printed([text], text)),
    st.lists(strings, min_size=1, max_size=3).map(lambda parts: Printed(parts, tuple(parts))),
)


def blocks(fields: st.SearchStrategy[list[Printed]]) -> st.SearchStrategy[Printed]:
    def build(inner: list[Printed], braces: str) -> Printed:
        tokens = [token for field in inner for token in field.tokens]
        return Printed([braces[0], *tokens, braces[1]], [field.plain for field in inner])

    return st.builds(build, fields, st.sampled_from(["{}", "<>"]))


def lists(values: st.SearchStrategy[Printed]) -> st.SearchStrategy[Printed]:
    def build(items: list[Printed]) -> Printed:
        tokens = [token for item in items for token in [",", *item.tokens]][1:]
        return Printed(["[", *tokens, "]"], ("list", [item.plain for item in items]))

    return st.lists(values, max_size=3).map(build)


def fields_of(values: st.SearchStrategy[Printed]) -> st.SearchStrategy[list[Printed]]:
    def build(name: str, value: Printed, colon: bool, end: str) -> Printed:
        middle = [":"] if colon or value.tokens[0] not in ("{", "<") else []
        tokens = [name, *middle, *value.tokens, *([end] if end else [])]
        return Printed(tokens, (name, value.plain))

    field_names = names | st.just("[a.b_c]")
    ends = st.sampled_from(["", "", ",", ";"])
    return st.lists(st.builds(build, field_names, values, st.booleans(), ends), max_size=4)


values = st.recursive(
    scalar_values,
    lambda inner: blocks(fields_of(inner)) | lists(scalar_values | blocks(fields_of(inner))),
    max_leaves=12,
)
gaps = st.sampled_from([" ", "\n", "\t", "\r\n", "  ", " # it's { a: [\n", "#\n", "\n\n"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[Any]]:
    printed = draw(fields_of(values))
    parts = [draw(gaps)]
    for field in printed:
        for token in field.tokens:
            parts += [token, draw(gaps)]
    return "".join(parts), [field.plain for field in printed]


def plain(value: Scalar | Message | ValueList) -> Any:
    if isinstance(value, Message):
        return [(field.name, plain(field.value)) for field in value.fields]
    if isinstance(value, ValueList):
        return "list", [plain(item) for item in value.items]
    if value.kind == "string":
        return tuple(span_text for span_text in literals(value.text))
    return value.text


def literals(text: str) -> list[str]:
    """The literals of a string value, comments dropped, by a scan that is not the parser's."""
    found, at = [], 0
    while at < len(text):
        if text[at] in "'\"":
            end = at + 1
            while text[end] != text[at]:
                end += 2 if text[end] == "\\" else 1
            found.append(text[at : end + 1])
            at = end
        elif text[at] == "#":
            at = text.index("\n", at)
        at += 1
    return found


@given(texts())
def test_the_tree_that_was_printed_is_read(case: tuple[str, list[Any]]) -> None:
    text, expected = case
    assert plain(read(text)) == expected


def every_field(root: Message) -> list[Field]:
    found, waiting = [], [root]
    while waiting:
        for field in waiting.pop().fields:
            found.append(field)
            waiting += [value for value in field.values if isinstance(value, Message)]
    return found


@given(texts())
def test_spans_cut_out_exactly_what_they_name(case: tuple[str, list[Any]]) -> None:
    text, _ = case
    for field in every_field(read(text)):
        assert field.name_span.text == field.name
        assert field.span.text.startswith(field.name)
        assert field.span.text.endswith(field.value.span.text)
        again = read(field.span.text)
        assert len(again.fields) == 1
        assert plain(again.fields[0].value) == plain(field.value)


@given(texts(), st.data())
def test_cut_or_garbled_texts_never_raise(case: tuple[str, list[Any]], data: st.DataObject) -> None:
    text, _ = case
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text("{}<>[]:;,\"'#\\$-.a1 \n=é\0", max_size=6))
    for broken in (text[:at], text[:at] + junk + text[at:], text[:at] + junk + text[at + 3 :]):
        source = Source("net", broken)
        for error in parse(source).errors:
            assert error.where is not None
            assert 0 <= error.where.start < error.where.end <= len(broken)
            assert str(error).startswith(f"net:{error.where.line}:")


# Spans in words.


def test_spans_lines_and_columns() -> None:
    text = 'name: "é"\r\nlayer {\n\tpad: 1 # c\n  f: [ 1, { } ]\n}'
    root = read(text)
    layer = root.message("layer")
    assert layer is not None
    assert root.span.text == text
    assert layer.span.text == text[text.index("{") :]
    pad = layer.fields[0]
    assert (pad.span.text, pad.name_span.text, pad.value.span.text) == ("pad: 1", "pad", "1")
    assert (pad.span.line, pad.span.column) == (3, 2)
    assert pad.value.span.end_position == (3, 8)
    assert [value.span.text for value in layer.all("f")] == ["1", "{ }"]
    assert layer.fields[1].span.text == "f: [ 1, { } ]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f: \"a\" 'b'  g: 1", "\"a\" 'b'"),
        ('f: "a" # it\'s\n "b" ; g: 1', '"a" # it\'s\n "b"'),
        ("f: - 1, g: 1", "- 1"),
        ("f: -inf g: 1", "-inf"),
        ("f:1;g:1", "1"),
        ('f:"a"g:1', '"a"'),
    ],
)
def test_the_span_of_unusual_scalars(text: str, expected: str) -> None:
    root = read(text)
    assert [scalar.span.text for scalar in root.scalars("f")] == [expected]
    assert root.int("g", 0) == 1


# Messages.


def test_lookups() -> None:
    root = read('i: 1 i: [2, 3] b: t s: "x" d: 1.5 e: MAX m { i: 1 j: 5 } m: < i: 2 >')
    assert root.ints("i") == [1, 2, 3]
    assert root.int("i", 0) == 3
    assert (root.bool("b", False), root.str("s", ""), root.enum("e", "")) == (True, "x", "MAX")
    assert (root.float("d", 0.0), root.floats("d"), root.strs("s")) == (1.5, [1.5], ["x"])
    assert root.has("i")
    assert not root.has("x")
    last = root.get("i")
    assert isinstance(last, Scalar)
    assert last.text == "3"
    assert len(root.messages("m")) == 2


def test_absent_fields_give_the_default() -> None:
    root = Message.empty()
    assert root.int("x", None) is None
    assert (root.float("x", 0.5), root.bool("x", True), root.str("x", "d")) == (0.5, True, "d")
    assert root.enum("x", "MAX") == "MAX"
    assert root.get("x") is None
    assert root.message("x") is None
    assert (root.all("x"), root.messages("x"), root.scalars("x")) == ([], [], [])
    assert (root.ints("x"), root.floats("x"), root.strs("x")) == ([], [], [])


def test_a_singular_message_given_twice_is_merged() -> None:
    root = read("m { i: 1 j: 5 n { a: 1 } } m { i: 2 n { b: 2 } }")
    merged = root.message("m")
    assert merged is not None
    assert (merged.int("i", 0), merged.int("j", 0)) == (2, 5)
    inner = merged.message("n")
    assert inner is not None
    assert (inner.int("a", 0), inner.int("b", 0)) == (1, 2)
    assert merged.span.text == "{ i: 2 n { b: 2 } }"
    assert [len(message.fields) for message in root.messages("m")] == [3, 2]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda root: root.int("m", 0), "2:1: field 'm': expected a single value, found a block"),
        (lambda root: root.strs("m"), "field 'm': expected a single value, found a block"),
        (lambda root: root.message("i"), "field 'i': expected a block, found '1'"),
        (lambda root: root.messages("i"), "found '1' (write 'i { ... }')"),
    ],
)
def test_a_block_where_a_value_is_meant(ask: Callable[[Message], Any], message: str) -> None:
    root = read("m\n{ a: 1 } i: 1")
    with pytest.raises(UnreadableError) as caught:
        ask(root)
    assert caught.value.where is not None
    assert message in str(caught.value)


# Comments.


def test_comments_and_their_spans() -> None:
    text = "# one\r\na: \"#no\" # two\nb { #three\n} '#' c: 1 #"
    comments = source_comments(Source("a", text))
    assert [words for _, words in comments] == ["one", "two", "three", ""]
    assert [span.text for span, _ in comments] == ["# one", "# two", "#three", "#"]
    assert [span.line for span, _ in comments] == [1, 2, 3, 4]


# Size and depth.


def test_hundred_thousand_blocks_deep() -> None:
    depth = 100_000
    text = "a{" * depth + "}" * depth
    result = parse(Source("a", text), replace(PROTOBUF_TEXT, depth=depth))
    assert result.errors == []
    levels, message = 0, result.root
    while message.fields:
        (inner,) = message.messages("a")
        message, levels = inner, levels + 1
    assert levels == depth
    del result, message, inner
    gc.collect()


# Files.


def test_load_text_keeps_line_ends_and_drops_the_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.prototxt"
    file.write_bytes(b"\xef\xbb\xbfname: 'x' # \xc3\xa9\r\n")
    source = load_text(file)
    assert (source.path, source.text) == (str(file), "name: 'x' # é\r\n")


def test_text_that_is_not_utf8_is_latin1(tmp_path: Path) -> None:
    file = tmp_path / "a.prototxt"
    file.write_bytes(b"# caf\xe9\nname: '\xe9'")
    assert read(load_text(file).text).str("name", "") == "é"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\0", "binary content (a NUL byte at offset 4)"),
        ("a: 1".encode("utf-16"), "UTF-16 text (save the file as UTF-8)"),
        (b"a" * 101, "cannot be read: larger than 100 bytes"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "a.prototxt"
    file.write_bytes(data)
    with pytest.raises(UnreadableError) as caught:
        load_text(file, max_bytes=100)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="a folder, expected a file"):
        load_text(tmp_path)
    with pytest.raises(UnreadableError, match="no such file"):
        load_text(tmp_path / "absent")
    with pytest.raises(UnreadableError, match="cannot be read"):
        load_text("a\0b")
