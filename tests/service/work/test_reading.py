"""What --input accepts, and what it says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UsageError
from upconv.service.work.reading import Reading, parse_input, read_options


@pytest.mark.parametrize(
    ("text", "name", "shape"),
    [
        ("data=1x3x500x500", "data", (1, 3, 500, 500)),
        ("data=1,3,500,500", "data", (1, 3, 500, 500)),
        ("a=b=2x3", "a=b", (2, 3)),
        ("x=Nx3xHxW", "x", (symbol("N"), 3, symbol("H"), symbol("W"))),
        ("d=7", "d", (7,)),
    ],
)
def test_shapes_are_read(text: str, name: str, shape: tuple[object, ...]) -> None:
    assert parse_input(text) == (name, shape)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1x3x5x5", "it has no NAME="),
        ("=1x3", "it has no NAME="),
        ("data=1x-3", "'-3' is neither a number nor a letter"),
        ("data=1x3xx5", "'' is neither a number nor a letter"),
        ("data=1x0", "a size of 0 is out of range"),
        ("data=99999999999", "a size of 99999999999 is out of range"),
        ("data=" + "9" * 5000, "is out of range"),
        ("data=3\u00b2", "is neither a number nor a letter"),
    ],
)
def test_other_texts_are_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_input(text)
    assert said in str(caught.value)
    assert "write it as --input data=1x3x500x500" in str(caught.value)


def test_weights_that_are_not_there_are_a_usage_error(tmp_path: Path) -> None:
    checkpoint = tmp_path / "m.index"
    checkpoint.write_bytes(b"")
    assert read_options(Reading(str(tmp_path / "m"))).weights == str(tmp_path / "m")
    with pytest.raises(UsageError, match=r"--weights .*n\.caffemodel: no such file"):
        read_options(Reading(str(tmp_path / "n.caffemodel")))
