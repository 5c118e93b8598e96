"""Archives that are broken or mean harm: one line each, in bounded time."""

from __future__ import annotations

import pickle
import random
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.converters.readers.torch.script.handmade import archive, code, root
from tests.converters.readers.torch.script.support import opened, saved
from upconv.converters.ir.errors import UnreadableError, UpconvError

SHAPE = (1, 3, 4, 5)
ROUNDS = 60
CALLS = "".join(
    f"def f{n}(x: Tensor) -> Tensor:\n  a = __torch__.f{n + 1}(x, )\n"
    f"  return __torch__.f{n + 1}(a, )\n"
    for n in range(30)
)
LAST = "def f30(x: Tensor) -> Tensor:\n  return x\n"
GROWING = "n = torch.size(x, 2)\n" + "n = torch.add(torch.mul(n, n), torch.floordiv(n, 3))\n" * 60
DOUBLED = "\n".join(["y = torch.cat([x, torch.max_pool2d(x, [2, 2])], 2)", "x = y"] * 60)

CODE: dict[str, tuple[str | bytes, str | None]] = {
    "not Python": ("def (", r"no code: "),
    "not text": (b"\xff\xfe\x00", r"no code: "),
    "nested too deeply": (code("return " + "(" * 5000 + "x" + ")" * 5000), r"no code: "),
    "a deep expression": (
        code("return " + "torch.neg(" * 90 + "x" + ")" * 90),
        None,
    ),
    "an endless loop": (code("while True:\n  y = 1\nreturn x"), r"more than \d+ steps"),
    "a long range": (code("for i in range(4611686018427387904):\n  y = i\nreturn x"), r"steps"),
    "layers without end": (code("while True:\n  x = torch.relu(x)\nreturn x"), r"layers|steps"),
    "a function that calls itself": (
        code("return __torch__.f(x, )", "def f(x: Tensor) -> Tensor:\n  return __torch__.f(x, )\n"),
        r"call each other more than \d+ deep",
    ),
    "methods that call each other": (
        code("return (self).a(x, )", "  def a(self, x: Tensor) -> Tensor:\n"
             "    return (self).b(x, )\n  def b(self, x: Tensor) -> Tensor:\n"
             "    return (self).a(x, )\n"),
        r"call each other more than \d+ deep",
    ),
    "a tree of calls": (code("return __torch__.f0(x, )", CALLS + LAST), r"more than \d+ steps"),
    "lists in lists without end": (
        code("n = [1]\n" + "n = [n, n]\n" * 60 + "t = torch.format('{}', n)\nreturn x"),
        r"holds lists without end",
    ),
    "results in results without end": (
        code("n = (x,)\n" + "n = (n, n)\n" * 60 + "return n"),
        r"holds lists without end",
    ),
    "a long list in a long loop": (
        code("n = torch.mul([1], 65536)\nwhile True:\n  y = torch.count(n, 2)\nreturn x"),
        r"more than \d+ steps",
    ),
    "a missing function": (code("return __torch__.g(x, )"), r"has no '__torch__\.g'"),
    "a missing file": (code("return __torch__.a.b.g(x, )"), r"no member 'code/__torch__/a/b\.py'"),
    "a path that climbs": (code("return __torch__.a.__torch__.g(x, )"), r"no member"),
    "a missing constant": (code("return torch.add(x, CONSTANTS.c0)"), r"constant 'c0'.*missing"),
    "a constant of a giant number": (code("return CONSTANTS.c99999999999"), r"the constant"),
    "a missing attribute": (code("return (self.conv).forward(x, )"), r"reads 'conv'"),
    "a missing variable": (code("return torch.relu(y)"), r"reads 'y', which nothing before"),
    "a missing method": (code("return (self).g(x, )"), r"has no method 'g'"),
    "a loop left early": (code("while True:\n  break\nreturn x"), r"leaves a loop early"),
    "other arguments": (
        code("return __torch__.f(x, x, )", "def f(x: Tensor) -> Tensor:\n  return x\n"),
        r"called with other arguments",
    ),
    "no forward": ("class M(Module):\n  def g(self) -> int:\n    return 1\n", r"no method forward"),
    "no class": ("x = 1\n", r"has no '__torch__\.M'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CODE)
def test_code_that_means_harm(name: str, tmp_path: Path) -> None:
    text, message = CODE[name]
    path = archive(tmp_path / "net.pt", text)
    begin = time.process_time()
    if message is None:
        opened(path, x=SHAPE)
    else:
        with pytest.raises(UpconvError, match=message) as caught:
            opened(path, x=SHAPE)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert time.process_time() - begin < 30


REFUSED = {
    "integers that grow": ("n = 3\n" + "n = torch.mul(n, n)\n" * 40, "n"),
    "texts that grow": ("n = 'aa'\n" + "n = torch.add(n, n)\n" * 40, "torch.len(n)"),
    "lists that grow": ("n = [1, 2]\n" + "n = torch.mul(n, 99)\n" * 9, "torch.len(n)"),
    "a list that holds itself": ("n = [1]\na = torch.append(n, n)", "torch.len(n)"),
    "sizes that grow": (GROWING, "n"),
    "giant integers": ("n = 1" + "0" * 4000, "n"),
    "a giant power": ("n = torch.pow(99, 9223372036854775807)", "n"),
    "an import": ("import os\nn = os.system('true')", "n"),
    "a built-in": ("n = eval('1')", "n"),
    "dunder attributes": ("n = x.__class__", "n"),
    "a lambda": ("n = lambda: 1", "n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_grow_or_run_are_not_known(name: str, tmp_path: Path) -> None:
    """What is made of them is refused; the rest of the code is followed."""
    body, size = REFUSED[name]
    text = code(f"{body}\nreturn torch.upsample_nearest2d(x, [{size}, 8], None)")
    path = archive(tmp_path / "net.pt", text)
    try:
        model = opened(path)
    except UnreadableError as error:
        assert "\n" not in str(error)
        return
    assert model.notices or name == "a list that holds itself"


def test_shapes_that_grow_without_end_are_not_inferred(tmp_path: Path) -> None:
    path = archive(tmp_path / "net.pt", code(f"{DOUBLED}\nreturn x"))
    begin = time.process_time()
    opened(path)
    assert time.process_time() - begin < 20


def test_a_zip_bomb(tmp_path: Path) -> None:
    bomb = b"# " + b"a" * (1 << 24) + b"\n"
    path = archive(tmp_path / "net.pt", bomb)
    assert path.stat().st_size < 1 << 17
    with pytest.raises(UnreadableError, match=r"has \d+ bytes, more than"):
        opened(path, x=SHAPE)


def test_names_that_climb_out_of_the_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "net.pt", code("return x"), {"../../code/evil.py": b"x"})
    with pytest.raises(UnreadableError, match=r"leaves the archive"):
        opened(path, x=SHAPE)


def test_an_archive_without_data(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/version", "3")
        file.writestr("m/code/__torch__.py", "")
    with pytest.raises(UnreadableError, match=r"of torch before 1\.4"):
        opened(path)


@pytest.mark.parametrize("pickled", [b"\x80\x02K\x01.", root().replace(b"__torch__", b"os"), b"x"])
def test_roots_that_are_no_module(pickled: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path / "net.pt", code("return x"), {"data.pkl": pickled})
    with pytest.raises(UnreadableError):
        opened(path, x=SHAPE)


@pytest.mark.parametrize("debug", [b"", b"\x80\x02]K\x01a.", b"\x80\x02(X\x18\x00\x00\x00FORMAT"])
def test_debug_files_that_say_nothing(debug: bytes, tmp_path: Path) -> None:
    text = code("return torch.upsample_nearest2d(x, [8, 8], None)")
    path = archive(tmp_path / "net.pt", text, {"code/__torch__.py.debug_pkl": debug})
    (layer,) = opened(path, x=SHAPE).layers
    assert layer.origin.code == ""


def test_debug_texts_that_are_long_when_joined(tmp_path: Path) -> None:
    """A table of one long text, which a range names over and over."""
    source = ([0] * (1 << 16), 0, 1)
    records = [(0, (source, 0, 1))]
    debug = pickle.dumps(("FORMAT_WITH_STRING_TABLE", ("a" * (1 << 16),), records), 2)
    text = code("return torch.upsample_nearest2d(x, [8, 8], None)")
    path = archive(tmp_path / "net.pt", text, {"code/__torch__.py.debug_pkl": debug})
    tracemalloc.start()
    opened(path, x=SHAPE)
    assert tracemalloc.get_traced_memory()[1] < 1 << 27
    tracemalloc.stop()


def _sample(folder: Path) -> bytes:
    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(3, 2, 3, 2)
            self.norm = nn.BatchNorm2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.norm(self.up(x))
            return nn.functional.interpolate(y, size=[x.size(2), 7])

    return saved(Net().eval(), "scripted", None, folder / "net.pt").read_bytes()


@pytest.mark.parametrize("change", ["bytes", "truncated", "code"])
def test_mutated_files_are_read_or_refused(change: str, tmp_path: Path) -> None:
    """Flipped bytes, in the file and in its inflated members."""
    data = _sample(tmp_path)
    members = _members(data)
    draw = random.Random(7)
    path = tmp_path / "mutated.pt"
    outcomes = set()
    for _ in range(ROUNDS):
        path.write_bytes(_mutated(change, data, members, draw, path))
        try:
            opened(path, x=SHAPE)
            outcomes.add("read")
        except UpconvError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert "refused" in outcomes


def _members(data: bytes) -> dict[str, bytes]:
    import io

    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name.partition("/")[2]: file.read(name) for name in file.namelist()}


def _mutated(
    change: str, data: bytes, members: dict[str, bytes], draw: random.Random, path: Path
) -> bytes:
    if change == "truncated":
        return data[: draw.randrange(len(data))]
    if change == "bytes":
        return _flipped(data, draw)
    name = draw.choice([n for n in members if n.startswith("code/") or n.endswith(".pkl")])
    changed = {**members, name: _flipped(members[name], draw)}
    return archive(path, changed.pop("code/__torch__.py", b""), changed).read_bytes()


def _flipped(data: bytes, draw: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        made[draw.randrange(len(made))] = draw.choice([draw.randrange(256), *b"()[],. x0123"])
    return bytes(made)
