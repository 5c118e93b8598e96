"""What the shape functions allow, the writer writes, whatever the number of axes, or refuses with
a reason; and what it wrote computes what the reference computes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.onnx_writer.support import convert_and_compare, one_layer, values
from tests.converters.operator_cases import MAKERS, RECORDS, weights_for, with_places
from tests.converters.reference.build import layer
from upconv.converters.ir.errors import ShapeError, UnsupportedError
from upconv.converters.ir.inference import layer_shapes


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_inputs_of_any_rank_are_written_or_refused(record: type, data: st.DataObject) -> None:
    op, inputs, outputs = MAKERS[record](data.draw)
    other = st.lists(st.integers(1, 4), max_size=5).map(tuple)
    first = data.draw(other)
    shapes = tuple(first if data.draw(st.booleans()) else data.draw(other) for _ in inputs)
    named = {f"x{index}": shape for index, shape in enumerate(shapes)}
    try:
        layer_shapes(layer(op, len(shapes), outputs), named)
    except ShapeError:
        return
    stored = weights_for(op, shapes[0] if shapes else ())
    arrays = {name: weight.values for name, weight in stored.items()}
    source = one_layer(op, *shapes, outputs=outputs, **arrays)
    feeds = {name: np.asarray(abs(values(*shape))) for name, shape in named.items()}
    feeds = with_places(op, feeds)
    with tempfile.TemporaryDirectory() as folder:
        try:
            convert_and_compare(source, feeds, Path(folder), opsets=(18,), tolerance=1e-3)
        except UnsupportedError as error:
            assert str(error)
