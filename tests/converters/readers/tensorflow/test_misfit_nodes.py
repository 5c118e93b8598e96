"""Nodes of every operation the reader knows, on inputs and attributes that do not fit it: each
becomes a layer, a constant or an unknown layer with a notice, or fails with one UpconvError."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tensorflow.folding import FOLDS
from upconv.converters.readers.tensorflow.lowering import LOWERINGS
from upconv.converters.readers.tensorflow.reader import read_tensorflow
from upconv.linter.running.engine import check_path

SEEDS: Final = 4
NODES: Final = 12
COUNTED: Final = 4
"""One of so many is read once more, for what it became."""


def _shape(sizes: Sequence[int]) -> str:
    return " ".join(f"dim {{ size: {size} }}" for size in sizes)


def _placeholder(name: str, shape: str) -> str:
    return (
        f'node {{ name: "{name}" op: "Placeholder"'
        ' attr { key: "dtype" value { type: DT_FLOAT } }'
        f' attr {{ key: "shape" value {{ shape {{ {shape} }} }} }} }}'
    )


def _constant(name: str, kind: str, sizes: Sequence[int], values: str) -> str:
    tensor = f"dtype: {kind} tensor_shape {{ {_shape(sizes)} }} {values}"
    return (
        f'node {{ name: "{name}" op: "Const" attr {{ key: "dtype" value {{ type: {kind} }} }}'
        f' attr {{ key: "value" value {{ tensor {{ {tensor} }} }} }} }}'
    )


DATA: Final = {
    "fixed": _placeholder("fixed", _shape((1, 4, 5, 3))),
    "open": _placeholder("open", _shape((-1, -1, -1, 3))),
    "no_rank": _placeholder("no_rank", "unknown_rank: true"),
    "vector": _placeholder("vector", _shape((3,))),
    "scalar": _placeholder("scalar", ""),
    "long": _placeholder("long", _shape((1, 1 << 40, 4, 3))),
    "sizes": 'node { name: "sizes" op: "Shape" input: "open" }',
    "weight": _constant("weight", "DT_FLOAT", (3, 3, 3, 2), "float_val: 0.5"),
}
CONSTANTS: Final = {
    "one": _constant("one", "DT_INT32", (), "int_val: 1"),
    "minus": _constant("minus", "DT_INT32", (), "int_val: -7"),
    "two": _constant("two", "DT_INT32", (2,), "int_val: 1 int_val: 2"),
    "four": _constant("four", "DT_INT32", (4,), "int_val: 1 int_val: 2 int_val: 2 int_val: 3"),
    "many": _constant("many", "DT_INT32", (3000,), "int_val: 1"),
    "zeros": _constant("zeros", "DT_INT32", (4,), "int_val: 0"),
    "empty": _constant("empty", "DT_INT32", (0,), ""),
    "pads": _constant("pads", "DT_INT32", (4, 2), "int_val: 1"),
    "huge": _constant("huge", "DT_INT64", (2,), f"int64_val: {2**63 - 1} int64_val: {-(2**63)}"),
    "nan": _constant("nan", "DT_FLOAT", (), "float_val: nan"),
    "inf": _constant("inf", "DT_FLOAT", (2,), "float_val: inf float_val: -inf"),
    "bias": _constant("bias", "DT_FLOAT", (3,), "float_val: 0.5"),
    "true": _constant("true", "DT_BOOL", (), "bool_val: true"),
    "text": _constant("text", "DT_STRING", (), 'string_val: "ab"'),
    "variable": 'node { name: "variable" op: "VariableV2"'
    ' attr { key: "dtype" value { type: DT_FLOAT } }'
    f' attr {{ key: "shape" value {{ shape {{ {_shape((3,))} }} }} }} }}',
}
ATTRIBUTES: Final[tuple[dict[str, str], ...]] = (
    {},
    {
        "strides": "list { i: 1 i: 2 i: 2 i: 1 }",
        "ksize": "list { i: 1 i: 2 i: 2 i: 1 }",
        "padding": 's: "SAME"',
    },
    {
        "strides": "list { i: 0 i: -2 }",
        "ksize": "list { i: 0 }",
        "padding": 's: "VALID"',
        "axis": "i: 9",
        "num_split": "i: 0",
        "N": "i: -1",
        "num": "i: 99999999",
        "block_size": "i: 0",
    },
    {
        "strides": "list { i: 1 i: 1 i: 1 i: 1 }",
        "padding": 's: "EXPLICIT"',
        "data_format": 's: "XX"',
        "axis": "i: -9",
        "num_split": "i: 3",
        "num": "i: 3",
        "block_size": "i: 2",
        "squeeze_dims": "list { i: 7 }",
    },
    {
        "strides": 's: "x"',
        "padding": "i: 3",
        "axis": "f: nan",
        "T": "type: 77",
        "DstT": "type: 77",
        "data_format": 's: "NCHW"',
        "dilations": "list { i: 1 i: 1 i: 0 i: 1 }",
    },
)


def _misfit(op: str, rng: random.Random) -> str:
    """A graph with one node of the operation, and nodes that read two outputs of it."""
    inputs = [rng.choice((*DATA, *CONSTANTS)) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 3, 4)))]
    if inputs and rng.random() < 0.6:
        inputs[0] = rng.choice(tuple(DATA))
    attributes = rng.choice(ATTRIBUTES)
    lines = [f'input: "{name}"' for name in inputs]
    lines += [f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attributes.items()]
    read = {"fixed", "open", *inputs}  # "sizes" reads "open"
    nodes = (
        *(text for name, text in (DATA | CONSTANTS).items() if name in read),
        f'node {{ name: "misfit" op: "{op}" {" ".join(lines)} }}',
        'node { name: "first" op: "Relu" input: "misfit" }',
        'node { name: "second" op: "Add" input: "misfit:1" input: "fixed" }',
    )
    return "\n".join(nodes)


def test_a_product_of_unknown_rank_with_a_variable_without_values(tmp_path: Path) -> None:
    variable = CONSTANTS["variable"].replace(_shape((3,)), "")
    product = 'node { name: "y" op: "Mul" input: "no_rank" input: "variable" }'
    path = tmp_path / "graph.pbtxt"
    path.write_text("\n".join((DATA["no_rank"], variable, product)))
    (layer,) = read_tensorflow(str(path), ReadOptions()).layers
    assert isinstance(layer.operator, Unknown)
    assert layer.operator.reason == "the number of axes of its input is unknown"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_misfit_nodes(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = tmp_path / "misfit.pbtxt"
    path.write_text(_misfit("Relu", rng))
    read_tensorflow(str(path), ReadOptions())
    operations = sorted({*LOWERINGS, *FOLDS})
    assert len(operations) > 100
    known = 0
    for op in operations:
        for number in range(NODES):
            path.write_text(_misfit(op, rng))
            report = check_path(path)
            assert not report.crashed, [one.message for one in report.findings]
            if number % COUNTED:
                continue
            try:
                model = read_tensorflow(str(path), ReadOptions())
            except UpconvError as error:
                assert str(error)
                continue
            known += any(
                layer.name == "misfit" and not isinstance(layer.operator, Unknown)
                for layer in model.layers
            )
    looked = NODES // COUNTED * len(operations)
    assert known > 0.08 * looked, f"{known} of {looked} misfits are layers"
