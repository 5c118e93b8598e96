"""Source that is broken, huge or nested: one error with a line, or an honest model."""

from __future__ import annotations

import sys

import pytest

from tests.converters.readers.python_source.support import TORCH, read
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.python_source.reader import read_python

HUGE = {
    "parentheses": "(" * 100_000,
    "closed parentheses": "x = " + "(" * 5_000 + ")" * 5_000,
    "minus": "x = " + "-" * 100_000 + "1",
    "sum": "x = " + "+".join(["1"] * 100_000),
    "attributes": "x = a" + ".b" * 100_000,
    "calls": "x = f" + "()" * 50_000,
    "elif": "if a:\n    b\n" + "elif a:\n    b\n" * 5_000,
    "zero": "x = 1\0",
    "length": "#" * (5 << 20),
    "integer": "x = " + "9" * 100_000,
    "a list in itself": "a = [*a]\nnn.Sequential(*a)",
    "lists that double": "".join(f"a{i} = [*a{i + 1}] * 9\n" for i in range(40))
    + "".join(f"b{i} = [{f'*b{i + 1}, ' * 99}]\n" for i in range(40))
    + "nn.Sequential(*a0, *b0)",
}


@pytest.mark.parametrize("name", sorted(HUGE))
def test_large_and_deep_code(name: str) -> None:
    try:
        model = read(f"{TORCH}{HUGE[name]}\nnn.Upsample(scale_factor=2)\n")
    except UnreadableError as error:
        assert "net.py" in str(error)
        assert "\n" not in str(error)
    else:
        assert len(model.layers) == 1


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(UnreadableError) as caught:
        read(TORCH + "x = (1,\ny = nn.Upsample(scale_factor=2)\n")
    assert caught.value.where is not None
    assert caught.value.where.line in (4, 5)
    with pytest.raises(UnreadableError, match="Python 2 script"):
        read("print 'nn.Upsample'")


def test_nothing_runs(tmp_path: object) -> None:
    code = (
        "import a_module_that_does_not_exist\nraise SystemExit\n" + TORCH + "nn.Upsample(None, 2)"
    )
    before = set(sys.modules)
    assert len(read(code).layers) == 1
    assert "a_module_that_does_not_exist" not in set(sys.modules) - before


def test_bytes_of_any_kind(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "a.py"
    for data in (b"\xff\xfe\x00", b"\xef\xbb\xbfimport torch\n", b"# \xe9\n", bytes(range(256))):
        path.write_bytes(data)
        try:
            model = read_python(str(path), ReadOptions())
        except UnreadableError as error:
            assert str(path) in str(error)
        else:
            assert model.layers == ()


def test_functions_that_call_each_other_often_end() -> None:
    """40 calls a function, 8 functions deep: 40^8 ways to come to a kernel."""
    body = "import torch.nn as nn\ndef f0(k):\n    nn.ConvTranspose2d(1, 1, k)\n"
    for depth in range(1, 9):
        calls = "".join(f"    f{depth - 1}(k)\n" for _ in range(40))
        body += f"def f{depth}(k):\n{calls}"
    assert read(body + "f8(3)\n").layers
