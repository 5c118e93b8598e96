"""Conditions against the shape functions: what one asks for the other checks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.operator_cases import MAKERS, RECORDS
from tests.converters.reference.build import layer
from upconv.converters.audit.conditions import Condition, asked
from upconv.converters.audit.relations import Relation
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Size, evaluate, symbol
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, ModelInput, Shape
from upconv.converters.ir.tensors import missing


def _model(one: Layer, shapes: list[Shape]) -> Model:
    inputs = tuple(ModelInput(f"x{index}", shape) for index, shape in enumerate(shapes))
    return Model("net", "", "caffe", inputs, one.outputs, (one,))


def _holds(relation: Relation, values: dict[str, int]) -> bool:
    value = evaluate(relation.difference, values)
    return bool(value == 0 if relation.kind == "==" else value >= 0)


def _doubtful(condition: Condition, values: dict[str, int]) -> bool:
    return condition.doubt is not None and _holds(condition.doubt, values)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=60)
@given(data=st.data())
def test_conditions_hold_where_the_shape_function_raises_nothing(
    record: type, data: st.DataObject
) -> None:
    """The letters of several inputs are shared at random, so that some merges fit."""
    op, inputs, outputs = MAKERS[record](data.draw)
    names, values, letters = (
        st.sampled_from("ABCD"),
        st.sampled_from([1, 1, 2, 3, 4, 6, 8, 9, 16]),
        dict[str, int](),
    )
    if record is ops.Reshape and data.draw(st.booleans()):
        op = ops.Reshape(data.draw(st.sampled_from([(0, 24), (4, -1), (2, 0, 12), (2, 3)])), axis=1)
    shapes: list[Shape] = []
    for shape in inputs:
        drawn: list[Size] = list(shape)
        for axis in range(len(shape)):
            if data.draw(st.integers(0, 2)):
                continue
            name = data.draw(names)
            letters.setdefault(name, data.draw(values))
            drawn[axis] = symbol(name)
        shapes.append(tuple(drawn))
    one = layer(op, len(inputs), outputs)
    if isinstance(op, ops.Linear) and data.draw(st.booleans()):
        one = replace(one, weights={"weight": missing((op.out_features, 24))})
    model = _model(one, shapes)
    inference = infer(model)
    found = asked(model, inference)
    assert found.unknown == ""
    if any(_doubtful(condition, letters) for condition in found.conditions):
        return
    said = all(any(_holds(r, letters) for r in c.any_of) for c in found.conditions)
    plain: list[Shape] = [tuple(evaluate(size, letters) for size in shape) for shape in shapes]
    concrete = infer(_model(one, plain))
    open_sizes = [
        evaluate(size, letters)
        for value in one.outputs
        for size in inference.shapes[value] or ()
        if isinstance(size, Dim)
    ]
    assert said is (not concrete.errors and all(size >= 1 for size in open_sizes))


@pytest.mark.parametrize("size", range(1, 10))
def test_slice_points_lie_inside(size: int) -> None:
    one = layer(ops.Slice(2, (2, 5)), 1, 3)
    symbolic, concrete = (_model(one, [(1, 3, n, 8)]) for n in (symbol("H"), size))
    conditions = asked(symbolic, infer(symbolic)).conditions
    said = all(_holds(condition.any_of[0], {"H": size}) for condition in conditions)
    assert said is not bool(infer(concrete).errors)
    assert said is (size > 5)


def test_what_is_not_known_is_said() -> None:
    model = _model(layer(ops.Unknown("Foo"), 1), [(1, 3, symbol("H"), 8)])
    assert asked(model, infer(model)).unknown == "what 'layer' (Foo) does is not known"


def test_a_contradiction_at_every_size_is_a_condition() -> None:
    conv = ops.Conv(4, (3,), (1,), (1,), (0,), (0,), groups=2)
    model = _model(layer(conv, 1), [(1, 3, symbol("H"))])
    (first, *_) = asked(model, infer(model)).conditions
    assert first.any_of[0].always is False
