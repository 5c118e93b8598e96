"""The text parser against protobuf's own `text_format`, and on files of public repositories."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.prototxt import Message, Scalar, Source, load_text, parse

# protobuf ships no types.
descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
descriptor_pool: Any = importlib.import_module("google.protobuf.descriptor_pool")
message_factory: Any = importlib.import_module("google.protobuf.message_factory")
text_format: Any = importlib.import_module("google.protobuf.text_format")

KINDS = {"i": "INT32", "d": "DOUBLE", "b": "BOOL", "s": "STRING", "y": "BYTES", "e": "ENUM"}
READERS = {
    "i": Scalar.as_int,
    "d": Scalar.as_float,
    "b": Scalar.as_bool,
    "s": Scalar.as_str,
    "y": Scalar.as_bytes,
    "e": Scalar.as_enum,
}


@cache
def tree_class() -> Any:
    """message Tree: a repeated field of every kind, and `m` of Trees."""
    proto = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tree.proto", package="t", syntax="proto2")
    enum = file.enum_type.add(name="Choice")
    for number, name in enumerate(("MAX", "AVE", "STOCHASTIC")):
        enum.value.add(name=name, number=number)
    file.message_type.add(name="Empty")
    message = file.message_type.add(name="Tree")
    for number, (name, kind) in enumerate({**KINDS, "m": "MESSAGE"}.items(), start=1):
        field = message.field.add(name=name, number=number, label=proto.LABEL_REPEATED)
        field.type = proto.Type.Value(f"TYPE_{kind}")
        if name in ("e", "m"):
            field.type_name = ".t.Choice" if name == "e" else ".t.Tree"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Tree"))


@cache
def choice_names() -> tuple[str, ...]:
    (enum,) = tree_class().DESCRIPTOR.file.enum_types_by_name.values()
    return tuple(value.name for value in enum.values)


def is_tokenised_by_protobuf(text: str) -> bool:
    """Whether protobuf finds no fault with a text whose fields it knows nothing of."""
    empty = message_factory.GetMessageClass(
        tree_class().DESCRIPTOR.file.message_types_by_name["Empty"]
    )
    try:
        text_format.Parse(text, empty(), allow_unknown_field=True, allow_unknown_extension=True)
    except text_format.ParseError:
        return False
    return True


def is_accepted(text: str) -> bool:
    """Whether we find no fault with a text, nor with the escapes in its strings."""
    result = parse(Source("t", text))
    waiting = [result.root]
    while waiting:
        for value in (value for field in waiting.pop().fields for value in field.values):
            if isinstance(value, Message):
                waiting.append(value)
            elif value.kind == "string" and not has_known_escapes(value):
                return False
    return not result.errors


def has_known_escapes(string: Scalar) -> bool:
    try:
        string.as_bytes()
    except UnreadableError:
        return False
    return True


def theirs(tree: Any) -> dict[str, list[Any]]:
    """Field name to values, of protobuf's message."""
    found: dict[str, list[Any]] = {}
    for field, values in tree.ListFields():
        convert = CONVERT.get(field.name)
        found[field.name] = [convert(value) for value in values] if convert else list(values)
    return found


CONVERT: dict[str, Callable[[Any], Any]] = {
    "m": theirs,
    "e": lambda number: choice_names()[number],
    "d": repr,
}


def ours(tree: Message) -> dict[str, list[Any]]:
    """Field name to values, of our message; the same form as `theirs`."""
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(field.name for field in tree.fields):
        if name == "m":
            found[name] = [ours(message) for message in tree.messages(name)]
        else:
            values = [READERS[name](scalar) for scalar in tree.scalars(name)]
            found[name] = [repr(value) for value in values] if name == "d" else values
    return {name: values for name, values in found.items() if values}


TOKENS = {
    "i": st.sampled_from(["0", "1", "-1", "0x7f", "017", "-0x1", "2147483647"]),
    "d": st.sampled_from(["1", "-1.5", "1.", ".5", "0.1f", "1e-3", "2E+3", "inf", "-inf", "nan"])
    | st.floats(allow_nan=False).map(repr),
    "b": st.sampled_from(["true", "True", "t", "1", "false", "False", "f", "0"]),
    "s": st.sampled_from(["'a'", "\"b\" 'c'", r'"\n\x41\101"', r"'\'\"'", '"é"', "''"]),
    "y": st.sampled_from([r"'\377\x00'", '"é"', r"'\a\b\f\v'"]),
    "e": st.sampled_from(["MAX", "AVE", "STOCHASTIC"]),
}
GAPS = st.sampled_from([" ", "\n", "\t", "\r\n", " # c '\n", "  "])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> str:
    parts = []
    for name in draw(st.lists(st.sampled_from([*TOKENS, "m"]), max_size=5)):
        gap = draw(GAPS)
        if name == "m":
            inner = draw(trees(depth - 1)) if depth else ""
            opener, closer = draw(st.sampled_from([("{", "}"), ("<", ">")]))
            colon = draw(st.sampled_from(["", ":"]))
            value = f"{colon}{gap}{opener}{gap}{inner}{gap}{closer}"
        elif draw(st.booleans()):
            value = f":{gap}{draw(TOKENS[name])}"
        else:
            items = draw(st.lists(TOKENS[name], max_size=3))
            value = f":{gap}[{gap}{f' ,{gap}'.join(items)}{gap}]"
        parts.append(f"{name}{gap}{value}{draw(st.sampled_from(['', ',', ';']))}{gap}")
    return "".join(parts)


@given(trees())
def test_valid_texts_mean_the_same(text: str) -> None:
    result = parse(Source("t", text))
    assert result.errors == []
    assert ours(result.root) == theirs(text_format.Parse(text, tree_class()()))


@given(trees(), st.data())
def test_what_we_accept_protobuf_accepts(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text("{}<>[]:;,\"'#\\-.xi1m \n", max_size=4))
    broken = text[:at] + junk + text[at + data.draw(st.integers(0, 3)) :]
    if is_accepted(broken):
        assert is_tokenised_by_protobuf(broken)


def test_files_of_public_repositories(shared: Path) -> None:
    folder = shared / "corpus" / "caffe"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    read = clean = 0
    for path in sorted(folder.rglob("*prototxt*")):
        try:
            source = load_text(path)
        except UnreadableError as problem:
            assert path.is_dir(), problem
            continue
        read += 1
        errors = [str(error) for error in parse(source).errors]
        tokenised = is_tokenised_by_protobuf(source.text)
        assert bool(errors) != tokenised, (path, errors[:3])
        clean += tokenised
    assert read > 200
    assert clean > 0.9 * read
