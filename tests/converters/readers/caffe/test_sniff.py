from __future__ import annotations

import pytest

from upconv.converters.ir.errors import NotAModelError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.caffe.sniff import require_net
from upconv.converters.readers.files.prototxt import parse
from upconv.converters.readers.files.prototxt.kinds import classify

TEXTS = [
    ("net", 'name: "n" layer { type: "ReLU" }'),
    ("net", "layers { type: RELU }"),
    ("net", 'input: "data" input_dim: 1'),
    ("net", 'name: "empty"'),
    ("solver", 'net: "a.prototxt" base_lr: 0.1'),
    ("solver", 'train_net: "a.prototxt"'),
    ("solver", "net_param { layer { } } max_iter: 3"),
    ("label map", 'item { id: 1 name: "cat" }\nitem { id: 2 }'),
    ("ONNX text", "ir_version: 4 graph { node { op_type: 'Conv' } }"),
    ("TensorFlow graph", 'node { name: "x" op: "Placeholder" } versions { }'),
    ("TensorFlow SavedModel", "saved_model_schema_version: 1 meta_graphs { }"),
    ("detection pipeline", "model { ssd { } } train_config { }"),
    ("Caffe2 net", 'name: "n" op { input: "x" output: "y" type: "Conv" }'),
    ("Caffe tool script", "train { } process { }"),
    (
        "Triton configuration",
        'name: "r" platform: "tensorrt_plan" input [ { name: "x" data_type: TYPE_FP32 } ]',
    ),
    ("empty text", "# nothing"),
    ("other text", "answer: 42"),
]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE html>\n<html><head></head><body>layer { name: "a" }</body></html>',
        "\n <html>layer { }",
        "<!doctype HTML>",
        "<body class='x'> net: 'a'",
    ],
)
def test_a_web_page_is_one_error(text: str) -> None:
    parsed = parse(Source("net.prototxt", text))
    with pytest.raises(NotAModelError) as caught:
        require_net(parsed.root, parsed.errors)
    assert caught.value.message == "no Caffe net, but a web page"


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_kinds(kind: str, text: str) -> None:
    parsed = parse(Source("file", text))
    assert classify(parsed.root) == kind
    if kind == "net":
        require_net(parsed.root, parsed.errors)
        return
    with pytest.raises(NotAModelError) as caught:
        require_net(parsed.root, parsed.errors)
    assert caught.value.known == (kind not in ("empty text", "other text"))
    assert caught.value.message.startswith("no Caffe net, but ")


def test_a_solver_names_its_net() -> None:
    parsed = parse(Source("solver.prototxt", 'net: "a.prototxt"'))
    with pytest.raises(NotAModelError) as caught:
        require_net(parsed.root, parsed.errors)
    assert str(caught.value) == (
        'solver.prototxt: no Caffe net, but a solver (its net is "a.prototxt")'
    )


def test_prose_shows_where_it_stops_to_be_one() -> None:
    parsed = parse(Source("readme.prototxt", "Hello, this is prose."))
    with pytest.raises(NotAModelError) as caught:
        require_net(parsed.root, parsed.errors)
    assert caught.value.where is not None
