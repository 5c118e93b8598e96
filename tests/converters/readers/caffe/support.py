"""Nets in a few lines: the text of layers, and the model read from it."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.options import ReadOptions

DATA = 'input: "data" input_shape { dim: 1 dim: 3 dim: 10 dim: 12 }\n'


def read(text: str, **options: Any) -> Model:
    return read_caffe_source(Source("net.prototxt", dedent(text)), ReadOptions(**options))


def layer(kind: str, rest: str = "", name: str = "x", bottom: str = "data", top: str = "x") -> str:
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {rest} }}\n'


def operator(kind: str, rest: str = "", head: str = DATA) -> Operator:
    """The operator of one layer that reads `data`; there must be nothing to notice."""
    model = read(head + layer(kind, rest))
    assert notices(model) == []
    (one,) = model.layers
    return one.operator


def notices(model: Model) -> list[tuple[str, str, str]]:
    """(code, layer, message) of every notice."""
    return [(entry.kind, entry.error.layer, entry.error.message) for entry in model.notices]


def refusal(kind: str, rest: str = "", head: str = DATA) -> tuple[str, str]:
    """(code, message) of the one notice about one layer that reads `data`."""
    ((code, name, message),) = notices(read(head + layer(kind, rest)))
    assert name == "x"
    return code, message


def shapes(model: Model) -> dict[str, Shape | None]:
    inference = infer(model)
    assert inference.errors == ()
    return dict(inference.shapes)
