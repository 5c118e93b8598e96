"""A model in a line, as a table and as HTML."""

from __future__ import annotations

import re

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.table import rows_of

HOSTILE = "<img src=x onerror=alert(1)>\n\x1b[31m&"


def model_of(*layers: Layer, shape: tuple[object, ...] | None = (1, 3, "H", "W")) -> Model:
    sizes = None if shape is None else tuple(
        symbol(size) if isinstance(size, str) else size for size in shape
    )  # fmt: skip
    entry = ModelInput("data", sizes)  # type: ignore[arg-type]
    outputs = layers[-1].outputs if layers else ("data",)
    return Model("net", "net.prototxt", "caffe", (entry,), outputs, layers)


UP = Layer("up", ops.DepthToSpace(2, "DCR"), ("data",), ("up",))


def test_a_model_is_one_line() -> None:
    made = model_of(UP, shape=(2, 8, 5, 7))
    assert repr(made) == "<Model 'net', caffe, 1 layer: data 2x8x5x7 -> up>"
    assert repr(model_of(shape=None)) == "<Model 'net', caffe, 0 layers: data ? -> data>"


def test_layers_are_rows_with_their_shapes() -> None:
    made = model_of(
        UP,
        Layer("odd", ops.Unknown("Odd"), ("up", "data"), ("odd",)),
        shape=(1, 8, "H", 7),
    )
    assert list(rows_of(made)) == [
        ("up", "DepthToSpace", "1x8xHx7", "1x2x(2*H)x14"),
        ("odd", "Unknown Odd", "1x2x(2*H)x14, 1x8xHx7", "?"),
    ]
    first, titles, up, odd = str(made).splitlines()
    assert first == repr(made)
    assert titles.split() == ["layer", "operator", "input", "output"]
    assert re.split(r" {2,}", up) == ["up", "DepthToSpace", "1x8xHx7", "1x2x(2*H)x14"]
    starts = {line.index(word) for line, word in ((titles, "output"), (up, "1x2x"), (odd, "?"))}
    assert len(starts) == 1


def test_names_of_a_file_are_no_markup_and_break_no_table() -> None:
    made = model_of(Layer(HOSTILE, ops.Unknown(HOSTILE), ("data",), (HOSTILE,)))
    page = made._repr_html_()
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert page.count("<tr>") == page.count("</tr>") == 2
    assert len(str(made).splitlines()) == 3
    assert "\x1b" not in str(made)
    assert "\n" not in repr(made)


def test_long_names_and_many_ends_are_cut() -> None:
    made = model_of(Layer("n" * 500, ops.Unknown("U"), ("data",), tuple("abcdefgh" * 40)))
    assert max(map(len, str(made).splitlines())) < 260
    assert repr(made).endswith("...>")
