"""What the text parser says about broken texts, where, and how it goes on after them."""

from __future__ import annotations

import time

import pytest

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.budgets import PROTOBUF_TEXT, Budget
from upconv.converters.readers.files.prototxt import Message, Source, parse
from upconv.converters.readers.files.prototxt.parser import MAX_ERRORS

BROKEN: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    # name: (text, [("line:column", the marked text, part of the message), ...])
    "template": (
        "n: ${num_output}\nb: 1",
        [("1:4", "${num_output}", "placeholder, not a value: this file is a template")],
    ),
    "template in a word": ("n: conv${i}_x\nb: 1", [("1:4", "conv${i}_x", "fill in the template")]),
    "template in a list": ("n: [1, ${x}]\nb: 1", [("1:8", "${x}", "template")]),
    "jinja": ("{% if x %}\nn: {{ x }}\nb: 1", [("1:1", "{% if x %}", "template"),
                                              ("2:5", "{ x }", "template")]),
    "conflict": (
        "<<<<<<< HEAD\nn: 1\n=======\nn: 2\n>>>>>>> branch\nb: 1",
        [("1:1", "<<<<<<< HEAD", "a git conflict marker (resolve the merge conflict first)")],
    ),
    "conflict in a block": (
        "m {\n n: x\n<<<<<<< HEAD\n n: 1\n||||||| base\n=======\n n: 2\n>>>>>>> a\n}\nb: 1",
        [("3:1", "<<<<<<< HEAD", "a git conflict marker")],
    ),
    "two conflicts": (
        "<<<<<<< a\n=======\n>>>>>>> b\n<<<<<<< c\n=======\n>>>>>>> d\nb: 1",
        [("1:1", "<<<<<<< a", "conflict"), ("4:1", "<<<<<<< c", "conflict")],
    ),
    "rest of a conflict": (
        "n: 1\n>>>>>>> branch\nb: 1",
        [("2:1", ">>>>>>> branch", "a git conflict marker")],
    ),
    "path without quotes": (
        "n: conv1/relu\nb: 1",
        [("1:4", "conv1/relu", "field 'n': 'conv1/relu' is text without quotes "
                               '(write "conv1/relu")')],
    ),
    "dots without quotes": ("n: a.b\nb: 1", [("1:4", "a.b", "text without quotes")]),
    "two dots": ("n: 1.2.3\nb: 1", [("1:4", "1.2.3", "'1.2.3' is not a number")]),
    "letters in a number": ("n: 1abc\nb: 1", [("1:4", "1abc", "is not a number")]),
    "plus": ("n: +1\nb: 1", [("1:4", "+1", "is not a number")]),
    "open string": (
        'm {\n n: "x\n}\nb: 1',
        [("2:5", '"x', "a string that starts here is not closed on its line")],
    ),
    "open string at the end": ("b: 1\nn: 'x\\'", [("2:4", "'x\\'", "is not closed")]),
    "open brace": (
        "b: 1\nm {\n k { i: 1\n}\n",
        [("2:3", "{", "the '{' of 'm' is never closed (add the missing '}')")],
    ),
    "open angle": ("b: 1 m <", [("1:8", "<", "the '<' of 'm' is never closed")]),
    "two open braces": (
        "b: 1 m { k: {",
        [("1:8", "{", "of 'm' is never"), ("1:13", "{", "of 'k' is never closed")],
    ),
    "stray brace": ("n: 1\n}\nb: 1", [("2:1", "}", "'}' closes nothing")]),
    "wrong brace": (
        "m { n: 1 >\nb: 1",
        [("1:10", ">", "'>' cannot close the '{' of 'm' (write '}')")],
    ),
    "open list": ("b: 1\nn: [1, 2", [("2:4", "[", "the '[' of 'n' is never closed")]),
    "no comma": ("n: [1 2]\nb: 1", [("1:7", "2", "expected ',' or ']' in the list of 'n'")]),
    "comma last": ("n: [1, ]\nb: 1", [("1:8", "]", "expected a value of field 'n', found ']'")]),
    "open list of blocks": ("n [{}, {}\nb: 1", [("2:1", "b", "expected ',' or ']'")]),
    "list without colon": ("n [1]\nb: 1", [("1:1", "n", "expected ':' or '{' after 'n'")]),
    "no colon": (
        "num_output 64\nb: 1",
        [("1:1", "num_output", "expected ':' after 'num_output', found '64' "
                               "(write 'num_output: 64')")],
    ),
    "equals": ("n = 3\nb: 1", [("1:3", "=", "expected ':' after 'n', found '='")]),
    "bare name": ("m { n }\nb: 1", [("1:5", "n", "expected ':' or '{' after 'n'")]),
    "no value": ("n:\nb: 1", [("1:1", "n", "field 'n' has no value")]),
    "no value in a block": ("m { n: }\nb: 1", [("1:5", "n", "field 'n' has no value")]),
    "no value before a block": ("n:\nm { i: 1 } b: 1", [("1:1", "n", "field 'n' has no value")]),
    "no value at the end": ("b: 1 n:", [("1:6", "n", "field 'n' has no value")]),
    "title before a block": (
        'layer "x" {\n b: 2\n}\nb: 1',
        [("1:1", "layer", "expected ':' after 'layer'")],
    ),
    "no name": ("{ b: 2 }\nb: 1", [("1:1", "{", "a block '{' without a field name")]),
    "hyphen": ("conv-1: 2\nb: 1", [("1:1", "conv-1", "expected a field name, found 'conv-1'")]),
    "digit first": ("3d: 2\nb: 1", [("1:1", "3d", "letters, digits and '_'")]),
    "two values": ("n: 1 2\nb: 1", [("1:6", "2", "'name: value', once for each value")]),
    "json": ('"n": "x"\nb: 1', [("1:1", '"n"', "expected a field name, found the string")]),
    "not joined": ("n: 1 'x'\nb: 1", [("1:6", "'x'", "adjacent strings join only inside one")]),
    "separator twice": ("n: 1,; b: 1", [("1:6", ";", "at most one ',' or ';'")]),
    "separator first": ("m { , } b: 1", [("1:5", ",", "expected a field name, found ','")]),
    "typographic quotes": ("n: “x”\nb: 1", [("1:4", "“x”", "use plain quotes")]),
    "no-break space": ("n:\u00a01\nb: 1", [("1:3", "\u00a0", "an invisible character, U+00A0")]),
    "nul": ("\0b: 1", [("1:1", "\0", "an invisible character, U+0000")]),
    "c comment": ("// x: 1\nb: 1", [("1:1", "// x: 1", "comments start with '#'")]),
    "c comments": (
        "/* y {\n */ // z: 2\nb: 1 // end",
        [("1:1", "/* y {\n */", "start with '#'"), ("3:6", "// end", "start with '#'")],
    ),
    "letters beyond ascii": ("é: 2\nb: 1", [("1:1", "é", "expected a field name, found 'é'")]),
    "junk at the end": ("b: 1\n]]", [("2:1", "]", "expected a field name, found ']'")]),
    "several": (
        "n: a/b\nm { n 3 }\nk: ${x}\n}\nb: 1",
        [("1:4", "a/b", "quotes"), ("2:5", "n", "':'"), ("3:4", "${x}", "template"),
         ("4:1", "}", "closes nothing")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_said_where(name: str) -> None:
    text, expected = BROKEN[name]
    found = parse(Source("net", text)).errors
    places = [(e.where.line, e.where.column, e.where.text) for e in found if e.where]
    assert [(f"{line}:{column}", marked) for line, column, marked in places] == [
        (place, marked) for place, marked, _ in expected
    ]
    for error, (place, _, words) in zip(found, expected, strict=True):
        assert str(error).startswith(f"net:{place}: ")
        assert words in str(error)


@pytest.mark.parametrize("name", BROKEN)
def test_reading_goes_on_after_the_error(name: str) -> None:
    text, _ = BROKEN[name]
    assert parse(Source("net", text)).root.int("b", 0) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_errors_are_in_the_order_of_the_file(end: str) -> None:
    text = "\n".join(case for case, _ in BROKEN.values()).replace("\n", end)
    starts = [error.where.start for error in parse(Source("net", text)).errors if error.where]
    assert starts == sorted(starts)
    assert len(starts) > len(BROKEN) / 2


def test_blocks_around_an_error_keep_their_fields() -> None:
    root = parse(Source("net", "m { a: ${x} b: 1 }\nm {\n a: x/y }\nc: 1")).root
    first, second = root.messages("m")
    assert first.int("b", 0) == 1
    assert second.span.text == "{\n a: x/y }"
    assert root.int("c", 0) == 1


def test_no_more_errors_than_the_limit() -> None:
    result = parse(Source("net", "m { a b/c\n" * 1000))
    assert len(result.errors) == MAX_ERRORS


def test_more_than_the_budget_is_one_error() -> None:
    for text in ("a: 1 ", "a: [1, 1] ", "a {} "):
        with pytest.raises(UnreadableError, match="a net with more than 10 entries"):
            parse(Source("net", text * 11), Budget("a net", 10, 0, 9))


def test_too_deep_is_one_error_at_the_brace() -> None:
    text = "a{" * 100_000
    (error,) = parse(Source("net", text)).errors
    assert error.where is not None
    assert error.where.start == 2 * PROTOBUF_TEXT.depth + 1
    assert f"nested deeper than {PROTOBUF_TEXT.depth}" in str(error)
    allowed = parse(Source("net", "a{" * PROTOBUF_TEXT.depth + "}" * PROTOBUF_TEXT.depth))
    assert allowed.errors == []


def test_lists_nested_too_deep_are_one_error() -> None:
    (error,) = parse(Source("net", "a:[{" * 100_000)).errors
    assert f"nested deeper than {PROTOBUF_TEXT.depth}" in str(error)


@pytest.mark.parametrize(
    "piece",
    ["#", "# ", '"', "'", "a", "a ", "a:", "a: ", "a: 'x' ", "{", "}", "<", "[", "a:[", "a:[{", "$",
     "\\", " ", "-", "a:-", "=", "1", ".", "\n", "{%", "/*", "a/", "<<<<<<< x\n", "a: b #\n"],
)  # fmt: skip
def test_hostile_repetitions_take_linear_time(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    start = time.process_time()
    result = parse(Source("net", text))
    assert isinstance(result.root, Message)
    assert time.process_time() - start < 10, "quadratic time would take minutes"


def test_messages_stay_short() -> None:
    long = "x/" * 10_000
    for text in (
        f"a: {long}",
        f"a {long}",
        f'a "{long}"',
        f"{long}: 1",
        f'"{long}"',
        f'a: "{long}',
    ):
        for error in parse(Source("net", text)).errors:
            assert len(str(error)) < 300
