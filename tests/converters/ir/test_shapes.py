"""Each shape function against the shapes that numpy makes, over random settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.operator_cases import MAKERS, RECORDS, Inputs, weights_for, with_places
from tests.converters.reference.build import layer
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Like, Size, evaluate, substitute, symbol
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.inference import layer_shapes
from upconv.converters.ir.tensors import missing
from upconv.converters.reference.call import MEANINGS, Operands


def _symbolic(shapes: Inputs) -> tuple[dict[str, tuple[Size, ...]], dict[str, int]]:
    """The axes after the second as letters, and what the letters stand for."""
    values: dict[str, int] = {}
    named: dict[str, tuple[Size, ...]] = {}
    for index, shape in enumerate(shapes):
        letters: list[Size] = list(shape[:2])
        for axis, size in enumerate(shape[2:]):
            letter = f"S{index}_{axis}"
            values[letter] = size
            letters.append(symbol(letter))
        named[f"x{index}"] = tuple(letters)
    return named, values


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_shape_functions_are_the_shapes_of_the_reference(record: type, data: st.DataObject) -> None:
    """The meaning is asked directly, so what it returns is not checked by the run."""
    op, inputs, outputs = MAKERS[record](data.draw)
    one = layer(op, len(inputs), outputs)
    names = {f"x{i}": shape for i, shape in enumerate(inputs)}
    try:
        wanted = layer_shapes(one, names)
    except ShapeError as error:
        assert error.kind == "non_positive"
        return
    arrays = with_places(op, {name: np.ones(shape) for name, shape in names.items()})

    def size_of(size: Size) -> int:
        found = substitute(
            size,
            lambda leaf: names[leaf.tensor][leaf.axis] if isinstance(leaf, Like) else None,
        )
        assert isinstance(found, int)
        return found

    plain = tuple(tuple(evaluate(size, {}) for size in shape or ()) for shape in wanted)
    stored = weights_for(op, inputs[0] if inputs else ())
    call = Operands(tuple(arrays.values()), stored, plain, size_of)
    with np.errstate(all="ignore"):
        results = MEANINGS[type(op)](op, call)
    assert tuple(result.shape for result in results) == plain


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_letters_give_the_same_shapes(record: type, data: st.DataObject) -> None:
    op, inputs, outputs = MAKERS[record](data.draw)
    one = layer(op, len(inputs), outputs)
    try:
        wanted = layer_shapes(one, {f"x{i}": shape for i, shape in enumerate(inputs)})
    except ShapeError:
        return
    named, values = _symbolic(inputs)
    found = layer_shapes(one, named)
    numbers = [tuple(evaluate(size, values) for size in shape or ()) for shape in found]
    assert numbers == list(wanted)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=60)
@given(data=st.data())
def test_inputs_of_any_rank_have_shapes_or_a_contradiction(
    record: type, data: st.DataObject
) -> None:
    """Files may join any two layers, so no number of axes may be taken for granted."""
    op, inputs, outputs = MAKERS[record](data.draw)
    letters = st.one_of(st.integers(1, 9), st.sampled_from([symbol("H"), symbol("W") + 1]))
    shapes: dict[str, tuple[Size, ...] | None] = {
        f"x{index}": tuple(data.draw(st.lists(letters, max_size=6))) for index in range(len(inputs))
    }
    weights = {"weight": missing((2, 3)), "scale": missing((4,)), "mean": missing((1,))}
    one = replace(layer(op, len(inputs), outputs), weights=weights)
    try:
        found = layer_shapes(one, shapes)
    except ShapeError as error:
        assert str(error)
        return
    assert len(found) == outputs
    assert all(shape is not None for shape in found)


ERRORS: list[tuple[ops.Operator, list[tuple[Size, ...]], int, str, str]] = [
    (ops.Concat(1), [(1, 2, 3), (1, 2, 4)], 1, "merge", "only axis 1 may differ"),
    (ops.Eltwise("sum"), [(1, 2), (1, 3)], 1, "merge", "input 0 has 1x2, input 1 has 1x3"),
    (ops.Eltwise("power"), [(1, 2)] * 3, 1, "merge", "power of 3 inputs, not two"),
    (ops.Crop(1, (2,), (2,)), [(1, 3)], 1, "crop", "less than offset 2 \\+ size 2"),
    (ops.Slice(1), [(1, 5)], 2, "axis", "does not divide into 2 equal parts"),
    (ops.Slice(1, (5,)), [(1, 5)], 2, "axis", "slice point 5 is outside of 5"),
    (ops.MatMul(), [(2, 3), (4, 2)], 1, "merge", "2x3 times 4x2: 3 columns meet 4 rows"),
    (ops.MatMul(), [(2, 3), (3,)], 1, "rank", "without two axes"),
    (ops.Gather(1, (0, 5)), [(1, 5)], 1, "axis", "picks entry 5 of an axis of 5"),
    (ops.Gather(1, (-1, 0)), [(1, 5)], 1, "axis", "picks entry -1 of an axis of 5"),
    (ops.GridSample("linear", "zeros", False), [(2, 3, 4, 5), (2, 6, 7, 3)], 1, "merge", "samples"),
    (ops.GridSample("linear", "zeros", False), [(2, 3, 4, 5), (1, 6, 7, 2)], 1, "merge", "samples"),
    (ops.StridedSlice(1, 1, 3, 2), [(1, 5)], 1, "axis", "takes entries 1 to 5 of an axis of 5"),
    (ops.StridedSlice(1, 1, 3, -1), [(1, 5)], 1, "axis", "takes entries 1 to -1 of an axis of 5"),
    (ops.StridedSlice(1, 1, 1, 0), [(1, 5)], 1, "axis", "takes every 0th entry"),
    (ops.Expand((4, 5)), [(3, 5)], 1, "merge", "repeats 3x5 to 4x5"),
    (ops.Softmax(2), [(1, 5)], 1, "axis", "axis 2 of an input with 2 axes"),
    (ops.Reshape((4, 2)), [(1, 5)], 1, "reshape", "reshapes 5 values into 4x2"),
    (ops.DepthToSpace(2), [(1, 6, 2, 2)], 1, "channels", "6 channels do not divide by 4"),
    (ops.Permute((0, 0)), [(1, 5)], 1, "axis", "does not permute 1x5"),
    (ops.Scale(1, "scale"), [(1, 5), (4,)], 1, "merge", "the scale has 4, the input 5"),
    (ops.Resize("linear", "half_pixel", (0,)), [(1, 2, 3)], 1, "non_positive", "gives width 0"),
]


@pytest.mark.parametrize(("op", "shapes", "outputs", "kind", "message"), ERRORS)
def test_contradictions(
    op: ops.Operator, shapes: list[tuple[Size, ...]], outputs: int, kind: str, message: str
) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        layer_shapes(
            layer(op, len(shapes), outputs), {f"x{i}": shape for i, shape in enumerate(shapes)}
        )
    assert caught.value.kind == kind


def test_what_depends_on_a_letter_is_not_judged() -> None:
    H = symbol("H")
    shapes: dict[str, tuple[Size, ...]] = {"x0": (1, 2, H), "x1": (1, 2, 5)}
    assert layer_shapes(layer(ops.Eltwise("sum"), 2), shapes) == ((1, 2, H),)
    one = symbol("H") + 1
    assert isinstance(one, Dim)
    with pytest.raises(ShapeError):
        layer_shapes(layer(ops.Eltwise("sum"), 2), {"x0": (1, 2, H), "x1": (1, 2, one)})
