"""Hostile and broken pickles: nothing runs, nothing crashes, each is told in one line."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.ir.errors import UnreadableError, UpconvError
from upconv.converters.readers.files.budgets import PICKLE
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.state.globals import notices
from upconv.converters.readers.torch.state.pickles import Global, Inert, run
from upconv.linter.running.engine import check_path


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def value(data: bytes) -> Any:
    return run(memoryview(data), "a.pt").value


PLAIN: list[Any] = [
    None,
    True,
    [1, -2, 1 << 40, 1 << 100, -(1 << 70)],
    {"a": (1,), "b": [{}], 3: b"bytes", 1.5: "text \N{SNOWMAN}"},
    ((), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    [[[[[]]]]],
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("plain", PLAIN)
def test_plain_values_are_pickles_own(plain: Any, protocol: int) -> None:
    if protocol < 3 and "bytes" in repr(plain):
        return  # before protocol 3, bytes are a call of _codecs.encode
    assert value(pickle.dumps(plain, protocol)) == plain


def test_odd_escapes_are_texts() -> None:
    """Python warns of them, which is nothing to a reader of the file."""
    assert value(b"S'a\\q'\n.") == "a\\q"


@pytest.mark.parametrize("protocol", range(6))
def test_calls_are_records(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "made"
    evil = Evil(os.system, f"touch {target}")
    nested = Evil(map, Evil(eval, "print"), [evil, Evil(exec, "1/0")])
    data = pickle.dumps({"x": [nested]}, protocol)
    found = value(data)["x"][0]
    assert isinstance(found, Inert)
    assert not target.exists()
    names = {one.path for one in run(memoryview(data), "a.pt").names}
    assert {"posix.system", "nt.system"} & names
    assert any(name.endswith(".eval") for name in names)
    assert any(name.endswith(".exec") for name in names)


def test_a_check_tells_what_would_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Evil(os.system, f"touch {tmp_path / 'made'}")))
    report = check_path(path)
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("UP008", "error")
    assert "system" in finding.message
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("torch._utils _rebuild_tensor_v2", True),
        ("torch FloatStorage", True),
        ("torch.nn.modules.conv ConvTranspose2d", True),
        ("collections OrderedDict", True),
        ("numpy.core.multiarray _reconstruct", True),
        ("torch.storage _load_from_bytes", False),
        ("torch load", False),
        ("torch.hub load", False),
        ("torch.nn.functional torch.hub.load", False),
        ("torch.nn.modules.module torch.load", False),
        ("builtins getattr", False),
        ("builtins eval", False),
        ("operator attrgetter", False),
        ("numpy load", False),
        ("numpy.f2py.diagnose run", False),
    ],
)
def test_names_of_weights_and_others(name: str, safe: bool) -> None:
    module, _, last = name.partition(" ")
    told = notices([Global(module, last)], "a.pt")
    assert (told == []) == safe


class Own:
    pass


def test_a_class_of_the_program_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "own.pt"
    path.write_bytes(pickle.dumps(Own()))
    (finding,) = check_path(path).findings
    assert (finding.code, finding.severity) == ("UP008", "warning")
    assert "Own" in finding.message


def frame(body: bytes) -> bytes:
    return b"\x80\x04" + body


BROKEN = {
    "empty": b"",
    "no stop": frame(b"N"),
    "empty stack": frame(b"."),
    "two values": frame(b"NN."),
    "pop of nothing": frame(b"0."),
    "no mark": frame(b"t."),
    "memo that is not there": frame(b"h\x07."),
    "text that ends early": frame(b"X\xff\xff\xff\x7fabc"),
    "text of 2^63 bytes": frame(b"\x8d" + struct.pack("<Q", 1 << 63) + b"a."),
    "bytes of 2^62 bytes": frame(b"\x8e" + struct.pack("<Q", 1 << 62) + b"a."),
    "negative length": frame(b"T" + struct.pack("<i", -5) + b"abc."),
    "number of 100,000 digits": b"I" + b"9" * 100_000 + b"\n.",
    "line without an end": b"c" + b"a" * 200_000,
    "reduce of a mark": frame(b"((R."),
    "append to a number": frame(b"K\x01K\x02a."),
    "items for a tuple": frame(b")(K\x01K\x02u."),
    "odd items": frame(b"}(K\x01u."),
    "global of numbers": frame(b"K\x01K\x02\x93."),
    "extension": frame(b"\x82\x01."),
    "buffer": b"\x80\x05\x97.",
    "no pickle": b"\x80\x04hello world",
    "bad utf-8": frame(b"X\x02\x00\x00\x00\xff\xfe."),
    "protocol 200": b"\x80\xc8N." + b"\xff",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_pickles(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(BROKEN[name])
    if name == "protocol 200":
        assert value(BROKEN[name]) is None
        return
    with pytest.raises(UnreadableError) as caught:
        value(BROKEN[name])
    assert "\n" not in str(caught.value)


def test_deep_and_recursive_pickles() -> None:
    deep = frame(b")" + b"\x85" * 300_000 + b".")
    value(deep)
    recursive = frame(b"]\x94h\x00a.")
    found = value(recursive)
    assert found[0] is found
    as_key = frame(b"}" + b")" + b"\x85" * 100_000 + b"K\x01s.")
    assert len(value(as_key)) == 1


def test_doubling_costs_nothing(tmp_path: Path) -> None:
    """2^60 leaves, were they visited one by one."""
    steps = (b"](h" + bytes([i]) + b"h" + bytes([i]) + b"e\x940" for i in range(60))
    path = tmp_path / "bomb.pt"
    path.write_bytes(frame(b"]\x940" + b"".join(steps) + b"h" + bytes([60]) + b"."))
    assert open_model(str(path), ReadOptions()).layers == ()


def test_too_many_opcodes(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(PICKLE, steps=100)
    monkeypatch.setattr("upconv.converters.readers.torch.state.pickles.PICKLE", small)
    with pytest.raises(UnreadableError, match="more than 100 entries"):
        value(frame(b"N0" * 100 + b"N."))


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    try:
        value(b"\x80\x04" + data)
    except UpconvError as error:
        assert "a.pt" in str(error)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps({"a": [1, "x", (2.5, None)], "b": Evil(os.getpid)}, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UpconvError):
        value(bytes(whole))


def test_every_opcode_is_known_or_refused() -> None:
    from upconv.converters.readers.torch.state import pickles

    known = set(pickles._PUSHED) | set(pickles._ACTIONS)
    others = {opcode.name for opcode in pickletools.opcodes} - known
    assert others == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
